"""Follows every ledger: for the instant at which to strike, and for what became of the runs."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiokafka.structs import TopicPartition

from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.entries import Claimed, Entry, Started
from cronstream.history.log_story import Where
from cronstream.history.stories import Log, Stories
from cronstream.history.story import LogKind
from cronstream.topology.log_message import LogMessage
from cronstream.topology.reading import Reader

_POLL_S = 0.2
#: Stories that are kept: more than any run of chaos has.
_KEEP = 10_000_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """An entry that has just come on a ledger."""

    cluster: str
    is_retry: bool
    entry: Entry


class Ledgers:
    """All logs of some clusters, read as they grow.

    Attributes:
        stories: What has become of each run so far.
        borrowed: How many attempts were started under claims of workers that had borrowed them.
    """

    def __init__(self, reader: Reader, clusters: Sequence[str], partitions: int) -> None:
        self.stories = Stories(keep=_KEEP, keep_output=False)
        self.borrowed = 0
        self._borrowed: set[tuple[str, int, str]] = set()
        self._reader, self._partitions = reader, partitions
        self._logs = {
            topic(cluster): Log(cluster, kind, topic(cluster))
            for cluster in clusters
            for kind, topic in (
                (LogKind.FIRST, reader.names.log),
                (LogKind.RETRY, reader.names.retry_log),
            )
        }
        self._waiting: list[tuple[Callable[[Sighting], bool], asyncio.Future[Sighting]]] = []

    async def are_there(self) -> bool:
        """Whether every log has its topic."""
        return set(self._logs) <= await self._reader.topics()

    async def follow(self) -> None:
        """Read for ever, from the beginning on."""
        logs, partitions = self._logs, range(self._partitions)
        self._reader.follow({TopicPartition(topic, p): 0 for topic in logs for p in partitions})
        while True:
            for message in await self._reader.poll(_POLL_S):
                self._fold(message)

    async def see(self, wanted: Callable[[Sighting], bool], within_s: float) -> Sighting | None:
        """Return the first entry from now on that is wanted; None if none comes in time."""
        seen: asyncio.Future[Sighting] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, seen))
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await seen
        return None

    def _fold(self, message: LogMessage) -> None:
        log = self._logs[message.topic]
        entries, _ = decode_entries(message.value)
        if self._waiting:
            for entry in entries:
                self._show(Sighting(log.cluster, log.kind is LogKind.RETRY, entry))
        for entry in entries:
            self._count(entry)
        where = Where(message.topic, message.partition, message.offset, message.at)
        self.stories.fold(log, where, entries)

    def _count(self, entry: Entry) -> None:
        if isinstance(entry, Claimed) and entry.borrowed:
            self._borrowed.add((entry.run, entry.version, entry.worker))
        elif isinstance(entry, Started):
            claim = entry.run, entry.claim, entry.worker
            self.borrowed += claim in self._borrowed
            self._borrowed.discard(claim)

    def _show(self, sighting: Sighting) -> None:
        self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]
        for wanted, seen in self._waiting:
            if not seen.done() and wanted(sighting):
                seen.set_result(sighting)
