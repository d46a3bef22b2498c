"""A plan in the making: what is due, as runs or as skips of what has been missed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

from cronstream.core.planning.timeline import Revision
from cronstream.core.schedule.schedule import Schedule
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Job, Run

Planned: TypeAlias = tuple[str, Run | Skip | Withdrawal]


def run_of(job: Job, revision: int | None, scheduled_at: datetime, **of: Any) -> Run:
    """Return a run of a job, ready for its first attempt: the only place where one becomes it.

    Args:
        job: Its definition.
        revision: Which one that is; None for a run with a cause.
        scheduled_at: When it is due.
        of: What else is known of it: its `cause`, and the `number` that goes with that.
    """
    return Run(
        job=job.name,
        cluster=job.cluster,
        scheduled_at=scheduled_at,
        not_before=scheduled_at,
        command=job.command,
        revision=revision,
        attempt=1,
        attempts_left=job.max_attempts,
        max_attempts=job.max_attempts,
        backoff=job.backoff,
        retry_on=job.retry_on,
        timeout_s=job.timeout_s,
        grace_s=job.grace_s,
        env=job.env,
        cwd=job.cwd,
        delivery=job.delivery,
        overlap=job.overlap,
        max_queue=job.max_queue,
        fence=job.fence,
        background=job.background,
        **of,
    )


class _Missed:
    """Due times of one revision, one after another, that have been missed."""

    __slots__ = ("count", "from_at", "revision", "to_at")

    def __init__(self, revision: Revision, from_at: datetime) -> None:
        self.revision = revision
        self.from_at = self.to_at = from_at
        self.count = 0

    def skip(self) -> Skip:
        return Skip(
            job=self.revision.job.name,
            revision=self.revision.number,
            reason=SkipReason.MISSED,
            from_at=self.from_at,
            to_at=self.to_at,
            count=self.count,
        )


class Draft:
    """Collects due times; each job's come in ascending order.

    Attributes:
        now: By which it is judged what has been missed (UTC).
        count: How many due times have been added one by one.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.count = 0
        self._withdrawals: list[Planned] = []
        self._due: list[tuple[datetime, int, Revision | _Missed]] = []
        self._missed: dict[int, _Missed] = {}
        self._next: dict[tuple[int, datetime], datetime | None] = {}
        self._leaps: dict[tuple[int, datetime, datetime], tuple[datetime, int]] = {}

    def next_after(self, schedule: Schedule, moment: datetime) -> datetime | None:
        """Return a schedule's next due time; jobs that share it share the arithmetic."""
        key = (id(schedule), moment)
        try:
            return self._next[key]
        except KeyError:
            due = self._next[key] = schedule.next_after(moment)
            return due

    def withdraw(self, revision: Revision, clusters: Iterable[str]) -> None:
        """Tell the logs of `clusters` from when a revision holds."""
        entry = Withdrawal(
            job=revision.job.name,
            revision=revision.number,
            effective_from=revision.holds_from,
            removed=revision.job.removed,
        )
        self._withdrawals += [(cluster, entry) for cluster in clusters]

    def add(self, order: int, revision: Revision, due: datetime) -> None:
        """Add one due time of the job whose place is `order`."""
        self.count += 1
        if due < self.now - revision.grace:
            self._miss(order, revision, due, due, 1)
        else:
            self._due.append((due, order, revision))

    def leap(self, order: int, revision: Revision, due: datetime, end: datetime) -> datetime:
        """Add all due times from `due` up to `end` (inclusive), all missed; return the last."""
        key = (id(revision.schedule), due, end)
        if key not in self._leaps:
            last, count = due, 1
            following = revision.next_due(last, _next_after)
            while following is not None and following <= end:
                last, count = following, count + 1
                following = revision.next_due(last, _next_after)
            self._leaps[key] = (last, count)
        last, count = self._leaps[key]
        self._miss(order, revision, due, last, count)
        return last

    def messages(self) -> list[Planned]:
        """Return withdrawals in the order of revisions, then runs and skips by due time."""
        self._due.sort(key=lambda item: item[:2])
        return [*self._withdrawals, *(_message(due, item) for due, _, item in self._due)]

    def _miss(
        self, order: int, revision: Revision, first: datetime, last: datetime, count: int
    ) -> None:
        missed = self._missed.get(order)
        if missed is None or missed.revision is not revision:
            missed = self._missed[order] = _Missed(revision, first)
            self._due.append((first, order, missed))
        missed.to_at = last
        missed.count += count


def _next_after(schedule: Schedule, moment: datetime) -> datetime | None:
    return schedule.next_after(moment)


def _message(due: datetime, item: Revision | _Missed) -> Planned:
    if isinstance(item, _Missed):
        return item.revision.job.cluster, item.skip()
    return item.job.cluster, run_of(item.job, item.number, due)
