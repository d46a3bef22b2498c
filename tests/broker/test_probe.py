import asyncio
import struct

import pytest

from cronstream.broker.ports import HOST, free_port
from cronstream.broker.probe import answers, answers_as


async def ask(answer: bytes) -> bool:
    """Probe a server that reads one request, gives `answer`, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(18)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        return await answers(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "is_kafka"),
    [
        (struct.pack(">iii", 100, 1, 1) + b"...", True),
        (struct.pack(">iii", 100, 1, 0), False),  # it knows of no broker yet
        (struct.pack(">iii", 100, 9, 1), False),  # an answer to something else
        (b"HTTP/1.1 400 Bad Request\r\n", False),
        (b"\x00", False),
        (b"", False),
    ],
)
async def test_only_a_broker_that_knows_itself_counts_as_one_that_serves(
    answer: bytes, is_kafka: bool
) -> None:
    assert await ask(answer) is is_kafka


async def test_a_port_where_nothing_listens_does_not_answer() -> None:
    assert not await answers(free_port())


@pytest.mark.parametrize(
    ("answer", "is_ours"),
    [
        (struct.pack(">ii", 1, 1) + b"host OURS", True),
        (struct.pack(">ii", 1, 1) + b"host THEIRS", False),
        (struct.pack(">ii", 1, 0) + b"host OURS", False),  # it knows of no broker yet
        (struct.pack(">ii", 9, 1) + b"host OURS", False),
        (b"OURS", False),
    ],
)
async def test_a_broker_of_another_cluster_is_not_ours_though_it_has_the_port(
    answer: bytes, is_ours: bool
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(18)
        writer.write(struct.pack(">i", len(answer)) + answer)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        assert await answers_as(server.sockets[0].getsockname()[1], "OURS") is is_ours
