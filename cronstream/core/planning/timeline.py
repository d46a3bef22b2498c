"""The revisions of one job, and which of them each due time follows (rules 14 and 15)."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from cronstream.core.planning.pauses import TICK, told_with, untold_from
from cronstream.core.schedule.schedule import Schedule
from cronstream.core.wire.control import NEVER
from cronstream.core.wire.runs import Job

_FAR: Final = NEVER
#: No grace is longer, whatever a job says: it must fit the calendar.
_MAX_GRACE_S: Final = 10 * 366 * 86_400.0
_NEVER_WAS: Final = datetime.min.replace(tzinfo=UTC) + TICK

#: ``(schedule, moment) -> first due time strictly after it``, or None if there is none.
NextAfter: TypeAlias = Callable[[Schedule, datetime], datetime | None]


@dataclass(slots=True)
class Revision:
    """One definition of a job.

    Attributes:
        number: Offset of its message on the ``jobs`` topic.
        schedule: None for a removal, and for a schedule that cannot be read.
        stated_from: From when it holds, as its message says.
        holds_from: From when it really does; later if the job changes cluster.
        grace: A due time that is older than this when it is first seen has been missed.
        paused_to: Due times before it are skipped as paused; before all of them if there is no
            pause.
    """

    number: int
    job: Job
    schedule: Schedule | None
    stated_from: datetime
    holds_from: datetime = field(init=False)
    grace: timedelta = field(init=False)
    paused_to: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.holds_from = self.stated_from
        self.paused_to = self.job.paused_to or _NEVER_WAS
        self.grace = _grace(self.job.missed_grace_s)

    def next_due(self, after: datetime, next_after: NextAfter) -> datetime | None:
        """Return its first due time strictly after `after`, as if it held for ever."""
        if self.schedule is None:
            return None
        return next_after(self.schedule, max(after, self.holds_from - TICK))

    def told_at(self, due: datetime) -> datetime:
        """Return when it is said at the latest what becomes of a due time; paused, by the hour."""
        is_paused = self.holds_from <= due < self.paused_to
        return told_with(due, self.paused_to) if is_paused else due

    def next_told(self, after: datetime, end: datetime, next_after: NextAfter) -> "Told | None":
        """Return what is to be said of it next, once the cursor is at `after`.

        Args:
            after: The cursor.
            end: Of the span in which it holds (exclusive).
            next_after: Computes due times.
        """
        paused_to = min(self.paused_to, end)
        if self.holds_from < paused_to and after < paused_to - TICK:
            paused = self.paused(after, paused_to, next_after)
            if paused is not None:
                return paused
            after = paused_to - TICK
        due = self.next_due(max(after, self.paused_to - TICK), next_after)
        return Told(due, due, self, end) if due is not None and due < end else None

    def paused(self, at: datetime, paused_to: datetime, next_after: NextAfter) -> "Told | None":
        """Return the next due times before `paused_to` that are untold, with the cursor at `at`."""
        due = self.next_due(untold_from(self.holds_from, at) - TICK, next_after)
        if due is None or due >= paused_to:
            return None
        last = told_with(due, paused_to)
        return Told(last, due, self, paused_to, last)


class Told(NamedTuple):
    """One due time that is to be published, or several that are skipped as paused.

    Attributes:
        at: Where the cursor is then.
        due: The due time, or the first of them.
        end: Of the span in which the revision holds (exclusive).
        paused: The last moment of those that are skipped; None for one that is published.
    """

    at: datetime
    due: datetime
    revision: Revision
    end: datetime
    paused: datetime | None = None


@lru_cache(maxsize=256)
def _grace(seconds: float) -> timedelta:
    """Return a length of time that many revisions have in common: it is kept once."""
    return timedelta(seconds=min(seconds, _MAX_GRACE_S))


def spans(revisions: Iterable[Revision]) -> list[tuple[Revision, datetime]]:
    """Return each revision that holds for some time, with the end (exclusive) of its span.

    A due time follows the last revision that holds from there or before, as in the fold
    (rule 12): so a revision ends where any later one begins.
    """
    revisions = list(revisions)
    if len(revisions) == 1 and revisions[0].holds_from < _FAR:
        return [(revisions[0], _FAR)]  # As with most jobs.
    found = []
    end = _FAR
    for revision in sorted(revisions, key=lambda revision: revision.number, reverse=True):
        if revision.holds_from < end:
            found.append((revision, end))
            end = revision.holds_from
    return found[::-1]


class Timeline:
    """What a shard keeps of one job: its revisions as far back as the cursor needs them.

    Attributes:
        order: The job's place among the jobs of its shard, by first mention.
        version: Counts the changes, so that what was computed before one can be told apart.
        revisions: By number, oldest first; never empty.
    """

    __slots__ = ("order", "revisions", "version")

    def __init__(self, order: int, first: Revision) -> None:
        self.order = order
        self.version = 0
        self.revisions: tuple[Revision, ...] = (first,)

    def next_told(self, after: datetime, next_after: NextAfter) -> Told | None:
        """Return what is to be said of the job next, once the cursor is at `after`."""
        if len(self.revisions) == 1:
            return self.revisions[0].next_told(after, _FAR, next_after)
        for revision, end in spans(self.revisions):
            told = None if end <= after else revision.next_told(after, end, next_after)
            if told is not None:
                return told
        return None

    def next_due(self, after: datetime, next_after: NextAfter) -> datetime | None:
        """Return the job's first due time strictly after `after` that is not paused."""
        for revision, end in spans(self.revisions):
            since = max(after, revision.paused_to - TICK)
            due = revision.next_due(since, next_after) if since < end else None
            if due is not None and due < end:
                return due
        return None

    def ended_pauses(self, taken: int, at: datetime, next_after: NextAfter) -> Iterator[Told]:
        """Yield what is untold of pauses that revisions from number `taken` on have ended.

        Args:
            taken: Lower revisions were in force before.
            at: The cursor.
            next_after: Computes due times.
        """
        if all(revision.paused_to is _NEVER_WAS for revision in self.revisions):
            return
        before = {r.number: end for r, end in spans(r for r in self.revisions if r.number < taken)}
        for revision, end in spans(self.revisions):
            paused_to = min(revision.paused_to, end)
            lasted_to = min(revision.paused_to, before.get(revision.number, end))
            if paused_to - TICK <= at < lasted_to - TICK:
                told = revision.paused(at, paused_to, next_after)
                if told is not None:
                    yield told

    def due_again(
        self, taken: int, until: datetime, next_after: NextAfter
    ) -> Iterator[tuple[datetime, Revision]]:
        """Yield the due times up to `until` (inclusive) of the revisions from number `taken` on."""
        for revision, end in spans(self.revisions):
            if revision.number < taken:
                continue
            due = revision.next_due(revision.holds_from - TICK, next_after)
            while due is not None and due <= until and due < end:
                yield due, revision
                due = revision.next_due(due, next_after)

    def before(self, number: int) -> Revision | None:
        """Return the last revision below `number`."""
        if self.revisions[0].number >= number:
            return None
        place = bisect_left(self.revisions, number, key=lambda revision: revision.number)
        return self.revisions[place - 1] if place else None

    def clusters_at(self, revision: Revision) -> list[str]:
        """Return the cluster of a revision, after that of the one before it if that is another."""
        former, cluster = self.before(revision.number), revision.job.cluster
        before = cluster if former is None else former.job.cluster
        return list(dict.fromkeys([before, cluster]))

    def settle(self, at: datetime, taken: int) -> None:
        """Forget revisions whose span the cursor has passed; the last one in force is kept."""
        in_force = [r for r in self.revisions if r.number < taken]
        needed = {id(r) for r, end in spans(in_force) if end > at}
        kept = (r for r in self.revisions if r.number >= taken or id(r) in needed)
        self.revisions = tuple(kept)
