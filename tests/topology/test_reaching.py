"""What is said of an address where there is no Kafka."""

import asyncio

import pytest

from cronstream.errors import UnreachableError
from cronstream.fitted.to_aiokafka import connections
from cronstream.settings import Settings
from cronstream.topology.reaching import probe


async def test_whatever_listens_and_says_nothing_is_no_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "CONNECT_S", 0.2)

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as silent:
        address = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        with pytest.raises(UnreachableError) as raised:
            await probe(Settings(broker=f"{address};127.0.0.1:1"))

    said = raised.value.what
    assert f"{address}: what listens there does not answer as a broker does" in said
    assert "127.0.0.1:1: [Errno" in said
