"""Reading up to an end that may be gone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import ConsumerRecord, TopicPartition

from cronstream.errors import BrokerError, TruncatedError
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.reading import Reader


class FakeConsumer:
    """A partition with so many messages from 0 on; once they are read, nothing comes.

    Attributes:
        answers: What becomes of each question for the end; after these it is the true one.
        polls: How often it was asked for messages.
    """

    def __init__(self, messages: int, *answers: int | Exception) -> None:
        self.messages, self.answers = messages, list(answers)
        self.at, self.polls = 0, 0
        self.places: set[TopicPartition] = set()
        self.paused: set[TopicPartition] = set()

    def assign(self, places: list[TopicPartition]) -> None:
        self.places, self.paused = set(places), set()

    def assignment(self) -> set[TopicPartition]:
        return self.places

    def pause(self, *places: TopicPartition) -> None:
        self.paused.update(places)

    def seek(self, _place: TopicPartition, offset: int) -> None:
        # What is out of range is read from the earliest on (auto_offset_reset).
        self.at = offset if offset <= self.messages else 0

    async def position(self, _place: TopicPartition) -> int:
        return self.at

    async def getmany(self, **_more: Any) -> dict[TopicPartition, list[Any]]:
        self.polls += 1
        came, self.at = range(self.at, self.messages), max(self.at, self.messages)
        place = TopicPartition("log", 0)
        return {place: [_record(offset) for offset in came]}

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        answer = self.answers.pop(0) if self.answers else self.messages
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(places, answer)


def _record(offset: int) -> Any:
    return ConsumerRecord("log", 0, offset, 1_000, 1, None, b"", None, 0, 0, ())


def read(consumer: FakeConsumer, start: int, end: int) -> AsyncIterator[LogMessage]:
    reader = Reader(Settings())
    reader._consumer = consumer
    return reader.read("log", {0: start}, {0: end})


async def test_what_is_there_is_read_up_to_the_end_without_a_question() -> None:
    consumer = FakeConsumer(7)

    assert [message.offset async for message in read(consumer, 2, 5)] == [2, 3, 4]
    assert consumer.polls == 1


async def test_once_all_is_read_nothing_more_is_fetched() -> None:
    consumer = FakeConsumer(5)
    read_so_far = read(consumer, 0, 5)
    assert [message.offset async for message in read_so_far] == [0, 1, 2, 3, 4]
    assert consumer.paused == consumer.places != set()


async def test_an_end_that_is_no_more_is_told_and_not_waited_for() -> None:
    with pytest.raises(TruncatedError, match="log/0 ends at 3, but went up to 5"):
        [message async for message in read(FakeConsumer(3), 0, 5)]


async def test_a_topic_that_was_created_anew_gives_none_of_its_new_messages_for_old_ones() -> None:
    assert await read_until_it_is_refused(FakeConsumer(3), 10, 20) == []


async def test_a_leader_that_does_not_answer_or_lags_behind_a_while_has_lost_nothing() -> None:
    consumer = FakeConsumer(3, KafkaTimeoutError(), 5)

    assert await read_until_it_is_refused(consumer, 0, 5) == [0, 1, 2]
    assert consumer.polls == 1 + 3 * 20


async def read_until_it_is_refused(consumer: FakeConsumer, start: int, end: int) -> list[int]:
    """Return the offsets that came before that."""
    messages, found = read(consumer, start, end), list[int]()
    try:
        while True:
            found.append((await anext(messages)).offset)
    except TruncatedError:
        return found


class FakeCluster:
    """What a broker says of its topics: how many partitions each has, and how many are led."""

    def __init__(self, counts: dict[str, int], led: int = 99) -> None:
        self.counts, self._client, self._led = counts, self, led

    def leader_for_partition(self, place: TopicPartition) -> int:
        return 1 if place.partition < self._led else -1

    async def fetch_all_metadata(self) -> "FakeCluster":
        return self

    def topics(self) -> set[str]:
        return set(self.counts)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.counts[topic])) if topic in self.counts else None


@pytest.mark.parametrize(
    ("counts", "topic", "expected"),
    [
        ({"cronstream.a": 24, "cronstream.a.retry": 24}, "cronstream.a", 24),
        ({"cronstream.a": 30, "cronstream.a.retry": 24}, "cronstream.a", 24),
        ({"cronstream.a": 30, "cronstream-a-ledgers-changelog": 24}, "cronstream.a", 24),
        ({"cronstream.a": 24, "cronstream.b": 12}, "cronstream.a", 24),
        ({"cronstream.jobs": 3, "cronstream.ticks": 1}, "cronstream.jobs", 1),
        ({"theirs": 5}, "theirs", 5),
        ({"cronstream.a.retry": 24}, "cronstream.a", 0),
    ],
)
async def test_partitions_that_somebody_has_added_are_not_in_use(
    counts: dict[str, int], topic: str, expected: int
) -> None:
    reader = Reader(Settings())
    reader._consumer = FakeCluster(counts)

    assert await reader.partitions(topic) == list(range(expected))
    assert (await reader.layout()).get(topic, []) == list(range(expected))


async def test_partitions_without_a_leader_are_told_from_topics_that_are_not_there() -> None:
    reader = Reader(Settings())
    reader._consumer = FakeCluster({"a": 3}, led=2)

    assert await reader.unled([("a", 1), ("a", 2), ("a", 3), ("b", 0)]) == {
        ("a", 2): True,
        ("a", 3): False,
        ("b", 0): False,
    }


async def test_a_number_that_was_set_says_how_many_are_in_use() -> None:
    reader = Reader(Settings(partitions=12))
    reader._consumer = FakeCluster({"cronstream.a": 24, "cronstream.a.retry": 24, "theirs": 24})

    assert len(await reader.partitions("cronstream.a")) == 12
    assert len(await reader.partitions("theirs")) == 24


async def test_a_reader_for_a_person_gives_up_within_seconds_when_no_broker_answers() -> None:
    consumer = FakeConsumer(3, KafkaTimeoutError())
    reader = Reader(Settings(), gives_up=True)
    reader._consumer = consumer
    with pytest.raises(BrokerError, match="Kafka has stopped answering"):
        [message async for message in reader.read("log", {0: 0}, {0: 5})]
    assert consumer.polls == 1 + 3


class EndingConsumer(FakeConsumer):
    """Its fetcher takes the end of what it cancels for its own, as aiokafka's does."""

    def __init__(self) -> None:
        super().__init__(0)
        self.is_closed, self._client = False, self

    async def stop(self) -> None:
        raise asyncio.CancelledError

    async def close(self) -> None:
        self.is_closed = True


async def test_a_consumer_that_stumbles_over_its_own_tasks_is_stopped_all_the_same() -> None:
    consumer = EndingConsumer()
    reader = Reader(Settings())
    reader._consumer = consumer

    await reader.stop()

    assert consumer.is_closed
