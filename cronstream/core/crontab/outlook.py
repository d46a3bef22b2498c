"""What a change of jobs means for their due times: which come, which go, which are moved.

``cronstream plan`` says so before a file is in force, and a scheduler when it puts one in force.
A job that the file disables has none. That a person has paused one makes no difference here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from cronstream.core.crontab.change import Change
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job
from cronstream.errors import ScheduleError

#: So many due times are worked out at most, once for each schedule: that takes a second or two.
MOST: Final = 200_000

_TICK: Final = timedelta(microseconds=1)

#: When something was due, and when it is due now; either is None where it comes, or goes.
_Pair: TypeAlias = tuple[datetime | None, datetime | None]


class Span(NamedTuple):
    """Which due times are compared: those from `start` up to and without `until`, in UTC.

    Attributes:
        look_ahead: So much longer a job that changes its cluster is due on its former one.
    """

    start: datetime
    until: datetime
    look_ahead: timedelta


class Shift(NamedTuple):
    """One due time that comes, goes or is moved.

    Attributes:
        before: When it was due; None for one that comes.
        after: When it is due now; None for one that goes.
    """

    job: Job
    before: datetime | None
    after: datetime | None

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``moved``."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "moved"

    @property
    def at(self) -> datetime:
        """The earlier of its times."""
        return _at((self.before, self.after))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of the due times of a span.

    Attributes:
        first: The earliest that are not as they were, no more than were asked for.
        unknown: Jobs whose due times were not worked out, for there are too many, or this version
            cannot read their schedule.
    """

    span: Span
    added: int = 0
    removed: int = 0
    moved: int = 0
    first: tuple[Shift, ...] = ()
    unknown: int = 0

    @property
    def total(self) -> int:
        """How many due times are known not to be as they were."""
        return self.added + self.removed + self.moved

    def __str__(self) -> str:
        """``2 added, 1 moved``; ``the same``; ``at least 1 added (3 jobs not counted)``."""
        counts = [(self.added, "added"), (self.moved, "moved"), (self.removed, "removed")]
        said = ", ".join(f"{number} {what}" for number, what in counts if number)
        if not self.unknown:
            return said or "the same"
        jobs = f"{self.unknown} job{'' if self.unknown == 1 else 's'} not counted"
        return f"at least {said} ({jobs})" if said else jobs


def outlook(change: Change, span: Span, *, keep: int = 0, most: int = MOST) -> Outlook:
    """Return what a change of jobs means for the due times of a span.

    Where as many of a job's due times come as go, they have been moved, one after another.

    Args:
        change: What is to be put in force at the beginning of the span.
        span: Which due times are compared.
        keep: How many of those that are not as they were are returned, the earliest first.
        most: How many due times are worked out, at most.
    """
    times, first, unknown = _Times(span, most), list[Shift](), 0
    added = removed = moved = 0
    for job, before, after in _pairs_of(change):
        found = times.compare(before, after)
        if found is None:
            unknown += 1
            continue
        added += found.added
        removed += found.removed
        moved += found.moved
        shifts = (Shift(job, *pair) for pair in found.pairs)
        first = _earliest(first, shifts, keep)
    return Outlook(span, added, removed, moved, tuple(first), unknown)


@dataclass(frozen=True, slots=True)
class _Found:
    """What differs in the due times of two schedules, in the order of time."""

    pairs: tuple[_Pair, ...] = ()
    added: int = 0
    removed: int = 0
    moved: int = 0


class _Times:
    """Due times of jobs; those with the same schedules share the arithmetic."""

    def __init__(self, span: Span, most: int) -> None:
        self._span, self._left = span, most
        self._due: dict[tuple[str, str, datetime], set[datetime]] = {}
        self._found: dict[tuple[object, ...], _Found] = {}

    def compare(self, before: Job | None, after: Job | None) -> _Found | None:
        """Return what differs for a job; None if that cannot be worked out."""
        if _timing(before) == _timing(after):
            return _Found()
        start = self._span.start
        if before and after and before.cluster != after.cluster:
            start += self._span.look_ahead
        key = (_timing(before), _timing(after), start)
        if key not in self._found:
            old, new = self._due_times(before, start), self._due_times(after, start)
            if old is None or new is None:
                return None
            self._found[key] = _differ(old, new)
        return self._found[key]

    def _due_times(self, job: Job | None, start: datetime) -> set[datetime] | None:
        if job is None or not job.enabled:
            return set()
        key = (job.schedule, job.timezone, start)
        if key not in self._due:
            try:
                schedule = compile_schedule(job.schedule, job.timezone)
            except ScheduleError:  # What is in force was put there by a version that knows more.
                return None
            dues = schedule.between(start - _TICK, self._span.until - _TICK)
            found = set(islice(dues, self._left + 1))
            if len(found) > self._left:
                self._left = 0
                return None
            self._left -= len(found)
            self._due[key] = found
        return self._due[key]


def _timing(job: Job | None) -> tuple[str, str] | None:
    """Return what the due times of a job follow from; None if it has none, as a disabled one."""
    return (job.schedule, job.timezone) if job is not None and job.enabled else None


def _differ(old: set[datetime], new: set[datetime]) -> _Found:
    gone, come = sorted(old - new), sorted(new - old)
    if len(gone) == len(come):
        return _Found(tuple(zip(gone, come, strict=True)), moved=len(gone))
    pairs: list[_Pair] = [(due, None) for due in gone] + [(None, due) for due in come]
    return _Found(tuple(sorted(pairs, key=_at)), added=len(come), removed=len(gone))


def _pairs_of(change: Change) -> Iterator[tuple[Job, Job | None, Job | None]]:
    """Yield each job as it is called now, with what it was and what it is."""
    for before, after in zip(change.before, change.changed, strict=True):
        yield after, before, after
    yield from ((job, None, job) for job in change.added)
    yield from ((job, job, None) for job in change.removed)


def _earliest(first: list[Shift], more: Iterator[Shift], keep: int) -> list[Shift]:
    """Return the earliest of those that were found and of more, both in the order of time."""
    if len(first) >= keep:
        if not first:
            return first
        last = first[-1].at
        more = takewhile(lambda shift: shift.at < last, more)
    found = list(islice(more, keep))
    return sorted([*first, *found], key=attrgetter("at"))[:keep] if found else first


def _at(pair: _Pair) -> datetime:
    return min(moment for moment in pair if moment is not None)
