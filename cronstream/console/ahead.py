"""What is due in the next hour, minute by minute; worked out now and then, beside the pages.

Thousands of jobs that are due each minute take seconds: so it is done in a thread, for a while
ahead, and pages show what of it is still to come.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cronstream.core.crontab.change import by_whom_paused
from cronstream.core.forecast.dues import due_times, moment_of
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job
from cronstream.errors import ScheduleError

_MINUTES: Final = 60
_MINUTE: Final = timedelta(minutes=1)
#: So far ahead it is worked out, and no more often than this while jobs stay the same.
_REACH: Final = timedelta(minutes=70)
_AGAIN: Final = timedelta(minutes=5)
#: Jobs that are named for each minute; and due times that are listed, the next ones.
_NAMED: Final = 3
_LISTED: Final = 400


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is due from a moment on.

    Attributes:
        since: That moment (UTC).
        jobs: The jobs that it was worked out of.
        counts: How many due times each minute has, by its beginning.
        names: Some of the jobs that are due then.
        next: The first due times, each with its job.
    """

    since: datetime
    jobs: Mapping[str, Job]
    counts: Mapping[datetime, int] = field(default_factory=dict)
    names: Mapping[datetime, tuple[str, ...]] = field(default_factory=dict)
    next: tuple[tuple[datetime, str], ...] = ()


def schedule_problem(job: Job) -> str | None:
    """Return why the due times of a job cannot be worked out here; None if they can.

    Who has put it in force may know more: newer time zones, or a newer version's schedules.
    """
    try:
        compile_schedule(job.schedule, job.timezone)
    except ScheduleError as error:
        return f"its due times cannot be worked out here: {error}"
    return None


def look_ahead(jobs: Mapping[str, Job], now: datetime) -> Outlook:
    """Work out what is due from `now` on (UTC), but for what is paused, or not known here."""
    found = [
        job
        for job in jobs.values()
        if by_whom_paused(job, now) is None and schedule_problem(job) is None
    ]
    counts, names = Counter[datetime](), dict[datetime, dict[str, None]]()
    first: list[tuple[datetime, str]] = []
    for second, places in due_times(found, [0] * len(found), now, now + _REACH):
        at = moment_of(second)
        minute = at.replace(second=0)
        counts[minute] += len(places)
        some = names.setdefault(minute, {})
        if len(some) < _NAMED:
            some.update((found[n].name, None) for n in places[:_NAMED])
        if len(first) < _LISTED:
            first += [(at, found[n].name) for n in places[:_LISTED]]
    some_names = {minute: tuple(some)[:_NAMED] for minute, some in names.items()}
    return Outlook(now, jobs, counts, some_names, tuple(first))


class Ahead:
    """Keeps the outlook up to date."""

    def __init__(self) -> None:
        self.found: Outlook | None = None

    async def follow(self, jobs: Mapping[str, Job], now: datetime) -> None:
        """Work it out anew if other jobs are in force than it was worked out of, or it is old."""
        known = self.found
        if known is None or known.jobs != jobs or now - known.since >= _AGAIN:
            self.found = await asyncio.to_thread(look_ahead, jobs, now)

    def minutes(self, now: datetime) -> list[dict[str, Any]]:
        """Return the next sixty minutes, each with how many due times it has; none if unknown."""
        if self.found is None:
            return []
        first = now.replace(second=0, microsecond=0)
        found = self.found
        return [
            {"minute": at, "due": found.counts.get(at, 0), "jobs": found.names.get(at, ())}
            for at in (first + n * _MINUTE for n in range(1, _MINUTES + 1))
        ]

    def next(self, now: datetime, limit: int) -> list[dict[str, Any]]:
        """Return the jobs that are due next, each once."""
        found: dict[str, datetime] = {}
        for at, job in self.found.next if self.found else ():
            if at > now:
                found.setdefault(job, at)
            if len(found) == limit:
                break
        return [{"job": job, "at": at} for job, at in found.items()]
