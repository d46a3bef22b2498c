"""Rows of tables on their way to a changelog, while Kafka takes them or does not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Self

import orjson
import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.structs import TopicPartition

from cronstream.core.wire.pieces import LastRow, RowSearch
from cronstream.settings import Settings
from cronstream.topology import changelog, producing
from cronstream.topology.changelog import NO_ROW, Changelog
from cronstream.topology.log_message import Spans
from tests.scheduler.fakes import until


class FakeProducer:
    """Takes rows while it is open; refuses some, as often as it is sent."""

    def __init__(self) -> None:
        self.refusals: list[Exception] = []
        self.taken: list[tuple[int, bytes, bytes | None]] = []
        self.open = asyncio.Event()

    async def send_and_wait(
        self, topic: str, row: bytes | None, *, key: bytes, partition: int
    ) -> None:
        assert topic == "log"
        await self.open.wait()
        if self.refusals:
            raise self.refusals.pop()
        self.taken.append((partition, key, row))

    async def stop(self) -> None:
        await self.open.wait()


@pytest.fixture
async def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
async def rows(producer: FakeProducer, monkeypatch: pytest.MonkeyPatch) -> Changelog:
    async def start(*_: Any, counts_messages: bool) -> FakeProducer:
        assert not counts_messages
        return producer

    monkeypatch.setattr(changelog, "start_producer", start)
    monkeypatch.setattr(changelog, "_RETRY_PAUSE_S", 0)
    monkeypatch.setattr(producing, "_STOP_WITHIN_S", 0.01)
    made = Changelog(Settings())
    await made.start()
    return made


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_of_the_rows_of_a_key_that_wait_only_the_newest_is_sent(
    rows: Changelog, producer: FakeProducer
) -> None:
    rows.put("log", 0, b"a", b"1")
    await _settle()
    for row in (b"2", b"3", None):
        rows.put("log", 0, b"a", row)
    rows.put("log", 0, b"b", b"1")
    producer.open.set()
    await _settle()

    assert producer.taken == [(0, b"a", b"1"), (0, b"a", None), (0, b"b", b"1")]


async def test_a_row_is_tried_until_it_is_through_whatever_has_refused_it(
    rows: Changelog, producer: FakeProducer, caplog: pytest.LogCaptureFixture
) -> None:
    producer.open.set()
    producer.refusals = [KafkaTimeoutError(), AssertionError("Unrecognized partition")]
    with caplog.at_level(logging.WARNING):
        rows.put("log", 3, b"a", b"1")
        await _settle()

    assert producer.taken == [(3, b"a", b"1")]
    assert [record.getMessage() for record in caplog.records] == [
        "log/3: not acknowledged (AssertionError('Unrecognized partition')); trying again"
    ]


async def test_a_row_that_kafka_does_not_take_is_not_sent_again_all_the_time(
    rows: Changelog, producer: FakeProducer
) -> None:
    producer.open.set()
    producer.refusals = [MessageSizeTooLargeError()]
    rows.put("log", 3, b"a", b"1")
    await asyncio.sleep(0.05)

    assert producer.taken == []
    await rows.stop(timeout_s=0)


async def test_a_row_that_failed_makes_way_for_a_newer_one(
    rows: Changelog, producer: FakeProducer
) -> None:
    producer.refusals = [KafkaTimeoutError()]
    rows.put("log", 0, b"a", b"1")
    await _settle()
    rows.put("log", 0, b"a", b"2")
    producer.open.set()
    await _settle()

    assert producer.taken == [(0, b"a", b"2")]


async def test_what_kafka_does_not_take_does_not_hold_up_the_end(
    rows: Changelog, producer: FakeProducer
) -> None:
    rows.put("log", 0, b"a", b"1")
    await _settle()

    async with asyncio.timeout(5):
        await rows.stop(timeout_s=0)

    assert producer.taken == []


async def test_a_row_that_is_put_just_when_the_last_was_acknowledged_is_sent(
    rows: Changelog, producer: FakeProducer
) -> None:
    producer.open.set()
    for turns in range(16):
        rows.put("log", 0, b"a", b"1")
        for _ in range(turns):
            await asyncio.sleep(0)
        rows.put("log", 0, b"b", str(turns).encode())
        await _settle()
        assert producer.taken[-1] == (0, b"b", str(turns).encode())


LARGE = [orjson.dumps({"text": str(n) * 100_000}) for n in range(3)]


def _keys(producer: FakeProducer) -> list[bytes]:
    return [key for _, key, _ in producer.taken]


async def test_the_sets_of_pieces_take_turns_once_all_of_one_are_through(
    rows: Changelog, producer: FakeProducer
) -> None:
    producer.open.set()
    producer.refusals = [KafkaTimeoutError()]
    for count, row in enumerate(LARGE, 1):
        rows.put("log", 3, b'"3"', row)
        await until(lambda count=count: len(producer.taken) == count)  # type: ignore[misc]
        await _settle()

    assert _keys(producer) == [b'"3/0/0"', b'"3/1/0"', b'"3/0/0"']
    search = RowSearch()
    for offset, (_, key, value) in enumerate(producer.taken):
        search.fold(offset, key, value)
    assert search.found is not None
    assert (search.found.lines(), search.found.turn) == ([LARGE[-1]], 0)


class FakeReader:
    """A reader of which only its life is needed."""

    def __init__(self, _: Settings) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def spans(self, places: list[TopicPartition], _: None) -> Spans:
        # There never was a message on partition 7.
        return {place: (0, 0 if place.partition == 7 else 9) for place in places}

    def read_all(self, _: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


async def test_a_large_row_is_not_written_over_the_last_that_was_read(
    rows: Changelog, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(_: Any, spans: Spans) -> dict[TopicPartition, LastRow]:
        last = LastRow(b"1", turn=0), LastRow(b"2"), LastRow(None)
        return dict(zip(spans, last, strict=False))

    monkeypatch.setattr(changelog, "Reader", FakeReader)
    monkeypatch.setattr(changelog, "last_rows", found)
    producer.open.set()

    assert await rows.read("log", []) == {}
    assert await rows.read("log", [3, 4, 5, 6, 7]) == {
        3: LastRow(b"1", turn=0),
        4: LastRow(b"2"),
        # There were messages, of which none is a row: what is kept of them is lost.
        5: NO_ROW,
        6: NO_ROW,
    }
    rows.put("log", 3, b'"3"', LARGE[0])
    await until(lambda: producer.taken)

    assert _keys(producer) == [b'"3/1/0"']


async def test_who_only_looks_at_rows_changes_nothing_of_what_is_written_next(
    rows: Changelog, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(_: Any, spans: Spans) -> dict[TopicPartition, LastRow]:
        return dict.fromkeys(spans, LastRow(b"1", turn=1))

    monkeypatch.setattr(changelog, "Reader", FakeReader)
    monkeypatch.setattr(changelog, "last_rows", found)
    producer.open.set()
    rows.put("log", 3, b'"3"', LARGE[0])
    await until(lambda: producer.taken)
    await _settle()

    assert await rows.read("log", [3], only_looks=True) == {3: LastRow(b"1", turn=1)}
    rows.put("log", 3, b'"3"', LARGE[1])
    await until(lambda: len(producer.taken) == 2)

    assert _keys(producer) == [b'"3/0/0"', b'"3/1/0"']
