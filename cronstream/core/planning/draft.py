"""A plan in the making: what is due, as runs or as skips of what has been missed."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from cronstream.core.planning.controls import is_lifted
from cronstream.core.planning.making import made_up, run_of
from cronstream.core.planning.pace import Course, Pace
from cronstream.core.planning.timeline import Revision, Timeline, Told
from cronstream.core.schedule.schedule import Schedule
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.enumerations import Missed, SkipReason
from cronstream.core.wire.runs import Run

Planned: TypeAlias = tuple[str, Run | Skip | Withdrawal]


class _Skipped:
    """Due times of one revision, one after another, that are skipped for one reason."""

    __slots__ = ("count", "from_at", "reason", "revision", "to_at")

    def __init__(self, revision: Revision, reason: SkipReason, from_at: datetime) -> None:
        self.revision, self.reason = revision, reason
        self.from_at = self.to_at = from_at
        self.count = 0

    def skip(self) -> Skip:
        return Skip(
            job=self.revision.job.name,
            revision=self.revision.number,
            reason=self.reason,
            from_at=self.from_at,
            to_at=self.to_at,
            count=self.count,
        )


class _Due(NamedTuple):
    """A due time that is run; if it was missed, no sooner than its turn comes."""

    revision: Revision
    start_at: datetime | None = None


class _Leap(NamedTuple):
    """Due times that were all missed: the last of them, how many, and the last but one."""

    last: datetime
    times: int
    before: datetime


class Draft:
    """Collects due times; each job's come in ascending order.

    Args:
        now: By which it is judged what has been missed (UTC).
        behind_since: Up to when all had been published, before what may be late now.
        course: How far a catch-up has come before.

    Attributes:
        now: The same.
        count: How many due times have been added one by one.
    """

    def __init__(self, now: datetime, behind_since: datetime, course: Course | None = None) -> None:
        self.now = now
        self.count = 0
        self._since = (course and course.since) or behind_since
        self._pace = Pace(now, course)
        self._withdrawals: list[Planned] = []
        self._due: list[tuple[datetime, int, _Due | _Skipped]] = []
        self._skipped: dict[int, _Skipped] = {}
        #: The last question that was asked of each schedule, and its answer.
        self._next: dict[int, tuple[datetime, datetime | None]] = {}
        self._leaps: dict[tuple[int, datetime, datetime], _Leap] = {}
        self._first: dict[int, datetime | None] = {}

    def next_after(self, schedule: Schedule, moment: datetime) -> datetime | None:
        """Return a schedule's next due time; jobs that share it share the arithmetic."""
        asked = self._next.get(id(schedule))
        if asked is not None and asked[0] <= moment and (asked[1] is None or moment < asked[1]):
            return asked[1]
        due = schedule.next_after(moment)
        self._next[id(schedule)] = moment, due
        return due

    def withdraw(
        self, revision: Revision, former: Revision | None, clusters: Iterable[str]
    ) -> None:
        """Announce to the logs of `clusters` from when a revision holds.

        The job's own is the one that a success is expected on; another is one that it has left.
        `former` is what was said before of the job, if that is known.
        """
        job = revision.job
        said: dict[str, Any] = {"removed": True} if job.removed else {}
        if not job.removed and job.paused_to is not None:
            said["paused_to"] = job.paused_to
            said["with_retries"] = job.control is not None and job.control.retries
        if is_lifted(job, None if former is None else former.job):
            said["lifts"] = True
        entry = Withdrawal(
            job=job.name, revision=revision.number, effective_from=revision.holds_from, **said
        )
        expects = entry
        if job.expect_within_s is not None and not job.removed:
            expects = entry.derive(expect_within_s=job.expect_within_s)
        self._withdrawals += [(c, expects if c == job.cluster else entry) for c in clusters]

    def add(self, timeline: Timeline, revision: Revision, due: datetime) -> None:
        """Add one due time of a job."""
        self.count += 1
        if self._gives_way(timeline, revision, due):
            self._skip(timeline, revision, SkipReason.COALESCED, _Leap(due, 1, due), due)
        elif self._is_in_time(timeline, revision, due):
            self._run(timeline, due, _Due(revision))
        elif revision.job.missed is Missed.SKIP:
            self._skip(timeline, revision, SkipReason.MISSED, _Leap(due, 1, due), due)
        else:
            self._make_up(timeline, revision, due)

    def pause(self, timeline: Timeline, told: Told) -> None:
        """Add an hour of due times that are paused, or what is left of it."""
        leap = self._count(told.revision, told.due, told.paused or told.due)
        skipped = _Skipped(told.revision, SkipReason.PAUSED, told.due)
        skipped.to_at, skipped.count = leap.last, leap.times
        self.count += leap.times
        self._due.append((told.due, timeline.order, skipped))

    def leap(
        self, timeline: Timeline, revision: Revision, due: datetime, end: datetime
    ) -> datetime:
        """Add due times from `due` up to `end` (inclusive), all missed; return the last of them.

        Where each is run, only the first is added.
        """
        missed = revision.job.missed
        if missed is Missed.ALL:
            self.add(timeline, revision, due)
            return due
        leap = self._count(revision, due, end)
        if missed is Missed.SKIP:
            self._skip(timeline, revision, SkipReason.MISSED, leap, due)
        elif self._is_followed(timeline, leap.last):
            self._skip(timeline, revision, SkipReason.COALESCED, leap, due)
        else:
            if leap.times > 1:
                rest = leap._replace(last=leap.before, times=leap.times - 1)
                self._skip(timeline, revision, SkipReason.COALESCED, rest, due)
            self.count += 1
            self._make_up(timeline, revision, leap.last)
        return leap.last

    def course(self, until: datetime) -> Course | None:
        """Return how far the catch-up has come once all up to `until` has been published."""
        return self._pace.course(self._since if until < self.now else None)

    def messages(self) -> list[Planned]:
        """Return withdrawals in the order of revisions, then runs and skips by due time."""
        self._due.sort(key=lambda item: item[:2])
        drafted = (self._message(due, item) for due, _, item in self._due)
        return [*self._withdrawals, *drafted]

    def _gives_way(self, timeline: Timeline, revision: Revision, due: datetime) -> bool:
        """Whether a due time goes for a later one of an outage in which one was missed."""
        if revision.job.missed is not Missed.ONCE or due > self.now:
            return False
        old = self.now - revision.grace
        if due >= old:
            # Within its grace it is run, unless there were others before it that were missed.
            first = self._first_late(timeline)
            if due <= self._since or first is None or first >= old:
                return False
        return self._is_followed(timeline, due)

    def _is_in_time(self, timeline: Timeline, revision: Revision, due: datetime) -> bool:
        """Whether a due time is within its grace; and also to be begun, if it stands for others."""
        old, within_s = self.now - revision.grace, revision.job.start_within_s
        if due < old or within_s is None or revision.job.missed is not Missed.ONCE:
            return due >= old
        first = self._first_late(timeline)
        stands_for_others = due > self._since and first is not None and first < old
        return not stands_for_others or due + timedelta(seconds=within_s) >= self.now

    def _first_late(self, timeline: Timeline) -> datetime | None:
        """Return the first due time of a job since all had been published."""
        if timeline.order not in self._first:
            found = timeline.next_due(self._since, self.next_after)
            self._first[timeline.order] = found
        return self._first[timeline.order]

    def _is_followed(self, timeline: Timeline, due: datetime) -> bool:
        """Whether a later due time of the job has come, too."""
        found = timeline.next_due(due, self.next_after)
        return found is not None and found <= self.now

    def _count(self, revision: Revision, due: datetime, end: datetime) -> _Leap:
        key = (id(revision.schedule), due, end)
        if key not in self._leaps:
            before, last, count = due, due, 1
            following = revision.next_due(last, self.next_after)
            while following is not None and following <= end:
                before, last, count = last, following, count + 1
                following = revision.next_due(last, self.next_after)
            self._leaps[key] = _Leap(last, count, before)
        return self._leaps[key]

    def _make_up(self, timeline: Timeline, revision: Revision, due: datetime) -> None:
        """Run what was missed once its turn comes; skip it where that is too far ahead."""
        # One that stands for all is run, however many jobs have one.
        is_only = revision.job.missed is Missed.ONCE
        start_at = self._pace.start(revision.job.name, however_far=is_only)
        if start_at is None:
            self._skip(timeline, revision, SkipReason.MISSED, _Leap(due, 1, due), due)
        else:
            self._run(timeline, due, _Due(revision, start_at))

    def _run(self, timeline: Timeline, due: datetime, item: _Due) -> None:
        if self._skipped:
            self._skipped.pop(timeline.order, None)  # What is skipped ends before it.
        self._due.append((due, timeline.order, item))

    def _skip(
        self,
        timeline: Timeline,
        revision: Revision,
        reason: SkipReason,
        leap: _Leap,
        first: datetime,
    ) -> None:
        skipped = self._skipped.get(timeline.order)
        if skipped is None or (skipped.revision, skipped.reason) != (revision, reason):
            skipped = self._skipped[timeline.order] = _Skipped(revision, reason, first)
            self._due.append((first, timeline.order, skipped))
        skipped.to_at = leap.last
        skipped.count += leap.times

    def _message(self, due: datetime, item: _Due | _Skipped) -> Planned:
        job = item.revision.job
        if isinstance(item, _Skipped):
            return job.cluster, item.skip()
        run = run_of(job, item.revision.number, due)
        if item.start_at is None:
            return job.cluster, run
        return job.cluster, made_up(run, item.start_at, self.now)
