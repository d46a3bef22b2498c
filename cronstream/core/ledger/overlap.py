"""Overlap (rule 17): which due runs of a job begin, wait or are skipped, and which give way.

A job's policy is judged over its runs that have begun and have no verdict. The fold refuses a
claim by which two would begin at once; the owner of the partition decides the rest, when a run is
due and whenever something has changed for its job. Jobs that may overlap never come here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import TypeAlias

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.wire.entries import Cancelled, Skipped
from cronstream.core.wire.enumerations import Overlap, SkipReason


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
    waiting = 0
    for i, live in enumerate(line):
        policy = live.run.overlap
        if policy is Overlap.REPLACE and i < replacing[-1]:
            yield _skipped(live)
        elif not begun:
            yield Begin(live.run.id, live.version)
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
    """Whether a run can be told to end: what is being decided ends, or goes on, by itself."""
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
        stirred.clear()

    def _judge(self, job: str, now: datetime) -> Iterator[Move]:
        line = self.book.line(job)
        due = [live for live in line if live.run.not_before <= now]
        if len(due) < len(line):
            heappush(self._alarms, (line[len(due)].run.not_before, job))
        for move in moves(due, self.book.begun_of(job)) if due else ():
            self._asked.setdefault(job, set()).add((move.run, move.version))
            yield move

    def answered(self, run: str, version: int | None) -> None:
        """An entry about a version of a run was read back, whether it was taken or refused."""
        if not self._asked:
            return
        job = run.partition("@")[0]
        asked = self._asked.get(job, set())
        asked.discard((run, version))
        if not asked and self._asked.pop(job, None) is not None:
            self.book.stirred.add(job)
