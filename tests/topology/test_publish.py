"""Durable publishing: order, batches, and what happens when the broker does not take it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.wire.codec import decode, encode
from cronstream.core.wire.entries import Finished, Heartbeat, Withdrawal
from cronstream.core.wire.runs import Discarded
from cronstream.core.wire.sizes import MAX_RECORD_BYTES
from cronstream.errors import BrokerError, TooLargeError
from cronstream.settings import Settings
from cronstream.topology import log_writer, outgoing, publish
from cronstream.topology.publish import Publisher, partition_of
from tests.builders import NOON, a_run
from tests.ledger_builders import finished


@dataclass
class Sent:
    offset: int
    timestamp: int = 1_000


@dataclass
class FakeProducer:
    """Takes messages when it is let; fails as often as it is sent."""

    fail: int = 0
    error: Exception = field(default_factory=KafkaConnectionError)
    taken: list[dict[str, Any]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    #: The largest message that the broker takes.
    most: int = 1_048_588

    async def send_and_wait(self, topic: str, value: bytes, **more: Any) -> Sent:
        await self.open.wait()
        if len(value or b"") > self.most:
            raise MessageSizeTooLargeError
        if self.fail:
            self.fail -= 1
            raise self.error
        self.taken.append({"topic": topic, "value": value, **more})
        return Sent(len(self.taken) - 1)

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@pytest.fixture
async def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
async def publisher(producer: FakeProducer, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    async def start(*_: Any) -> FakeProducer:
        return producer

    monkeypatch.setattr(publish, "start_producer", start)
    monkeypatch.setattr(log_writer, "_RETRY_PAUSE_S", 0)
    made = Publisher(Settings(partitions=4))
    await made.start()
    return made


def _beat(number: int) -> Heartbeat:
    return Heartbeat(worker="w1", number=number)


def _numbers(value: bytes) -> list[int]:
    parsed = orjson.loads(value)
    return [item["number"] for item in (parsed if isinstance(parsed, list) else [parsed])]


async def test_what_comes_while_a_message_is_under_way_goes_together_in_the_next(
    publisher: Publisher, producer: FakeProducer
) -> None:
    futures = [publisher.append("log", 0, _beat(0))]
    await asyncio.sleep(0)
    futures += [publisher.append("log", 0, _beat(n)) for n in (1, 2, 3)]
    producer.open.set()

    acks = await asyncio.gather(*futures)

    assert [_numbers(sent["value"]) for sent in producer.taken] == [[0], [1, 2, 3]]
    assert [ack.offset for ack in acks] == [0, 1, 1, 1]
    assert publisher.idle


async def test_what_is_put_there_together_is_through_once_the_last_of_it_is(
    publisher: Publisher, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "MAX_BATCH_ENTRIES", 2)
    done = publisher.append_all("log", 0, [_beat(n) for n in range(5)])
    other = publisher.append("log", 0, _beat(5))
    producer.open.set()

    assert (await done).offset == 2
    assert (await other).offset == 2
    assert [_numbers(sent["value"]) for sent in producer.taken] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("together", [True, False])
async def test_what_goes_together_stays_below_what_a_message_may_have(
    publisher: Publisher, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    one = len(encode(_beat(1)))
    monkeypatch.setattr(outgoing, "MAX_BATCH_BYTES", 3 * one + 2)
    first = publisher.append("log", 0, _beat(1))
    await asyncio.sleep(0)
    beats = [_beat(n) for n in range(2, 9)]
    if together:
        futures = [first, publisher.append_all("log", 0, beats)]
    else:
        futures = [first, *(publisher.append("log", 0, beat) for beat in beats)]
    producer.open.set()
    await asyncio.gather(*futures)
    numbers = [_numbers(sent["value"]) for sent in producer.taken]
    assert numbers == [[1], [2, 3, 4], [5, 6, 7], [8]]
    assert publisher.oldest is None


async def test_of_what_is_put_there_together_all_is_refused_or_none(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.open.set()
    too_large = Heartbeat(worker="w" * MAX_RECORD_BYTES, number=1)
    with pytest.raises(TooLargeError):
        await publisher.append_all("log", 0, [_beat(0), too_large])
    assert publisher.idle

    producer.fail, producer.error = 1, AssertionError("no")
    with pytest.raises(BrokerError, match="cannot be sent"):
        await publisher.append_all("log", 0, [_beat(2), _beat(3)])


async def test_after_a_failure_the_same_message_is_tried_again_before_what_is_behind_it(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.fail = 3
    producer.open.set()
    first = publisher.append("log", 0, _beat(0))
    await asyncio.sleep(0)
    second = publisher.append("log", 0, _beat(1))

    await asyncio.gather(first, second)

    assert [_numbers(sent["value"]) for sent in producer.taken] == [[0], [1]]


async def test_what_cannot_be_sent_at_all_is_told_and_holds_up_nothing(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.fail, producer.error = 1, AssertionError("no")
    producer.open.set()
    first = publisher.append("log", 0, _beat(0))
    await asyncio.sleep(0)
    second = publisher.append("log", 0, _beat(1))

    with pytest.raises(BrokerError, match="cannot be sent"):
        await first
    assert (await second).offset == 0


async def test_what_nobody_waits_for_is_tried_until_it_is_through_whatever_went_wrong(
    publisher: Publisher, producer: FakeProducer, caplog: pytest.LogCaptureFixture
) -> None:
    producer.fail, producer.error = 3, AssertionError("Unrecognized partition")
    producer.open.set()
    publisher.put("log", 0, _beat(0))
    await asyncio.sleep(0)
    publisher.put("log", 0, _beat(1))

    assert await publisher.flush(1)
    assert [_numbers(sent["value"]) for sent in producer.taken] == [[0], [1]]
    why = "(AssertionError: Unrecognized partition)"
    assert caplog.messages == [f"log/0: not acknowledged {why}; trying again"]


async def test_a_failure_that_does_not_end_shows_in_what_health_is_judged_by(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.fail, producer.error = 1_000_000, AssertionError("no")
    producer.open.set()
    publisher.put("log", 0, _beat(0))

    async with asyncio.timeout(5):
        while (writer := publisher.oldest) is None or writer.failures < 20:  # noqa: ASYNC110 - the producer tells nobody
            await asyncio.sleep(0)
    await publisher.stop()


async def test_who_waits_is_not_told_of_a_failure_that_what_nobody_waits_for_outlives(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.fail, producer.error = 1, AssertionError("no")
    first = publisher.append("log", 0, _beat(0))
    await asyncio.sleep(0)
    publisher.put("log", 0, _beat(1))
    together = publisher.append("log", 0, _beat(2))
    producer.open.set()
    with pytest.raises(BrokerError):
        await first
    producer.fail = 1

    assert (await together).offset == 0
    assert [_numbers(sent["value"]) for sent in producer.taken] == [[1, 2]]


async def test_partitions_do_not_wait_for_each_other(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.open.set()
    await asyncio.gather(publisher.append("log", 0, _beat(0)), publisher.append("log", 1, _beat(1)))

    assert sorted(sent["partition"] for sent in producer.taken) == [0, 1]


async def test_a_message_has_its_jobs_key_unless_several_jobs_share_it(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.open.set()
    await publisher.append("log", 0, a_run(job="backup"))
    backup = Withdrawal(job="backup", revision=2, effective_from=NOON)
    report = Withdrawal(job="report", revision=3, effective_from=NOON)
    await asyncio.gather(publisher.append("log", 0, backup), publisher.append("log", 0, report))

    assert [sent["key"] for sent in producer.taken] == [b"backup", None]


async def test_a_record_that_no_message_can_hold_is_refused_before_it_is_sent(
    publisher: Publisher,
) -> None:
    with pytest.raises(BrokerError, match="shorten its command"):
        publisher.put("log", 0, a_run(command="x" * 1_000_000))


async def test_a_run_that_begins_leaves_room_for_what_it_says_of_its_attempts(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.open.set()
    with pytest.raises(TooLargeError, match=r"larger than a message may be \(900,000\)"):
        publisher.put("log", 0, a_run(command="x" * 900_000))

    await publisher.append("log", 0, a_run(command="x" * 900_000, attempt=2))


async def test_an_end_that_no_message_can_hold_is_sent_with_less_output(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.open.set()
    publisher.put("log", 0, finished(a_run(), 7, head="\x01" * 250_000))

    assert await publisher.flush(1)
    [sent] = producer.taken
    assert len(sent["value"]) <= MAX_RECORD_BYTES
    assert decode(sent["value"], Finished).omitted > 0


async def test_what_is_too_large_for_the_broker_together_is_sent_one_by_one(
    publisher: Publisher, producer: FakeProducer
) -> None:
    futures = [publisher.append("log", 0, _beat(0))]
    await asyncio.sleep(0)
    futures += [publisher.append("log", 0, _beat(n)) for n in (1, 2, 3)]
    producer.most = 130
    producer.open.set()

    await asyncio.gather(*futures)

    assert [_numbers(sent["value"]) for sent in producer.taken] == [[0], [1], [2], [3]]


async def test_what_was_put_there_together_and_is_too_large_is_through_once_each_of_it_is(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.most = 130
    done = publisher.append_all("log", 0, [_beat(n) for n in range(3)])
    other = publisher.append("log", 0, _beat(3))
    producer.open.set()

    assert (await done).offset == 2
    assert (await other).offset == 3
    assert [_numbers(sent["value"]) for sent in producer.taken] == [[0], [1], [2], [3]]


async def test_an_end_that_is_too_large_for_the_broker_holds_up_nothing(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.most = 5_000
    producer.open.set()
    publisher.put("log", 0, finished(a_run(), 7, head="a" * 40_000, tail="b" * 40_000))
    behind = publisher.append("log", 0, _beat(1))

    await behind

    end = decode(producer.taken[0]["value"], Finished)
    assert end.head.startswith("aaa")
    assert end.tail.endswith("bbb")
    assert len(end.head) + end.omitted + len(end.tail) == 80_000


async def test_what_is_too_large_for_the_broker_whatever_is_left_out_is_told_to_who_waits(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.most = 5_000
    producer.open.set()
    too_large = publisher.append("log", 0, a_run(command="x" * 10_000))
    raw = publisher.put_raw("log", 0, b"x" * 10_000, {})
    behind = publisher.append("log", 0, _beat(1))

    with pytest.raises(TooLargeError, match=r"log takes no message of 10,1\d\d bytes"):
        await too_large
    with pytest.raises(TooLargeError):
        await raw
    await behind


async def test_what_nobody_waits_for_is_kept_until_the_broker_takes_it(
    publisher: Publisher, producer: FakeProducer
) -> None:
    producer.most = 10
    producer.open.set()
    publisher.put("log", 0, _beat(1))
    while (writer := publisher.oldest) is None or not writer.failures:  # noqa: ASYNC110 - the producer tells nobody
        await asyncio.sleep(0)
    producer.most = 1_000

    assert await publisher.flush(1)
    assert [_numbers(sent["value"]) for sent in producer.taken] == [[1]]


async def test_raw_bytes_have_a_message_of_their_own(
    publisher: Publisher, producer: FakeProducer
) -> None:
    futures = [publisher.put_raw("q", 0, b"\xff", {"reason": "bad"})]
    futures += [publisher.put_raw("q", 0, None, {}), publisher.append("q", 0, _beat(0))]
    producer.open.set()
    await asyncio.gather(*futures)

    assert [sent["value"] for sent in producer.taken[:2]] == [b"\xff", None]
    assert _numbers(producer.taken[2]["value"]) == [0]
    assert producer.taken[0]["headers"] == [("reason", b"bad")]


async def test_discarded_runs_have_a_message_each_since_readers_take_one_at_a_time(
    publisher: Publisher, producer: FakeProducer
) -> None:
    gone = [
        Discarded(run=a_run(job=f"job-{n}"), reason="failed", discarded_at=NOON) for n in range(3)
    ]
    futures = [publisher.append("discarded", 0, record) for record in gone]
    producer.open.set()
    await asyncio.gather(*futures)

    assert [decode(sent["value"], Discarded).run.job for sent in producer.taken] == [
        "job-0",
        "job-1",
        "job-2",
    ]


async def test_flush_says_whether_everything_was_taken_in_time(
    publisher: Publisher, producer: FakeProducer
) -> None:
    publisher.put("log", 0, _beat(0))
    assert not await publisher.flush(0.01)

    producer.open.set()
    assert await publisher.flush(1)


async def test_what_was_not_taken_is_given_up_at_the_end(publisher: Publisher) -> None:
    waiting = publisher.append("log", 0, _beat(0))
    await asyncio.sleep(0)
    behind = publisher.append("log", 0, _beat(1))

    await publisher.stop()

    await asyncio.sleep(0)
    assert behind.cancelled()
    assert waiting.cancelled()


async def test_what_waits_for_a_partition_that_takes_nothing_says_nothing_of_the_process(
    publisher: Publisher, producer: FakeProducer
) -> None:
    publisher.put("log", 0, _beat(0))
    gone = publisher.append("log", 1, _beat(1))
    publisher.bear_with({("log", 0), ("log", 1)})
    all_borne = publisher.oldest
    publisher.bear_with({("log", 1)})
    publisher.bear_with({("log", 0)}, by="another")
    borne_by_two = publisher.oldest
    publisher.bear_with(set(), by="another")
    one_borne = publisher.oldest
    publisher.give_up_on("log")
    await asyncio.sleep(0)
    producer.open.set()
    await publisher.append("log", 1, _beat(2))
    assert all_borne is None
    assert borne_by_two is None
    assert one_borne is not None
    assert gone.cancelled()
    assert [_numbers(item["value"]) for item in producer.taken] == [[2]]


async def test_the_oldest_message_that_waits_is_known_and_how_often_it_failed(
    publisher: Publisher, producer: FakeProducer
) -> None:
    nobody = publisher.oldest
    first = publisher.append("log", 0, _beat(0))
    writer = publisher.oldest
    assert writer is not None
    since = writer.waiting_since
    publisher.put("log", 1, _beat(1))
    publisher.put("log", 0, _beat(2))
    await asyncio.sleep(0)
    oldest = publisher.oldest

    producer.fail = 3
    producer.open.set()
    while writer.failures < 1:  # noqa: ASYNC110 - the producer tells nobody
        await asyncio.sleep(0)
    await first

    assert nobody is None
    assert oldest is writer
    assert writer.waiting_since in {since, None}
    assert await publisher.flush(1)
    assert publisher.oldest is None


async def test_a_long_queue_that_moves_on_says_nothing_of_the_broker(
    publisher: Publisher, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, turns = producer.send_and_wait, asyncio.Semaphore(0)

    async def in_turn(*given: Any, **more: Any) -> Sent:
        await turns.acquire()
        return await send(*given, **more)

    monkeypatch.setattr(producer, "send_and_wait", in_turn)
    producer.open.set()
    first, second = (publisher.put_raw("log", 0, b"x", {}) for _ in range(2))
    writer = publisher.oldest
    assert writer is not None
    put_at = writer.waiting_since
    turns.release()
    await first
    moved_at = writer.waiting_since
    turns.release()
    await second

    assert put_at is not None
    assert moved_at is not None
    assert moved_at > put_at


def test_a_key_has_the_partition_that_kafkas_own_clients_give_it() -> None:
    # From Kafka's UtilsTest: murmur2("foobar") = -790332482, murmur2("21") = -973932308.
    assert partition_of("foobar", 1 << 31) == (-790332482) & 0x7FFFFFFF
    assert partition_of("21", 1 << 31) == (-973932308) & 0x7FFFFFFF


@given(st.text(max_size=40), st.integers(1, 1000))
def test_a_key_goes_to_the_partition_that_aiokafka_would_choose(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


async def test_who_wants_to_know_is_told_each_message_that_is_through_and_what_it_says(
    publisher: Publisher, producer: FakeProducer
) -> None:
    noted: list[tuple[bytes, list[Any]]] = []
    publisher.notes["log"] = lambda raw, records: noted.append((raw, records))
    futures = [publisher.append("log", 0, _beat(0))]
    await asyncio.sleep(0)
    futures += [publisher.append("log", 0, _beat(1)), publisher.append("other", 0, _beat(2))]
    assert noted == []
    producer.open.set()
    await asyncio.gather(*futures)
    sent = [each["value"] for each in producer.taken if each["topic"] == "log"]
    assert noted == [(sent[0], [_beat(0)]), (sent[1], [_beat(1)])]
