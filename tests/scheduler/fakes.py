"""A broker in a few lists, a clock that a test moves, and a stream like Faust's."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaConnectionError

from cronstream.core.crontab.parser import Crontab
from cronstream.core.wire.codec import decode_entries, encode
from cronstream.core.wire.entries import Level
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.messages import Message, Tick
from cronstream.core.wire.naming import Names
from cronstream.core.wire.pieces import LastRow
from cronstream.core.wire.runs import Job
from cronstream.crontab_file import Recall
from cronstream.errors import BrokerError, CrontabError
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.scheduler_counts import SchedulerCounts
from cronstream.scheduler import Scheduler
from cronstream.scheduler.world import World
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import Ack, partition_of
from cronstream.topology.topics import TopicSpec
from tests.builders import NAMES, NOON


class FakeClock:
    """Stands still until a test moves it; it may be wrong by `ahead` for who asks it."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.ahead = timedelta()

    def true(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def now(self) -> datetime:
        return self.true() + self.ahead

    def monotonic(self) -> float:
        return self.passed


class FakeBroker:
    """Topics as lists of messages; acknowledges at once unless it is held."""

    names = NAMES

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.topics: dict[tuple[str, int], list[LogMessage]] = defaultdict(list)
        self.records: list[tuple[str, Message]] = []
        self.held = False
        #: Topics that take nothing, and whether there is such a topic at all.
        self.silent: dict[str, bool] = {}
        #: Those of topics that were recreated.
        self.ids: dict[str, str] = {}
        self.is_away = False
        self.borne: set[tuple[str, int]] = set()
        #: Those that who hands over bears with.
        self.borne_too: set[tuple[str, int]] = set()
        self.given_up: list[str] = []
        self.too_large: set[str] = set()
        self._waiting: list[tuple[asyncio.Future[Ack], Ack]] = []
        self._unsent: list[tuple[asyncio.Future[Ack], str, int, Message]] = []

    def put(self, topic: str, partition: int, value: bytes | None) -> Ack:
        log = self.topics[topic, partition]
        offset, now = len(log), self.clock.true()
        log.append(LogMessage(topic, partition, offset, now, None, value))
        return Ack(partition, offset, now)

    def append(self, topic: str, partition: int, record: Message) -> asyncio.Future[Ack]:
        self._see_that_it_fits(record)
        done: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        if topic in self.silent:
            self._unsent.append((done, topic, partition, record))
            return done
        ack = self.put(topic, partition, encode(record))
        self.records.append((topic, record))
        if self.held:
            self._waiting.append((done, ack))
        else:
            done.set_result(ack)
        return done

    def append_all(
        self, topic: str, partition: int, records: Sequence[Message]
    ) -> asyncio.Future[Ack]:
        return [self.append(topic, partition, record) for record in records][-1]

    def publish(
        self, topic: str, key: str, record: Message, *, partitions: int | None = None
    ) -> asyncio.Future[Ack]:
        return self.append(topic, partition_of(key, partitions or 12), record)

    def _see_that_it_fits(self, record: Message) -> None:
        name = type(record).__name__
        if name in self.too_large:
            raise BrokerError(f"a {name} is larger than a message may be")

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> asyncio.Future[Ack]:
        assert headers == {}
        [record] = decode_entries(value)[0]
        return self.append(topic, partition, record)

    def bear_with(self, places: set[tuple[str, int]], by: str = "") -> None:
        if by:
            self.borne_too = places
        else:
            self.borne = places

    def give_up_on(self, topic: str) -> None:
        self.given_up.append(topic)
        for done, name, *_ in self._unsent:
            if name == topic:
                done.cancel()

    def speak(self, topic: str) -> None:
        """A topic takes again what it is sent, what is on its way first."""
        del self.silent[topic]
        for item in [item for item in self._unsent if item[1] == topic]:
            self._unsent.remove(item)
            done, _, partition, record = item
            done.set_result(self.put(topic, partition, encode(record)))
            self.records.append((topic, record))

    def release(self) -> None:
        self.held = False
        for done, ack in self._waiting:
            done.set_result(ack)
        self._waiting.clear()

    def acknowledge(self, count: int) -> None:
        """Say of so many records that they are there, while others are held."""
        for done, ack in self._waiting[:count]:
            done.set_result(ack)
        del self._waiting[:count]

    def give_up(self, error: Exception | None = None, count: int | None = None) -> None:
        for done, _ in self._waiting[:count]:
            if error is None:
                done.cancel()
            else:
                done.set_exception(error)
        del self._waiting[:count]

    def on(self, topic: str) -> list[Message]:
        """What a topic has, but for the level that is announced there."""
        return [record for record in self.all_on(topic) if not isinstance(record, Level)]

    def all_on(self, topic: str) -> list[Message]:
        return [record for name, record in self.records if name == topic]


@dataclass
class FakeReader:
    broker: FakeBroker
    failing: list[Exception] = field(default_factory=list)
    reads: int = 0
    looks: int = 0
    is_open: bool = False
    names: Names = NAMES

    async def start(self) -> None:
        self.is_open = True

    async def stop(self) -> None:
        self.is_open = False

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        self.looks += 1
        if self.failing:
            raise self.failing.pop(0)
        return {p: len(self.broker.topics[topic, p]) for p in partitions}

    async def unled(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bool]:
        return {key: self.broker.silent[key[0]] for key in places if key[0] in self.broker.silent}

    async def ids(self, topics: Iterable[str]) -> dict[str, str]:
        if self.broker.is_away:
            raise KafkaConnectionError
        there = (topic for topic in topics if topic not in self.broker.silent)
        return {topic: self.broker.ids.get(topic, "first") for topic in there}

    async def read(
        self, topic: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        for partition, first in start.items():
            for message in self.broker.topics[topic, partition][first : end[partition]]:
                self.reads += 1
                yield message


@dataclass
class FakeQuarantine:
    refused: list[tuple[str, int, int, str]] = field(default_factory=list)

    def put(
        self, topic: str, partition: int, offset: int, _value: bytes | None, reason: str
    ) -> None:
        self.refused.append((topic, partition, offset, reason))


@dataclass
class Event:
    message: LogMessage


class FakeStream:
    """Gives the messages that it is made of, as Faust's streams give events.

    Attributes:
        acked: Offsets that the group may go on from. Unless that is left to who reads, Faust counts
            a message as done whichever way its reader leaves it: also where it is cancelled.
    """

    def __init__(self, *messages: LogMessage) -> None:
        self._messages = messages
        self.acked: list[int] = []
        self._acks = True

    def noack(self) -> "FakeStream":
        self._acks = False
        return self

    async def ack(self, event: Event) -> None:
        self.acked.append(event.message.offset)

    async def events(self) -> AsyncIterator[Event]:
        for message in self._messages:
            try:
                yield Event(message)
            finally:
                if self._acks:
                    self.acked.append(message.offset)


@dataclass
class FakeMemory:
    """The data folder of one scheduler."""

    known: set[str] = field(default_factory=set)
    mark: str = ""

    def knows(self, installation: str) -> bool:
        return installation in self.known

    def remember(self, installation: str) -> None:
        self.known.add(installation)

    def recalls(self, mark: str) -> bool:
        return self.mark == mark

    def note(self, mark: str) -> None:
        self.mark = mark


class Bench:
    """A scheduler with everything around it fake; `declared` are the topics it asked for."""

    def __init__(self, **given: Any) -> None:
        self.settings = Settings(crontab=Path("crontab.yaml"), **given)
        self.clock = FakeClock()
        self.broker = FakeBroker(self.clock)
        self.quarantine = FakeQuarantine()
        self.cursors: dict[str, dict[str, Any]] = {}
        self.readers: list[FakeReader] = []
        self.declared: list[str] = []
        #: What is wrong with a topic that is declared.
        self.wrong: dict[str, Exception] = {}
        self.files: asyncio.Queue[Crontab | CrontabError | None] = asyncio.Queue()
        #: Whether a scheduler has asked for the file.
        self.has_watched = False
        self.memory = FakeMemory()
        #: What is kept of each partition of ``jobs``.
        self.kept: dict[int, bytes] = {}
        #: What the scheduler tells that was made last.
        self.metrics: Metrics
        self.counts: SchedulerCounts
        #: And what is around it.
        self.world: World
        self.scheduler = self.another(self.memory)

    def another(self, memory: FakeMemory | None = None) -> Scheduler:
        """Return one more scheduler of the installation, in a process of its own."""
        memory = memory or FakeMemory()
        self.metrics = Metrics()
        self.counts = SchedulerCounts(self.metrics)
        self.world = World(
            self._reader,
            self.broker,
            self.quarantine,
            self._declare,
            self._watch,
            self.clock,
            memory,
            self._rows,
            self.kept.__setitem__,
            self.counts,
        )
        scheduler = Scheduler(self.settings, self.cursors, self.world)
        scheduler.announcer.found = LEVEL  # So `jobs` says it already.
        return scheduler

    def define(self, *jobs: Job) -> None:
        for job in jobs:
            shard = partition_of(job.name, self.settings.shards)
            self.broker.put(NAMES.jobs, shard, encode(job))

    def define_together(self, *jobs: Job) -> None:
        """Put jobs in one message, as of very many go together."""
        self.broker.put(NAMES.jobs, 0, b"[" + b",".join(map(encode, jobs)) + b"]")

    async def tick(self, scheduler: Scheduler | None = None, shard: int = 0) -> None:
        """Let a second pass, and have the scheduler take its tick."""
        self.clock.passed += 1
        await self.fire(scheduler, shard)

    async def fire(self, scheduler: Scheduler | None = None, shard: int = 0) -> None:
        scheduler = scheduler or self.scheduler
        await scheduler.tick()
        await asyncio.sleep(0)
        value = encode(Tick(shard=shard, at=self.clock.now()))
        message = LogMessage(NAMES.ticks, shard, 0, self.clock.true(), None, value)
        await scheduler.fire(FakeStream(message))

    async def _rows(self, partitions: Iterable[int]) -> dict[int, LastRow]:
        return {p: LastRow(self.kept[p]) for p in partitions if p in self.kept}

    def _reader(self) -> FakeReader:
        self.readers.append(FakeReader(self.broker))
        return self.readers[-1]

    async def _declare(self, specs: list[TopicSpec]) -> None:
        for spec in specs:
            if spec.name in self.wrong:
                raise self.wrong[spec.name]
        self.declared += [spec.name for spec in specs]

    async def _watch(
        self, _path: Path, _stop: asyncio.Event, _recall: Recall
    ) -> AsyncIterator[Crontab | CrontabError]:
        self.has_watched = True
        while (found := await self.files.get()) is not None:
            yield found


def a_job(name: str = "backup", schedule: str = "@every 10s", **fields: Any) -> Job:
    """Return a job as it stands on the ``jobs`` topic, from noon on."""
    values = {"cluster": "a", "timezone": "UTC", "command": "true", "effective_from": NOON}
    return Job(name=name, schedule=schedule, **{**values, **fields})


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks and threads go on until the condition holds."""
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def turns(count: int = 20) -> None:
    """Let other tasks come to rest."""
    for _ in range(count):
        await asyncio.sleep(0)
