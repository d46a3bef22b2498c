"""Whether a job can succeed as often as it is expected to: no more often than it is due."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from cronstream.core.crontab.faults import Fault
from cronstream.core.schedule.duration import format_duration
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job
from cronstream.errors import ScheduleError

#: Where it is looked from on: a Friday noon, so that a night and a weekend come first.
_FROM: Final = datetime(2026, 1, 2, 12, tzinfo=UTC)
#: So many steps, each of at least this part of what is expected; of daily jobs that is a year and
#: more, in which clocks are put on and back.
_STEPS: Final = 500
_PART: Final = 8


def expectation_faults(job: Job) -> Iterator[Fault]:
    """Yield what is wrong with ``expect_within``, if the schedule's own gaps are as long."""
    if job.expect_within_s is None:
        return
    try:
        gap_s = _gap_as_long_as(job.expect_within_s, job.schedule, job.timezone)
    except ScheduleError:
        return  # Which is reported by itself.
    except OverflowError:
        return  # The end of the calendar, 9999.
    if gap_s is not None:
        within, gap = format_duration(job.expect_within_s), format_duration(gap_s)
        sentence = (
            f"expect_within {within} is no longer than the {gap} between two of its due times, "
            "so it would be overdue without a fault; give it that, and the time that a run takes"
        )
        yield Fault(("expect_within",), sentence)


@lru_cache(maxsize=4096)
def _gap_as_long_as(within_s: float, schedule: str, timezone: str) -> float | None:
    """Return the seconds between two due times, if those are found that are so far apart.

    Due times that are close together are passed over many at a time: a gap is found if it is longer
    by an eighth than what is expected, others by being met.
    """
    compiled = compile_schedule(schedule, timezone)
    within, step = timedelta(seconds=within_s), timedelta(seconds=within_s / _PART)
    at = compiled.next_after(_FROM)
    for _ in range(_STEPS):
        following = None if at is None else compiled.next_after(at)
        if at is None or following is None:
            return None
        if following - at >= within:
            *_, last = at - step, *compiled.between(at - step, at)
            return (following - last).total_seconds()
        at = max(following, at + step)
    return None
