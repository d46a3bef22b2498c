"""How fast missed due times are made up for: one after another, never as a herd.

A run that is made up for is published at once, like any other, and says itself when it may start:
so nothing has to remember it, what is due meanwhile is on time, and a scheduler that takes over has
only to know how far the starts go that have been given out.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

#: Between two such starts in a shard, whatever job they are of.
SHARD_EVERY: Final = timedelta(milliseconds=200)
#: Between two of one job.
JOB_EVERY: Final = timedelta(seconds=1)
#: No start lies further ahead; what would have to wait for longer is skipped as missed. Until then
#: it is live in the ledger, so this bounds what a fold has to keep.
FARTHEST: Final = timedelta(hours=3)


#: What lies further ahead was given out by a clock that was.
_BELIEVED: Final = timedelta(days=1)


class Course(NamedTuple):
    """How far a catch-up has come, for whoever goes on with it.

    Attributes:
        since: Up to when all had been published when it began (UTC); None once it is through.
        free_at: Before then no missed run of the shard may start any more (UTC).
        jobs: Before when none of a job may, by its name; of those for which that is later.
    """

    since: datetime | None
    free_at: datetime
    jobs: tuple[tuple[str, datetime], ...] = ()


class Pace:
    """Gives out starts, each later than the one before.

    Args:
        now: By the clock of who makes the plan (UTC).
        course: How far the starts go that were given out before; None if there are none.
    """

    def __init__(self, now: datetime, course: Course | None) -> None:
        self._now, self._free_at = now, now
        self._jobs: dict[str, datetime] = {}
        if course is not None and course.free_at - now <= _BELIEVED:
            self._free_at = max(now, course.free_at)
            self._jobs = dict(course.jobs)

    def start(self, job: str, *, however_far: bool = False) -> datetime | None:
        """Return when the next missed run of a job may start; None if that is too far ahead."""
        at = max(self._free_at, self._jobs.get(job, self._now))
        if at - self._now > FARTHEST and not however_far:
            return None
        self._free_at, self._jobs[job] = at + SHARD_EVERY, at + JOB_EVERY
        return at

    def course(self, since: datetime | None) -> Course | None:
        """Return how far it has come; None if nothing of that matters any more."""
        if since is None and self._free_at <= self._now:
            return None
        ahead: Mapping[str, datetime] = {x: at for x, at in self._jobs.items() if at > self._now}
        return Course(since, self._free_at, tuple(sorted(ahead.items())))
