"""Whoever has enough for now breaks off reading and goes on later: nothing is lost or doubled."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition

from cronstream.core.planning.recent import Seen
from cronstream.errors import CronstreamError
from cronstream.settings import Settings
from cronstream.topology import reading
from cronstream.topology.jobs import read_on
from cronstream.topology.log_message import LogMessage
from cronstream.topology.reading import Reader

_RECORD = ConsumerRecord[None, bytes]


@dataclass
class Consumer:
    """Partitions as lists; gives some of what is there, and lets others have their turn first."""

    logs: dict[TopicPartition, list[bytes]]
    chance: random.Random
    at: dict[TopicPartition, int] = field(default_factory=dict)
    paused: set[TopicPartition] = field(default_factory=set)
    polls: int = 0

    def assign(self, places: list[TopicPartition]) -> None:
        self.at, self.paused = dict.fromkeys(places, 0), set()

    def assignment(self) -> set[TopicPartition]:
        return set(self.at)

    def pause(self, *places: TopicPartition) -> None:
        self.paused.update(places)

    def resume(self, *places: TopicPartition) -> None:
        assert self.at.keys() >= set(places)
        self.paused.difference_update(places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    async def position(self, place: TopicPartition) -> int:
        await self._others()
        return self.at[place]

    async def getmany(self, **_: object) -> dict[TopicPartition, list[_RECORD]]:
        await self._others()
        self.polls += 1
        found = {}
        for place in self.at.keys() - self.paused:
            begin = self.at[place]
            values = self.logs[place][begin : begin + self.chance.randint(0, 6)]
            found[place] = [_record(place, n, v) for n, v in enumerate(values, start=begin)]
            self.at[place] += len(values)
        await asyncio.sleep(0)
        return found

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self.logs[place]) for place in places}

    async def _others(self) -> None:
        for _ in range(self.chance.randint(0, 2)):
            await asyncio.sleep(0)


def _record(place: TopicPartition, offset: int, value: bytes) -> _RECORD:
    return ConsumerRecord(
        place.topic, place.partition, offset, 1000, 1, None, value, None, 0, len(value), ()
    )


def reader_of(consumer: Consumer) -> Reader:
    reader = Reader(Settings())
    reader._consumer = consumer
    return reader


async def some_of(reading_on: AsyncIterator[LogMessage], count: int) -> list[tuple[int, int]]:
    found = []
    async for message in reading_on:
        found.append((message.partition, message.offset))
        if len(found) == count:
            break
        await asyncio.sleep(0)
    return found


@pytest.mark.parametrize("seed", range(60))
async def test_whoever_breaks_off_wherever_gets_each_message_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    places = [TopicPartition(topic, partition) for topic in "ab" for partition in (0, 1)]
    logs = {place: [b"x"] * chance.randint(5, 40) for place in places}
    reader = reader_of(Consumer(logs, chance))
    seen = dict.fromkeys(places, 0)
    kept = []
    for _ in range(40):
        topic = chance.choice("ab")
        some = chance.sample([p for p in places if p.topic == topic], chance.choice((1, 1, 2)))
        start = {place.partition: max(0, seen[place] - 1) for place in some}
        end = {p.partition: chance.randint(start[p.partition], len(logs[p])) for p in some}
        count = chance.choice((1, 2, 5, 9, 99))
        going = reader.read(topic, dict(start), dict(end))
        kept.append(going)  # Who breaks off may be done away with later.
        found = await asyncio.wait_for(some_of(going, count), 5)
        if chance.random() < 0.5:
            kept.clear()
        for place in some:
            offsets = [offset for partition, offset in found if partition == place.partition]
            first = start[place.partition]
            assert offsets == [*range(first, first + len(offsets))]
            if len(found) < count:
                assert len(offsets) == end[place.partition] - first
            seen[place] = max(seen[place], first + len(offsets))


# -- the topic is another meanwhile ---------------------------------------------------------------

_NAME = Reader(Settings()).names.jobs
_PLACE = TopicPartition(_NAME, 0)


class Chance(random.Random):
    """Gives all there is, at once."""

    def randint(self, _a: int, b: int) -> int:
        return b


def a_log(name: str, count: int) -> list[bytes]:
    return [f"{name}{number}".encode() for number in range(count)]


async def read_jobs(reader: Reader, seen: Seen, end: int, enough: int = 99) -> tuple[Seen, str]:
    """Return how far ``jobs`` is read then, and the values of what came."""
    values = list[str]()

    def fold(message: LogMessage) -> bool:
        nonlocal seen
        seen = Seen.after(message.offset, message.value)
        values.append((message.value or b"").decode())
        return len(values) == enough

    await read_on(reader, {0: seen}, {0: end}, fold)
    return seen, " ".join(values)


async def test_another_topic_is_noticed_by_who_broke_off_at_the_last_message() -> None:
    consumer = Consumer({_PLACE: a_log("r", 5)}, Chance())
    reader = reader_of(consumer)
    seen, came = await read_jobs(reader, Seen(0), 5, enough=5)
    assert came == "r0 r1 r2 r3 r4"
    consumer.logs[_PLACE] = a_log("w", 7)
    with pytest.raises(CronstreamError, match="is not the topic that was read before"):
        await read_jobs(reader, seen, 7)


async def test_another_topic_is_noticed_by_who_broke_off_a_while_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = Consumer({_PLACE: a_log("r", 5)}, Chance())
    reader = reader_of(consumer)
    seen, came = await read_jobs(reader, Seen(0), 5, enough=2)
    assert came == "r0 r1"
    consumer.logs[_PLACE] = a_log("w", 7)
    monkeypatch.setattr(reading, "_FRESH_S", 0.0)
    with pytest.raises(CronstreamError, match="is not the topic that was read before"):
        await read_jobs(reader, seen, 7)


async def test_once_the_topic_is_restored_it_is_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    right = a_log("r", 5)
    consumer = Consumer({_PLACE: right}, Chance())
    reader = reader_of(consumer)
    seen, _ = await read_jobs(reader, Seen(0), 5)
    consumer.logs[_PLACE] = a_log("w", 7)
    with pytest.raises(CronstreamError, match="is not the topic that was read before"):
        await read_jobs(reader, seen, 7)
    consumer.logs[_PLACE] = [*right, b"r5"]
    monkeypatch.setattr(reading, "_FRESH_S", 0.0)
    assert (await read_jobs(reader, seen, 6))[1] == "r5"


async def test_who_goes_on_at_once_has_nothing_polled_again() -> None:
    consumer = Consumer({_PLACE: a_log("r", 6)}, Chance())
    reader = reader_of(consumer)
    seen, came = await read_jobs(reader, Seen(0), 6, enough=2)
    told = [came]
    for _ in range(2):
        seen, came = await read_jobs(reader, seen, 6, enough=2)
        told.append(came)
    assert told == ["r0 r1", "r2 r3", "r4 r5"]
    assert consumer.polls == 1
