"""Reads the ``jobs`` topic, from what is kept of it on: not all that ever stood there.

What is known of it is kept as rows of the schedulers' table of jobs, by whoever puts the crontab in
force, each time that as many revisions have come as there are jobs. A row that is missing, damaged,
newer, or of another topic that had the same name, costs time and nothing else: all is read then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Final, Protocol, TypeAlias

import orjson

from cronstream.core.planning.recent import JobsKnown, Recent, Seen, mark_of
from cronstream.core.wire import naming
from cronstream.core.wire.pieces import LastRow
from cronstream.errors import CronstreamError, MessageError
from cronstream.logs import fields
from cronstream.topology.reading import LogMessage

logger = logging.getLogger(__name__)

#: As many revisions at least are read again rather than kept once more.
KEEP_EVERY: Final = 1000

#: So many revisions are read, and taken into force, in one go: others have their turn then.
PART: Final = 5_000

#: Every so many messages, others get their turn, too.
TURN: Final = 500

#: Returns the row that is kept of each of some partitions.
Rows: TypeAlias = Callable[[Iterable[int]], Awaitable[dict[int, LastRow]]]
#: Puts the row of a partition where such rows are kept.
Put: TypeAlias = Callable[[int, bytes], None]


class JobsReader(Protocol):
    """What is needed of `cronstream.topology.reading.Reader`."""

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the offset that its next message will have."""

    def read(
        self, topic: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        """Yield the messages from `start` up to `end`."""


class JobsLog:
    """The ``jobs`` topic as one process has read it; several tasks may have it read on.

    Attributes:
        known: What it says, as far as it has been read.
        on_move: Is told the partition of each message.
    """

    def __init__(self, reader: JobsReader, rows: Rows, partitions: Iterable[int]) -> None:
        self.known = JobsKnown(partitions)
        self.on_move: Callable[[int], None] = lambda _: None
        self._reader, self._rows = reader, rows
        self._begun: set[int] = set()
        self._kept_at = dict.fromkeys(self.known.of, 0)
        self._lock = asyncio.Lock()

    async def read_on(self) -> JobsKnown:
        """Take in all that has come.

        Raises:
            CronstreamError: If it is no longer the topic that was read before.
        """
        while await self._read_part():
            pass
        return self.known

    async def read_to(self, partition: int, offset: int) -> Recent:
        """Take in what stands below an offset of a partition, and of what is beyond a part.

        Raises:
            CronstreamError: If it is no longer the topic that was read before.
        """
        while await self._read_part() and self.known.of[partition].position < offset:
            pass
        return self.known.of[partition]

    async def _read_part(self) -> bool:
        """Take in a part of what has come; return whether there is more.

        Whoever else wants the topic read has its turn between two parts.
        """
        async with self._lock:
            ends = await self._reader.ends(naming.JOBS, list(self.known.of))
            await self._begin({p: end for p, end in ends.items() if p not in self._begun})
            seen = {partition: recent.seen for partition, recent in self.known.of.items()}
            parts = {p: min(end, seen[p].position + PART) for p, end in ends.items()}
            await read_on(self._reader, seen, parts, self._take)
        return parts != ends

    def _take(self, message: LogMessage) -> None:
        self.known.of[message.partition].take(message.offset, message.value)
        self.on_move(message.partition)

    async def _begin(self, ends: dict[int, int]) -> None:
        """Begin with what is kept, where there is more than is read as fast."""
        for partition, recent in (await kept(self._reader, self._rows, ends)).items():
            self.known.of[partition] = recent
            self._kept_at[partition] = recent.position
        self._begun.update(ends)

    async def keep(self, put: Put) -> None:
        """Keep what is known of each partition of which much has come since that was done."""
        async with self._lock:
            for partition, recent in self.known.of.items():
                if recent.position - self._kept_at[partition] >= max(KEEP_EVERY, recent.jobs):
                    self._kept_at[partition] = recent.position
                    put(partition, await asyncio.to_thread(_bytes_of, recent))


async def kept(reader: JobsReader, rows: Rows, ends: Mapping[int, int]) -> dict[int, Recent]:
    """Return what is kept of partitions of ``jobs``, where that is of this topic, and worth it.

    Args:
        reader: Reads the topic.
        rows: Reads what is kept.
        ends: Where each partition ends.
    """
    wanted = [partition for partition, end in ends.items() if end > KEEP_EVERY]
    found = {}
    for partition, row in (await rows(wanted) if wanted else {}).items():
        try:
            recent = await asyncio.to_thread(_recent_of, row)
            await see_that_it_goes_on(reader, partition, recent.seen, ends[partition])
        except CronstreamError as error:
            what = "what is kept of its jobs is not used, and all of it is read"
            about = fields("row-unused", topic=naming.JOBS, partition=partition)
            logger.info("%s/%d: %s (%s)", naming.JOBS, partition, what, error, extra=about)
        else:
            found[partition] = recent
    return found


async def read_on(
    reader: JobsReader,
    seen: Mapping[int, Seen],
    ends: Mapping[int, int],
    take: Callable[[LogMessage], None],
) -> None:
    """Have taken what has come on partitions of ``jobs`` since they were read.

    Whoever reads them does so by this, each for itself with a reader of its own: a partition that
    cannot be read now holds up nobody who needs another.

    Args:
        reader: Reads.
        seen: How far each was read.
        ends: Up to which offset each is read now.
        take: Is given each message, in order by partition.

    Raises:
        CronstreamError: If one is not the partition that was read before.
    """
    for partition, (position, _) in seen.items():
        _see_that_it_reaches(partition, position, ends[partition])
    starts = {p: _from(place) for p, place in seen.items() if place.position < ends[p]}
    count, seen = 0, dict(seen)
    async for message in reader.read(naming.JOBS, starts, dict(ends)):
        if message.offset < seen[message.partition].position:
            _see_that_it_is_the_same(message, seen[message.partition])
            continue
        take(message)
        count += 1
        if count % TURN == 0:
            await asyncio.sleep(0)


async def see_that_it_goes_on(reader: JobsReader, partition: int, seen: Seen, end: int) -> None:
    """See that a partition of ``jobs`` is the one that was read before.

    Raises:
        CronstreamError: If it is not.
    """
    _see_that_it_reaches(partition, seen.position, end)
    last = {partition: _from(seen)}, {partition: seen.position}
    async for message in reader.read(naming.JOBS, *last):
        _see_that_it_is_the_same(message, seen)


def _recent_of(row: LastRow) -> Recent:
    try:
        found = orjson.loads(row.lines()[0])
    except orjson.JSONDecodeError as error:
        raise MessageError(f"it is damaged: {error}") from error
    return Recent.from_row(found)


def _bytes_of(recent: Recent) -> bytes:
    return orjson.dumps(recent.to_row())


def _from(seen: Seen) -> int:
    """Return where to read from, so that the last message before is seen again if it is known."""
    return seen.position - bool(seen.mark)


def _see_that_it_reaches(partition: int, position: int, end: int) -> None:
    if position > end:
        raise CronstreamError(
            f"{naming.JOBS}/{partition} ends at {end}, though revisions below {position} were "
            f"taken from it: it was deleted and recreated, or has lost messages; {_REMEDY}"
        )


def _see_that_it_is_the_same(message: LogMessage, seen: Seen) -> None:
    if mark_of(message.value) != seen.mark:
        raise CronstreamError(
            f"{naming.JOBS}/{message.partition} is not the topic that was read before: its message "
            f"{message.offset} is another, so it was deleted and recreated; {_REMEDY}"
        )


_REMEDY = (
    "nothing is published, for the ledgers would refuse it (see 'Topics that are gone' in "
    "docs/troubleshooting.md)"
)
