"""What a scheduler reaches the world through: real ones by default, fakes in tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import orjson

from cronstream import clock
from cronstream.core.crontab.parser import Crontab
from cronstream.core.wire.messages import Message
from cronstream.core.wire.naming import Names
from cronstream.core.wire.rights import Actor
from cronstream.crontab_file import Recall
from cronstream.crontab_watch import watch_crontab
from cronstream.errors import CrontabError
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.scheduler_counts import SchedulerCounts
from cronstream.scheduler.memory import DataFolder
from cronstream.settings import Settings
from cronstream.topology.changelog import Changelog
from cronstream.topology.jobs import Put, Rows
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.topology.reading import Reader
from cronstream.topology.rights import check_rights
from cronstream.topology.topics import TopicSpec, ensure_topics

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """The time: `cronstream.clock`, or one that a test moves."""

    def now(self) -> datetime:
        """Return the time (aware, UTC)."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps."""


class JobsReader(Protocol):
    """What is needed of `cronstream.topology.reading.Reader`."""

    @property
    def names(self) -> Names:
        """What the topics here are called."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the offset that its next message will have."""

    def read(
        self, topic: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        """Yield the messages from `start` up to `end`."""

    async def ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each of some topics that is there, where Kafka gives it."""

    async def unled(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bool]:
        """Return which partitions take nothing, and whether there is such a topic at all."""


class RunPublisher(Protocol):
    """What is needed of `cronstream.topology.publish.Publisher`."""

    @property
    def names(self) -> Names:
        """What the topics here are called."""

    def append(self, topic: str, partition: int, record: Message) -> "asyncio.Future[Ack]":
        """Put a record on a partition."""

    def append_all(
        self, topic: str, partition: int, records: Sequence[Message]
    ) -> "asyncio.Future[Ack]":
        """Put records on a partition, one after another: all or none are taken."""

    def publish(
        self, topic: str, key: str, record: Message, *, partitions: int | None = None
    ) -> "asyncio.Future[Ack]":
        """Put a record on the partition of its key."""

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> "asyncio.Future[Ack]":
        """Put bytes on a partition as they are: nothing is signed."""

    def bear_with(self, places: set[tuple[str, int]], by: str = "") -> None:
        """Say nothing of what waits for these partitions."""

    def give_up_on(self, topic: str) -> None:
        """Give up what waits for a topic."""


class Aside(Protocol):
    """What is needed of `cronstream.topology.quarantine.Quarantine`."""

    def put(
        self, topic: str, partition: int, offset: int, value: bytes | None, reason: str
    ) -> None:
        """Put a refused message aside."""


class Memory(Protocol):
    """What is needed of `cronstream.scheduler.memory.DataFolder`."""

    def knows(self, installation: str) -> bool:
        """Whether the crontab of this process has been in force in an installation."""

    def remember(self, installation: str) -> None:
        """Note that the crontab of this process belongs to an installation."""

    def recalls(self, mark: str) -> bool:
        """Whether a mark is the one that was noted last."""

    def note(self, mark: str) -> None:
        """Note a mark in place of the last."""


@dataclass(frozen=True, slots=True)
class World:
    """How a scheduler reads, publishes, declares topics, follows the crontab and remembers.

    Attributes:
        aside: Takes messages that cannot be read.
        rows: Returns what is kept of partitions of the ``jobs`` topic.
        keep: Keeps it.
        counts: Counts what is published, and what is read.
    """

    reader: Callable[[], JobsReader]
    publisher: RunPublisher
    aside: Aside
    declare: Callable[[list[TopicSpec]], Awaitable[None]]
    watch: Callable[[Path, "asyncio.Event", Recall], AsyncIterator[Crontab | CrontabError]]
    clock: Clock
    memory: Memory
    rows: Rows
    keep: Put
    counts: SchedulerCounts = field(default_factory=lambda: SchedulerCounts(Metrics()))


def real_world(
    settings: Settings, publisher: Publisher, changelog: Changelog, counts: SchedulerCounts
) -> World:
    """Return the world of a real scheduler."""

    async def declare(specs: list[TopicSpec]) -> None:
        clusters = settings.names.clusters(spec.name for spec in specs)
        await check_rights(settings, Actor.SCHEDULER, clusters)
        await ensure_topics(specs, settings)

    def keep(partition: int, row: bytes) -> None:
        changelog.put(settings.names.kept_jobs, partition, orjson.dumps(str(partition)), row)

    return World(
        lambda: Reader(settings),
        publisher,
        Quarantine(publisher),
        declare,
        watch_crontab,
        clock,
        DataFolder(settings),
        partial(changelog.read, settings.names.kept_jobs),
        keep,
        counts,
    )
