"""Reads the ``jobs`` topic, from what is kept of it on: not all that ever stood there.

What is known of it is kept as rows of the schedulers' table of jobs, by whoever puts the crontab in
force, each time that as many revisions have come as there are jobs. A row that is missing, damaged,
newer, or of another topic that had the same name, costs time and nothing else: all is read then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final, Protocol, TypeAlias

import orjson

from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.planning.recent import Believes, Recent, Seen, believe_all, mark_of
from cronstream.core.planning.sharing import SharedValues, share_values
from cronstream.core.trust.judging import TRUSTED, Judgement, Standing
from cronstream.core.wire.control import Control
from cronstream.core.wire.decoded import Decoded
from cronstream.core.wire.job_messages import Definition
from cronstream.core.wire.naming import Names
from cronstream.core.wire.pieces import LastRow
from cronstream.core.wire.runs import Job
from cronstream.errors import CronstreamError, MessageError
from cronstream.logs import fields
from cronstream.topology.log_message import LogMessage

logger = logging.getLogger(__name__)

#: As many revisions at least are read again rather than kept once more.
KEEP_EVERY: Final = 1000
#: So many messages are read, or jobs taken into force, in one go: others have their turn then.
PART: Final = 5_000
#: No more jobs that do not count are reported, and contradicted, at a time.
MOST_DISBELIEVED: Final = 1000
#: Every so many messages, others get their turn, too.
TURN: Final = 500
#: Returns the row that is kept of each of some partitions.
Rows: TypeAlias = Callable[[Iterable[int]], Awaitable[dict[int, LastRow]]]
#: Puts the row of a partition where such rows are kept.
Put: TypeAlias = Callable[[int, bytes], None]


class JobsReader(Protocol):
    """What is needed of `cronstream.topology.reading.Reader`."""

    @property
    def names(self) -> Names:
        """What the topics here are called."""

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
        on_move: Is given the partition of each message.
    """

    def __init__(self, reader: JobsReader, rows: Rows, partitions: Iterable[int]) -> None:
        self.known = JobsKnown(partitions, self._takes)
        #: Has each message decoded once that is read here and by a shard.
        self.decoded = Decoded()
        #: Says what is thought of a job, or a control; another may be put here before it is read.
        self.judge: Callable[[Job | Control], Judgement] = lambda _: TRUSTED
        #: The last of each job that does not count, for it is not believed, by name.
        self.disbelieved: dict[str, Job] = {}
        self.on_disbelief: Callable[[], None] = lambda: None
        self.on_move: Callable[[int], None] = lambda _: None
        #: Returns what the crontab says of a job, while that is not in force yet.
        self.like: Callable[[str], Job | None] = lambda _: None
        #: Returns what the shard of a partition has learnt of a job last, if it is held here.
        self.also: Callable[[int, str], Definition | None] = lambda _, __: None
        self._reader, self._rows = reader, rows
        self._begun: set[int] = set()
        self._shared = SharedValues()
        self._kept_at = dict.fromkeys(self.known.of, 0)
        self._lock, self._begins_again = asyncio.Lock(), False
        self._read_by(self.known.of)

    def _read_by(self, of: Mapping[int, Recent]) -> None:
        """Have partitions read by what is known from here on."""
        for partition, recent in of.items():
            recent.decode = self.decoded.jobs_of
            self.known.of[partition] = recent

    def begin_again(self) -> None:
        """Read all of it again before the next answer: what did not count may count now."""
        self._begins_again = True

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
            if self._begins_again:
                self._begins_again = False
                self._read_by({p: Recent(self._takes) for p in self.known.of})
                self._begun.clear()
                self._kept_at = dict.fromkeys(self.known.of, 0)
            ends = await self._reader.ends(self._reader.names.jobs, list(self.known.of))
            await self._begin({p: end for p, end in ends.items() if p not in self._begun})
            seen = {partition: recent.seen for partition, recent in self.known.of.items()}
            parts = {p: min(end, seen[p].position + PART) for p, end in ends.items()}
            await read_on(self._reader, seen, parts, self._fold)
        return parts != ends

    def _fold(self, message: LogMessage) -> None:
        partition = message.partition
        also = partial(self.also, partition)
        self.known.of[partition].fold(message.offset, message.value, also)
        self.on_move(partition)

    def _takes(self, job: Job | Control) -> bool:
        """Whether a job counts, or a control; what a job has in common with others is kept once."""
        is_believed = self.believes(job)
        if is_believed and isinstance(job, Job):
            self._shared.keep_once(job)
            share_values(job, self.like(job.name))
        return is_believed

    def believes(self, job: Job | Control) -> bool:
        """Rule 21: what is not signed as it should be does not count, and is reported."""
        judged = self.judge(job)
        if judged.standing is Standing.TRUSTED:
            return True
        if isinstance(job, Control):
            about = fields("control-distrusted", reason=judged.reason)
            text = "what %s asks of %s on %s does not count: %s"
            what, topic = job.job or job.cluster, self._reader.names.jobs
            logger.error(text, job.by, what, topic, judged.why, extra=about)
            return False
        if self.disbelieved.get(job.name) == job:
            return False  # Another reader has reported it.
        if len(self.disbelieved) >= MOST_DISBELIEVED:
            return False  # Somebody floods the topic: the first of it are reported.
        self.disbelieved[job.name] = job
        about = fields("job-distrusted", job=job.name, reason=judged.reason)
        text = "a definition of job %s on %s does not count: %s"
        logger.error(text, job.name, self._reader.names.jobs, judged.why, extra=about)
        self.on_disbelief()
        return False

    async def _begin(self, ends: dict[int, int]) -> None:
        """Begin with what is kept, where there is more than is read as fast."""
        found = await kept(self._reader, self._rows, ends, self._takes)
        self._read_by(found)
        self._kept_at |= {partition: recent.position for partition, recent in found.items()}
        self._begun.update(ends)

    async def keep(self, put: Put) -> None:
        """Keep what is known of each partition of which much has come since that was done."""
        async with self._lock:
            for partition, recent in self.known.of.items():
                if recent.position - self._kept_at[partition] >= max(KEEP_EVERY, recent.jobs):
                    self._kept_at[partition] = recent.position
                    put(partition, await asyncio.to_thread(_bytes_of, recent))


async def kept(
    reader: JobsReader, rows: Rows, ends: Mapping[int, int], believes: Believes = believe_all
) -> dict[int, Recent]:
    """Return what is kept of partitions of ``jobs``, where that is of this topic, and worth it.

    Args:
        reader: Reads the topic.
        rows: Reads what is kept.
        ends: Where each partition ends.
        believes: Whether a job counts.
    """
    wanted = [partition for partition, end in ends.items() if end > KEEP_EVERY]
    found = {}
    for partition, row in (await rows(wanted) if wanted else {}).items():
        try:
            recent = await asyncio.to_thread(_recent_of, row, believes)
            await see_that_it_goes_on(reader, partition, recent.seen, ends[partition])
        except CronstreamError as error:
            text = "%s/%d: what is kept of its jobs is not used, and all of it is read (%s)"
            about = fields("row-unused", topic=reader.names.jobs, partition=partition)
            logger.info(text, reader.names.jobs, partition, error, extra=about)
        else:
            found[partition] = recent
    return found


async def read_on(
    reader: JobsReader,
    seen: Mapping[int, Seen],
    ends: Mapping[int, int],
    fold: Callable[[LogMessage], bool | None],
) -> None:
    """Have taken what has come on partitions of ``jobs`` since they were read.

    Whoever reads them does so by this, each for itself with a reader of its own: a partition that
    cannot be read now holds up nobody who needs another.

    Args:
        reader: Reads.
        seen: How far each was read.
        ends: Up to which offset each is read now.
        fold: Is given each message, in order by partition; returns True once that is enough.

    Raises:
        CronstreamError: If one is not the partition that was read before.
    """
    for partition, (position, _) in seen.items():
        _see_that_it_reaches(f"{reader.names.jobs}/{partition}", position, ends[partition])
    starts = {p: _from(place) for p, place in seen.items() if place.position < ends[p]}
    count, seen = 0, dict(seen)
    async for message in reader.read(reader.names.jobs, starts, dict(ends)):
        if message.offset < seen[message.partition].position:
            _see_that_it_is_the_same(message, seen[message.partition])
        elif fold(message):
            break
        count += 1
        if count % TURN == 0:
            await asyncio.sleep(0)


async def see_that_it_goes_on(reader: JobsReader, partition: int, seen: Seen, end: int) -> None:
    """See that a partition of ``jobs`` is the one that was read before.

    Raises:
        CronstreamError: If it is not.
    """
    _see_that_it_reaches(f"{reader.names.jobs}/{partition}", seen.position, end)
    last = {partition: _from(seen)}, {partition: seen.position}
    async for message in reader.read(reader.names.jobs, *last):
        _see_that_it_is_the_same(message, seen)


def _recent_of(row: LastRow, believes: Believes) -> Recent:
    first, *rest = row.lines()
    try:
        return Recent.from_row(orjson.loads(first), believes, map(orjson.loads, rest))
    except orjson.JSONDecodeError as error:
        raise MessageError(f"it is damaged: {error}") from error


def _bytes_of(recent: Recent) -> bytes:
    return b"\n".join(map(orjson.dumps, recent.to_rows()))


def _from(seen: Seen) -> int:
    """Return where to read from, so that the last message before is seen again if it is known."""
    return seen.position - bool(seen.mark)


def _see_that_it_reaches(place: str, position: int, end: int) -> None:
    if position > end:
        raise CronstreamError(
            f"{place} ends at {end}, though revisions below {position} were "
            f"taken from it: it was deleted and recreated, or has lost messages; {_REMEDY}"
        )


def _see_that_it_is_the_same(message: LogMessage, seen: Seen) -> None:
    if mark_of(message.value) != seen.mark:
        raise CronstreamError(
            f"{message.topic}/{message.partition} is not the topic that was read before: its "
            f"message {message.offset} is another, so it was deleted and recreated; {_REMEDY}"
        )


_REMEDY = (
    "nothing is published, for the ledgers would refuse it (see 'Topics that are gone' in "
    "docs/troubleshooting.md)"
)
