"""What is refused is kept, as far as Kafka takes it as fast as it comes; the rest is counted."""

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime

import pytest

from cronstream.polling import until
from cronstream.settings import Settings
from cronstream.topology import quarantine
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.quarantine import (
    BYTES_EACH_SECOND,
    EACH_SECOND,
    KEPT_BYTES,
    MOST_BYTES,
    MOST_WAITING,
    Quarantine,
    in_short,
)
from tests.builders import NAMES


class SlowPublisher(Publisher):
    """Takes what it is given when it is told."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.sent: list[tuple[bytes | None, dict[str, str]]] = []
        self._out: deque[asyncio.Future[Ack]] = deque()

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> "asyncio.Future[Ack]":
        assert (topic, partition) == (NAMES.quarantine, 0)
        self.sent.append((value, headers))
        self._out.append(asyncio.get_running_loop().create_future())
        return self._out[-1]

    async def take(self, count: int) -> None:
        for _ in range(count):
            self._out.popleft().set_result(Ack(0, 0, datetime.now(UTC)))
        await asyncio.sleep(0)


@pytest.fixture
async def publisher() -> SlowPublisher:
    return SlowPublisher()


async def test_a_refused_message_is_kept_with_where_it_came_from(publisher: SlowPublisher) -> None:
    Quarantine(publisher).put("log", 3, 7, None, "x" * 1000)

    [(value, headers)] = publisher.sent
    assert value == b""
    assert headers == {
        "topic": "log",
        "partition": "3",
        "offset": "7",
        "reason": "x" * 500,
        "tombstone": "true",
    }


async def test_what_comes_faster_than_kafka_takes_it_is_counted_and_said_once_there_is_room(
    publisher: SlowPublisher, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "_COUNTED_S", 0)
    caplog.set_level(logging.WARNING)
    mono = iter(range(10**6))  # A second passes from one to the next: it is not the rate.
    aside = Quarantine(publisher, monotonic=lambda: float(next(mono)))
    for offset in range(MOST_WAITING + 300):
        aside.put("log", offset % 2, offset, b"bad", "not JSON")
    kept = len(publisher.sent)
    await publisher.take(0)
    before = len(publisher.sent)
    await publisher.take(1)
    await until(lambda: len(publisher.sent) == kept + 2, 0.001)

    assert kept == before == MOST_WAITING
    assert aside.count == {"log": MOST_WAITING + 300}
    assert aside.left_out == {"log": 300}
    said = [headers for _, headers in publisher.sent[kept:]]
    assert [(h["partition"], h["offset"], h["left_out"]) for h in said] == [
        ("0", str(MOST_WAITING), "150"),
        ("1", str(MOST_WAITING + 1), "150"),
    ]
    assert "150 refused messages from offset 5000 on are not kept here" in said[0]["reason"]
    assert any("they stand on log/0" in message for message in caplog.messages)
    await publisher.take(10)
    aside.put("log", 0, 9_999, b"bad", "not JSON")
    assert publisher.sent[-1][1]["offset"] == "9999"


async def test_a_flood_that_lasts_is_kept_at_a_rate_however_fast_kafka_takes_it(
    publisher: SlowPublisher,
) -> None:
    now = [0.0]
    aside = Quarantine(publisher, monotonic=lambda: now[0])

    def flood(size: int) -> int:
        before = len(publisher.sent)
        for offset in range(MOST_WAITING + 100):
            aside.put("log", 0, offset, b"x" * size, "not JSON")
        return len(publisher.sent) - before

    assert flood(1) == MOST_WAITING
    await publisher.take(MOST_WAITING)
    now[0] += 10
    assert flood(1) == 10 * EACH_SECOND
    await publisher.take(10 * EACH_SECOND)
    now[0] += 1000
    assert flood(1_000_000) == MOST_BYTES // KEPT_BYTES
    await publisher.take(MOST_BYTES // KEPT_BYTES)
    now[0] += 2
    assert flood(1_000_000) == 2 * BYTES_EACH_SECOND // KEPT_BYTES


async def test_of_a_large_message_a_part_is_kept_and_how_large_it_was(
    publisher: SlowPublisher,
) -> None:
    Quarantine(publisher).put("log", 0, 1, b"x" * 1_000_000, "not JSON")
    Quarantine(publisher, keeps_all=True).put("old", 0, 1, b"x" * 1_000_000, "not JSON")

    [(cut, headers), (whole, of_whole)] = publisher.sent
    assert (len(cut or b""), headers["bytes"]) == (KEPT_BYTES, "1000000")
    assert (len(whole or b""), "bytes" in of_whole) == (1_000_000, False)


def test_a_message_with_very_many_bad_entries_is_told_of_in_one_short_sentence() -> None:
    assert in_short(["not JSON"]) == "not JSON"
    sentence = in_short(["7 where an object belongs"] * 400_000)
    assert sentence == "7 where an object belongs (400000 entries of it)"
    assert in_short(["a", "b", "c", "d"]) == "a; b; c (4 entries of it)"


async def test_who_waits_for_all_of_it_has_all_of_it_kept(
    publisher: SlowPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_WAITING", 1)
    aside = Quarantine(publisher, keeps_all=True)
    for offset in range(3):
        aside.put("log", 0, offset, b"bad", "not JSON")

    assert len(publisher.sent) == 3
