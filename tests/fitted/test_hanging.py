"""A broker whose machine is there, and that answers nothing."""

import asyncio
from collections import deque
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

from cronstream.fitted.to_aiokafka import hanging
from cronstream.fitted.to_aiokafka.connections import detect_dead_connections

_LOOK_S = 0.01


class Connection:
    """One that is up, and on which requests wait by their numbers."""

    host, port = "127.0.0.1", 9
    _security_protocol, _ssl_context = "PLAINTEXT", None

    def __init__(self, *waiting: int) -> None:
        self._requests = deque((number, None, None) for number in waiting)
        self.closed: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()
        self.looked = 0

    def connected(self) -> bool:
        self.looked += 1
        return not self.closed.done()

    def close(self, reason: CloseReason) -> None:
        self.closed.set_result(reason)


class BusyConnection(Connection):
    """One whose broker answers one request after another."""

    def connected(self) -> bool:
        number, *_ = self._requests[0]
        self._requests[0] = (number + 1, None, None)
        return super().connected()


def _have_broker(monkeypatch: pytest.MonkeyPatch, answer: BaseException | None) -> list[int]:
    asked: list[int] = []

    async def connect(_: Any) -> None:
        asked.append(1)
        if answer is not None:
            raise answer

    monkeypatch.setattr(hanging, "_connect", connect)
    return asked


async def _look(connection: Connection, times: int) -> None:
    hanging.watch(connection, _LOOK_S)
    async with asyncio.timeout(10):
        while connection.looked < times:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0)
    await asyncio.gather(*hanging._questions)


async def test_a_connection_whose_broker_answers_nothing_at_all_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _have_broker(monkeypatch, TimeoutError())
    connection = Connection(7)

    hanging.watch(connection, _LOOK_S)
    async with asyncio.timeout(10):
        assert await connection.closed is CloseReason.CONNECTION_TIMEOUT

    assert caplog.messages == ["the broker at 127.0.0.1:9 is there, and does not answer"]


@pytest.mark.parametrize("answer", [None, KafkaConnectionError("refused")])
async def test_what_a_broker_takes_its_time_for_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, answer: BaseException | None
) -> None:
    asked = _have_broker(monkeypatch, answer)
    connection = Connection(7)

    await _look(connection, 4)

    assert asked
    assert not connection.closed.done()
    connection.close(CloseReason.IDLE_DROP)


async def test_nothing_is_asked_where_nothing_waits_or_all_is_answered_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = _have_broker(monkeypatch, TimeoutError())
    idle, busy = Connection(), BusyConnection(1)

    await asyncio.gather(_look(idle, 4), _look(busy, 4))

    assert asked == []
    idle.close(CloseReason.IDLE_DROP)
    busy.close(CloseReason.IDLE_DROP)


async def test_what_was_answered_meanwhile_keeps_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = Connection(7)

    async def connect(_: Any) -> None:
        connection._requests.clear()
        raise TimeoutError

    monkeypatch.setattr(hanging, "_connect", connect)
    await _look(connection, 4)

    assert not connection.closed.done()
    connection.close(CloseReason.IDLE_DROP)


async def test_every_connection_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[Any] = []
    monkeypatch.setattr("cronstream.fitted.to_aiokafka.connections.watch", watched.append)

    async def connect(_: Any) -> Any:
        return "reader", Writer()

    monkeypatch.setattr("cronstream.fitted.to_aiokafka.connections._connect", connect)
    detect_dead_connections()
    connection = AIOKafkaConnection("127.0.0.1", 9)
    await connection.connect()

    assert watched == [connection]


class Writer:
    def get_extra_info(self, _: str) -> "Writer":
        return self

    def setsockopt(self, *_: int) -> None: ...
