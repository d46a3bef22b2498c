"""Which part of the ledgers is read: the clusters, the partitions, and from when on."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aiokafka.structs import TopicPartition

from cronstream.core.wire.naming import Names
from cronstream.topology.log_message import LogMessage, Spans
from cronstream.topology.publish import partition_of


class LogReader(Protocol):
    """What is needed of `cronstream.topology.reading.Reader`; see there."""

    @property
    def names(self) -> Names:
        """What the topics here are called."""

    async def topics(self) -> set[str]:
        """Return the names of all topics that are there."""

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions, or none if there is no such topic."""

    async def layout(self) -> dict[str, list[int]]:
        """Return all topics that are there, with the numbers of their partitions."""

    async def surplus(self) -> dict[str, tuple[int, int]]:
        """Return the topics that were given partitions: how many each has, and are in use."""

    async def kafka_id(self) -> str | None:
        """Return the id that this Kafka has given itself; None if it gives none."""

    async def spans(self, places: Iterable[TopicPartition], since: datetime | None) -> Spans:
        """Return from which offset on and up to which each partition is to be read."""

    def read_all(self, spans: Spans) -> AsyncIterator[LogMessage]:
        """Yield what is in each span, in order by partition."""

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the offset that its next message will have."""

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return up to where a group is done with each partition; without those it has not read."""

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the first offset that it still has."""

    async def offsets_at(
        self, topic: str, partitions: Iterable[int], moment: datetime
    ) -> dict[int, int]:
        """Return for each partition the offset of its first message from `moment` on."""

    def read(
        self, topic: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        """Yield the messages from `start` up to (not including) `end`, in order by partition."""

    def follow(self, places: dict[TopicPartition, int]) -> None:
        """From now on, `poll` reads these partitions, each from its offset."""

    async def poll(self, timeout_s: float) -> list[LogMessage]:
        """Return what has come on the partitions that are followed; nothing after `timeout_s`."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be read.

    Attributes:
        since: Only what was appended from then on (UTC); None for all that is retained.
        clusters: Only these; None for every cluster that has topics on the broker.
        job: Only this job, which is on one partition of each log; None for all.
        keep_output: Whether what the commands wrote is kept.
    """

    since: datetime | None = None
    clusters: frozenset[str] | None = None
    job: str | None = None
    keep_output: bool = True

    def includes(self, cluster: str) -> bool:
        """Whether this cluster is to be read."""
        return self.clusters is None or cluster in self.clusters


async def clusters(reader: LogReader) -> list[str]:
    """Return the names of the clusters that have their topics on the broker."""
    return reader.names.clusters(await reader.topics())


def places(
    layout: dict[str, list[int]], topics: Iterable[str], scope: Scope
) -> list[TopicPartition]:
    """Return the partitions of some topics that are to be read; none of those that are missing.

    With a job in the scope, that is its own partition only.
    """
    found = []
    for topic in topics:
        partitions = layout.get(topic, [])
        if scope.job is not None and partitions:
            partitions = [partition_of(scope.job, len(partitions))]
        found += [TopicPartition(topic, p) for p in partitions]
    return found


async def read_topics(
    reader: LogReader, topics: Iterable[str], scope: Scope
) -> AsyncIterator[LogMessage]:
    """Yield what is on some topics within the scope, up to their present ends.

    All are read at once: one after another they would take most of a second each.
    """
    wanted = places(await reader.layout(), topics, scope)
    async for message in read_spans(reader, await reader.spans(wanted, scope.since)):
        yield message


async def read_spans(reader: LogReader, spans: Spans) -> AsyncIterator[LogMessage]:
    """Yield what is in the spans, and do not touch the reader if that is nothing.

    A consumer whose assignment is emptied and that is stopped right after never ends: aiokafka's
    fetcher loses the cancellation while it waits for its last requests (aiokafka 0.14).
    """
    if any(start < end for start, end in spans.values()):
        async for message in reader.read_all(spans):
            yield message


async def read_between(
    reader: LogReader, topic: str, start: dict[int, int], end: dict[int, int]
) -> AsyncIterator[LogMessage]:
    """Yield the messages from `start` up to `end`; see `read_spans`."""
    if any(start[p] < end.get(p, 0) for p in start):
        async for message in reader.read(topic, start, end):
            yield message
