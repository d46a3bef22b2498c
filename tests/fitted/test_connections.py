"""Connections to brokers that are gone, or never answer."""

import asyncio
import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection

from cronstream.fitted.to_aiokafka import connections
from cronstream.fitted.to_aiokafka.connections import GONE_S, detect_dead_connections, set_keepalive


async def test_a_broker_that_never_greets_is_given_up_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "CONNECT_S", 0.2)
    detect_dead_connections()
    async with await asyncio.start_server(_listen, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        connection = AIOKafkaConnection("127.0.0.1", port, request_timeout_ms=300_000)

        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await connection.connect()
        await asyncio.sleep(0.1)  # until both ends are closed

    assert time.monotonic() - began < 30
    assert connection._request_timeout == 300


async def test_a_broker_that_hangs_up_at_once_is_no_surprise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as connected:
        writer = SimpleNamespace(get_extra_info={"socket": connected}.get)
        connection: Any = AIOKafkaConnection("127.0.0.1", 9)

        async def connect_and_lose(connection: Any) -> Any:
            connection._writer = None
            return "reader", writer

        monkeypatch.setattr(connections, "_connect", connect_and_lose)
        found = await connections._connect_soon(connection)

        assert found == ("reader", writer)
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def _listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read until the other end has had enough, and say nothing."""
    while await reader.read(1000):
        pass
    writer.close()
    await writer.wait_closed()


def test_a_silent_connection_is_broken_by_tcp_within_seconds() -> None:
    with socket.socket() as connected:
        set_keepalive(connected)

        kept = connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        waits = [
            connected.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        ]

    assert kept
    assert waits == [3, 1, 3, GONE_S * 1000]
