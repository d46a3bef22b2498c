"""Overlap (rule 17): which due runs of a job begin, wait or are skipped, and which give way.

A job's policy is judged over its runs that have begun and have no verdict. The fold refuses a
claim by which two would begin at once; the owner of the partition decides the rest, when a run is
due and whenever something has changed for its job. Jobs that may overlap never come here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import chain
from typing import Final, TypeAlias

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.deadline import is_too_late, skip_of, start_by
from cronstream.core.ledger.state import LiveRun, State, at_once
from cronstream.core.wire.entries import Cancelled, Skipped
from cronstream.core.wire.enumerations import Overlap, SkipReason

#: A run that waits is looked at again when its time to start is over, not at its last moment.
_JUST_AFTER: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Begin:
    """The run is to be claimed and started at once."""

    run: str
    version: int


#: What the owner does about a run; each names the version that was judged.
Move: TypeAlias = Begin | Skipped | Cancelled


def moves(line: Sequence[LiveRun], begun: Sequence[LiveRun]) -> Iterator[Move]:
    """Yield what is to be done for one job; what follows from a beginning is judged after it.

    Args:
        line: Its runs that are due and have not begun, by due time, then offset.
        begun: Its runs that have begun, or are about to, and have no verdict.
    """
    replacing = [i for i, live in enumerate(line) if live.run.overlap is Overlap.REPLACE]
    waiting, taken = 0, len(begun)
    for i, live in enumerate(line):
        policy = live.run.overlap
        if policy is Overlap.REPLACE and i < replacing[-1]:
            yield _skipped(live)
        elif taken < at_once(live.run) and not waiting:
            yield Begin(live.run.id, live.version)
            taken += 1
        elif taken > len(begun):
            return
        elif policy is Overlap.SKIP or (policy is Overlap.QUEUE and waiting >= live.run.max_queue):
            yield _skipped(live)
        else:
            waiting += 1
    if replacing:
        yield from (
            Cancelled(run=x.run.id, version=x.version) for x in begun if may_be_cancelled(x)
        )


def may_be_cancelled(live: LiveRun) -> bool:
    """Whether a run can be asked to end: what is being decided ends, or goes on, by itself."""
    return live.begun and not live.cancelled and live.state is not State.DECIDING


def _skipped(live: LiveRun) -> Skipped:
    return Skipped(run=live.run.id, version=live.version, reason=SkipReason.OVERLAP)


@dataclass(slots=True)
class Lines:
    """What one assignment of a partition does about the lines of its jobs.

    Nothing is looked at but the jobs of which something has changed or become due.

    Attributes:
        book: It names the jobs that have to be judged, in `Book.stirred`.
    """

    book: Book
    #: What was asked of the log and not yet read back, by job: until then it is not judged again.
    _asked: dict[str, set[tuple[str, int | None]]] = field(default_factory=dict)
    #: When something in a line becomes due, and whose.
    _alarms: list[tuple[datetime, str]] = field(default_factory=list)

    def begin(self) -> None:
        """Look at every line once: the partition was assigned."""
        self.book.stirred.update(self.book.lines)

    def moves(self, now: datetime, room: int) -> Iterator[Move]:
        """Yield what is to be done now, once each until it is read back.

        Args:
            now: The time by this worker's clock.
            room: How many runs may begin at most.
        """
        stirred = self.book.stirred
        while self._alarms and self._alarms[0][0] <= now:
            stirred.add(heappop(self._alarms)[1])
        for job in sorted(stirred):
            if job in self._asked:
                continue  # It is stirred again when that is read.
            if room <= 0:
                return
            stirred.discard(job)
            for move in self._judge(job, now):
                room -= isinstance(move, Begin)
                yield move
                if room <= 0:
                    break  # The rest is judged once what was asked has been read back.
        stirred.clear()

    def _judge(self, job: str, now: datetime) -> Iterator[Move]:
        line = self.book.line(job)
        due = [live for live in line if live.run.not_before <= now]
        if len(due) < len(line):
            heappush(self._alarms, (line[len(due)].run.not_before, job))
        in_time = [live for live in due if not is_too_late(live, now)]
        late = (skip_of(live) for live in due if is_too_late(live, now))
        for move in chain(late, moves(in_time, self.book.begun_of(job)) if in_time else ()):
            self._asked.setdefault(job, set()).add((move.run, move.version))
            yield move
        ends = [until for live in in_time if (until := start_by(live.run)) is not None]
        if ends:
            heappush(self._alarms, (min(ends) + _JUST_AFTER, job))

    def answered(self, run: str, version: int | None) -> None:
        """An entry about a version of a run was read back, whether it was taken or refused."""
        if not self._asked:
            return
        job = run.partition("@")[0]
        asked = self._asked.get(job, set())
        asked.discard((run, version))
        if not asked and self._asked.pop(job, None) is not None:
            self.book.stirred.add(job)
