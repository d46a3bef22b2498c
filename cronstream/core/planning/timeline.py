"""The revisions of one job, and which of them each due time follows (rules 14 and 15)."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from cronstream.core.schedule.schedule import Schedule
from cronstream.core.wire.runs import Job

#: The step from one moment to the next.
TICK: Final = timedelta(microseconds=1)
_FAR: Final = datetime.max.replace(tzinfo=UTC)
#: No grace is longer, whatever a job says: it must fit the calendar.
_MAX_GRACE_S: Final = 10 * 366 * 86_400.0

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
    """

    number: int
    job: Job
    schedule: Schedule | None
    stated_from: datetime
    holds_from: datetime = field(init=False)
    grace: timedelta = field(init=False)

    def __post_init__(self) -> None:
        self.holds_from = self.stated_from
        self.grace = timedelta(seconds=min(self.job.missed_grace_s, _MAX_GRACE_S))

    def next_due(self, after: datetime, next_after: NextAfter) -> datetime | None:
        """Return its first due time strictly after `after`, as if it held for ever."""
        if self.schedule is None:
            return None
        return next_after(self.schedule, max(after, self.holds_from - TICK))


def spans(revisions: Iterable[Revision]) -> list[tuple[Revision, datetime]]:
    """Return each revision that holds for some time, with the end (exclusive) of its span.

    A due time follows the last revision that holds from there or before, as in the fold
    (rule 12): so a revision ends where any later one begins.
    """
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
        revisions: By number, oldest first; never empty once it is in use.
    """

    __slots__ = ("order", "revisions", "version")

    def __init__(self, order: int) -> None:
        self.order = order
        self.version = 0
        self.revisions: list[Revision] = []

    def next_due(
        self, after: datetime, next_after: NextAfter
    ) -> tuple[datetime, Revision, datetime] | None:
        """Return the job's first due time strictly after `after`.

        With it come the revision that it follows and the end (exclusive) of that one's span.
        """
        if len(self.revisions) == 1:
            only = self.revisions[0]
            due = only.next_due(after, next_after)
            return None if due is None else (due, only, _FAR)
        for revision, end in spans(self.revisions):
            if end <= after:
                continue
            due = revision.next_due(after, next_after)
            if due is not None and due < end:
                return due, revision, end
        return None

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
        self.revisions = [r for r in self.revisions if r.number >= taken or id(r) in needed]
