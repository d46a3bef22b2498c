"""Advice on herds: many jobs of a cluster that are due in the same second, and how to spread them.

Looked at are a Monday that is the first of a month, and the Sunday after it: what is due daily,
weekly or monthly meets there, whatever day it is now. Exclusions, bounds and jitter are put aside;
who has jitter is spread already.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final

from cronstream.core.crontab.parser import Crontab
from cronstream.core.schedule.clock import EverySchedule
from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.schedule.spread import spread, spread_instead
from cronstream.core.wire.runs import Job

#: Fewer jobs at once are no herd.
LEAST: Final = 20
_DAYS: Final = (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 7, tzinfo=UTC))
_DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)
#: What is due more often than each minute is no matter of a second.
_MOST_A_DAY: Final = 1440


@dataclass(frozen=True, slots=True)
class Spread:
    """What a job of a herd may say instead.

    Attributes:
        schedule: What it says.
        instead: The same with `H`; the same as `schedule` where there is no such thing.
        becomes: What that is for its name.
    """

    job: str
    schedule: str
    instead: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Herd:
    """Jobs of a cluster that are due in the same second.

    Attributes:
        at: Such a second (UTC).
        spreads: What each of them may say instead.
        then: How many of them would be due in one second then, at most.
    """

    cluster: str
    at: datetime
    jobs: tuple[Job, ...]
    spreads: tuple[Spread, ...]
    then: int


def herds(crontab: Crontab, slots: int | None) -> Iterator[Herd]:
    """Yield the largest herd of each cluster that has one, if `H` would make it smaller.

    Args:
        crontab: Valid.
        slots: Of a worker, if that is known: more jobs than these are a herd, even if they are few.
    """
    least = LEAST if slots is None else max(2, min(LEAST, slots + 1))
    for cluster in crontab.clusters:
        jobs = [job for job in crontab.jobs if job.cluster == cluster.name and job.enabled]
        found = _herd(cluster.name, jobs, least)
        if found is not None and found.then < len(found.jobs):
            yield found


def _herd(cluster: str, jobs: Sequence[Job], least: int) -> Herd | None:
    dues: Counter[datetime] = Counter()
    for text, number in Counter(map(_timing, jobs)).items():
        dues.update(dict.fromkeys(_dues(*text), number))
    # Of several that are alike, the earliest.
    at = min(dues, key=lambda due: (-dues[due], due), default=_DAYS[0])
    if dues[at] < least:
        return None
    here = tuple(job for job in jobs if at in _dues(*_timing(job)))
    spreads = tuple(map(_spread_of, here))
    then: Counter[datetime] = Counter()
    for job, instead in zip(here, spreads, strict=True):
        then.update(_dues(instead.becomes, job.timezone))
    return Herd(cluster, at, here, spreads, max(then.values(), default=0))


def _timing(job: Job) -> tuple[str, str]:
    """Return when a job is due, without its rules; nothing for one that has jitter."""
    rules = Rules.parse(job.schedule)
    return "" if rules.jitter else Rules(rules.expressions).text(), job.timezone


@lru_cache(maxsize=512)
def _dues(text: str, timezone: str) -> frozenset[datetime]:
    """Return when a schedule is due on the days that are looked at, if that is not all the time."""
    if not text:
        return frozenset()
    schedule = compile_schedule(text, timezone)
    if isinstance(schedule, EverySchedule) and schedule.seconds < 60:
        return frozenset()
    found: list[datetime] = []
    for day in _DAYS:
        of_day = list(islice(schedule.between(day - _TICK, day + _DAY - _TICK), _MOST_A_DAY + 1))
        if len(of_day) > _MOST_A_DAY:
            return frozenset()
        found += of_day
    return frozenset(found)


def _spread_of(job: Job) -> Spread:
    expressions = Rules.parse(job.schedule).expressions
    instead = [spread_instead(each, job.name) for each in expressions]
    becomes = Rules(tuple(spread(each, job.name) for each in instead))
    return Spread(job.name, Rules(expressions).text(), Rules(tuple(instead)).text(), becomes.text())
