"""What a schedule is not due in: dates, ranges, and what cron expressions name, by the clock."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cronstream.core.schedule.fields import Fields, parse_fields
from cronstream.core.schedule.moments import parse_date, parse_wall
from cronstream.errors import ScheduleError

_DAY: Final = timedelta(days=1)
_MINUTES: Final = 1440
#: All minutes of a day, a bit for each.
ALL_MINUTES: Final = (1 << _MINUTES) - 1
_FIELDS: Final = 5
#: What picks a number for each job.
_SPREAD: Final = re.compile(r"(?:^|[\s,])h(?![a-z])", re.IGNORECASE)
#: The search for what is not excluded gives up after so many years.
_HORIZON: Final = timedelta(days=50 * 366)


def minutes_of(fields: Fields) -> int:
    """Return the minutes of a day that fields name, a bit for each."""
    in_an_hour = sum(1 << minute for minute in fields.minutes)
    return sum(in_an_hour << hour * 60 for hour in fields.hours)


def begin_of(text: str) -> datetime | None:
    """Return the beginning of a date, or a time (both naive); None if it is neither.

    Raises:
        ValueError: If no calendar or clock has it.
    """
    found = parse_date(text)
    return parse_wall(text) if found is None else found


def end_of(text: str) -> datetime | None:
    """Return the end (exclusive) of a date, or a time itself; None if it is neither.

    Raises:
        ValueError: If no calendar or clock has it.
    """
    date = parse_date(text)
    if date is None:
        return parse_wall(text)
    try:
        return date + _DAY
    except OverflowError:
        return date + (_DAY - datetime.resolution)  # It is the last of the calendar.


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Dates and ranges, and minutes of days.

    Attributes:
        spans: Begin (inclusive) and end (exclusive) of each range, in order, none in another.
        crons: What they name is excluded, each minute as a whole.
        wanted: The minutes of a day that the schedule may name; a day that has none of them left
            is excluded altogether.
    """

    spans: tuple[tuple[datetime, datetime], ...] = ()
    crons: tuple[Fields, ...] = ()
    wanted: int = ALL_MINUTES
    _lefts: dict[tuple[int, ...], int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def parse(cls, texts: Iterable[str], wanted: int = ALL_MINUTES) -> "Exclusions":
        """Return what texts exclude.

        Raises:
            ScheduleError: If one is not valid; the sentence goes behind it.
        """
        parsed = [parse_exclusion(text) for text in texts]
        spans = [each for each in parsed if not isinstance(each, Fields)]
        crons = [each for each in parsed if isinstance(each, Fields)]
        return cls(_merged(spans), tuple(crons), wanted)

    def free_from(self, wall: datetime) -> datetime | None:
        """Return the first time from `wall` on that is not excluded (both naive).

        None if there is none within 50 years.
        """
        limit = wall + _HORIZON
        while wall <= limit:
            at = bisect_right(self.spans, wall, key=lambda span: span[0]) - 1
            if at >= 0 and wall < self.spans[at][1]:
                wall = self.spans[at][1]
                continue
            minute = wall.hour * 60 + wall.minute
            left = self._left(wall) >> minute
            if left & 1:
                return wall
            step = (left & -left).bit_length() - 1 if left else _MINUTES - minute
            wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=step)
        return None

    def _left(self, wall: datetime) -> int:
        """Return the minutes of a day that are not excluded, a bit for each."""
        month, day = wall.month, wall.day
        there = tuple(
            number
            for number, cron in enumerate(self.crons)
            if month in cron.months and day in cron.days.of(wall.year, month)
        )
        left = self._lefts.get(there)
        if left is None:
            left = ALL_MINUTES
            for number in there:
                left &= ~minutes_of(self.crons[number])
            left = self._lefts[there] = left if left & self.wanted else 0
        return left


def parse_exclusion(text: str) -> tuple[datetime, datetime] | Fields:
    """Return begin and end (exclusive, both naive) of a date or a range, or a schedule's fields.

    Raises:
        ScheduleError: If it is not valid; the sentence goes behind it.
    """
    span = _span(text)
    return _minutes(text) if span is None else span


def _span(text: str) -> tuple[datetime, datetime] | None:
    """Return the range that a text is, its end exclusive; None if it is none."""
    first, dots, last = (part.strip() for part in text.partition(".."))
    try:
        begin, end = begin_of(first), end_of(last if dots else first)
    except ValueError as error:
        raise ScheduleError(str(error)) from error
    if begin is None or end is None or (not dots and parse_date(first) is None):
        if dots:
            raise ScheduleError("is not a range; write it like 2026-12-24..2026-12-26")
        return None
    if begin >= end:
        raise ScheduleError("runs backwards; write the earlier one first")
    return begin, end


def _minutes(text: str) -> Fields:
    if len(text.split()) != _FIELDS and not text.startswith("@"):
        raise ScheduleError(
            "is neither a date like 2026-12-24, nor a range like 2026-12-24..2026-12-26, nor a "
            "schedule of 5 fields"
        )
    if _SPREAD.search(text):
        raise ScheduleError("is spread by 'H'; write the very times that are excluded")
    return parse_fields(text)


def _merged(spans: list[tuple[datetime, datetime]]) -> tuple[tuple[datetime, datetime], ...]:
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return tuple(merged)
