"""What is refused is kept, as far as Kafka takes it as fast as it comes; the rest is counted."""

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime

import pytest

from cronstream.core.wire import naming
from cronstream.settings import Settings
from cronstream.topology import quarantine
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.quarantine import MOST_BYTES, MOST_WAITING, Quarantine


class SlowPublisher(Publisher):
    """Takes what it is given when it is told."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.sent: list[tuple[bytes | None, dict[str, str]]] = []
        self._out: deque[asyncio.Future[Ack]] = deque()

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> "asyncio.Future[Ack]":
        assert (topic, partition) == (naming.QUARANTINE, 0)
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


async def test_what_comes_faster_than_kafka_takes_it_is_counted_and_told_once_there_is_room(
    publisher: SlowPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    aside = Quarantine(publisher)
    for offset in range(MOST_WAITING + 300):
        aside.put("log", offset % 2, offset, b"bad", "not JSON")
    kept = len(publisher.sent)
    await publisher.take(kept // 2)
    before = len(publisher.sent)
    await publisher.take(1)

    assert kept == before == MOST_WAITING
    assert aside.count == {"log": MOST_WAITING + 300}
    assert aside.left_out == {"log": 300}
    told = [headers for _, headers in publisher.sent[kept:]]
    assert [(h["partition"], h["offset"], h["left_out"]) for h in told] == [
        ("0", str(MOST_WAITING), "150"),
        ("1", str(MOST_WAITING + 1), "150"),
    ]
    assert "150 refused messages from offset 5000 on are not kept here" in told[0]["reason"]
    assert any("they stand on log/0" in message for message in caplog.messages)
    aside.put("log", 0, 9_999, b"bad", "not JSON")
    assert publisher.sent[-1][1]["offset"] == "9999"


async def test_large_messages_are_bounded_by_their_size(publisher: SlowPublisher) -> None:
    aside = Quarantine(publisher)
    for offset in range(40):
        aside.put("log", 0, offset, b"x" * 1_000_000, "not JSON")

    assert len(publisher.sent) == MOST_BYTES // 1_000_000 + 1
    assert aside.left_out["log"] == 40 - len(publisher.sent)


async def test_who_waits_for_all_of_it_has_all_of_it_kept(
    publisher: SlowPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MOST_WAITING", 1)
    aside = Quarantine(publisher, keeps_all=True)
    for offset in range(3):
        aside.put("log", 0, offset, b"bad", "not JSON")

    assert len(publisher.sent) == 3
