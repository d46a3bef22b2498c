"""The due times of all jobs, in order; jobs with the same schedule share the arithmetic."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Final

from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_TICK: Final = timedelta(microseconds=1)


def epoch_s(moment: datetime) -> int:
    """Return whole seconds since the epoch."""
    return (moment - _EPOCH) // _SECOND


def moment_of(seconds: float) -> datetime:
    """Return the moment so many seconds after the epoch (aware, UTC)."""
    return _EPOCH + timedelta(seconds=seconds)


def due_times(
    jobs: Sequence[Job], leads_s: Sequence[int], start: datetime, until: datetime
) -> Iterator[tuple[int, list[int]]]:
    """Give each second in which jobs are due, with their places in `jobs`, in order.

    Args:
        jobs: Valid.
        leads_s: For each job, how many seconds before `start` its due times begin.
        start: The first moment (aware, UTC).
        until: The first that is no longer meant.
    """
    groups: dict[tuple[str, str, int], list[int]] = {}
    for place, (job, lead_s) in enumerate(zip(jobs, leads_s, strict=True)):
        groups.setdefault((job.schedule, job.timezone, lead_s), []).append(place)
    spans = [
        _dues(schedule, zone, start - timedelta(seconds=lead_s), until, number)
        for number, (schedule, zone, lead_s) in enumerate(groups)
    ]
    places = list(groups.values())
    for second, found in groupby(merge(*spans), itemgetter(0)):
        numbers = [number for _, number in found]
        due = places[numbers[0]]
        yield (
            second,
            due if len(numbers) == 1 else sorted(n for each in numbers for n in places[each]),
        )


def _dues(
    schedule: str, zone: str, start: datetime, until: datetime, number: int
) -> Iterator[tuple[int, int]]:
    for due in compile_schedule(schedule, zone).between(start - _TICK, until - _TICK):
        yield epoch_s(due), number
