"""The days of a month that a schedule names, also those that each month has elsewhere.

``L`` and the others mean what they mean in Quartz, but for ``W`` alone, which Quartz does not have.
"""

import calendar
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

#: Days of the week as Python counts them, Monday first.
_SATURDAY, _SUNDAY = 5, 6
_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Weekdays:
    """``W``: every day from Monday to Friday."""

    def of(self, first_weekday: int, length: int) -> list[int]:
        """Return such days of a month that begins on a day of the week, and has so many days."""
        days = range(1, length + 1)
        return [day for day in days if (first_weekday + day - 1) % _WEEK < _SATURDAY]


@dataclass(frozen=True, slots=True)
class DayOfMonth:
    """``L``, ``L-3``, ``15W``, ``LW``: a day, also as counted from the last one.

    Attributes:
        day: From 1; or how many days before the month's last, as a number that is not above 0.
        is_nearest: Whether the weekday (Monday to Friday) that is nearest to it is meant, within
            the same month.
    """

    day: int
    is_nearest: bool = False

    def of(self, first_weekday: int, length: int) -> list[int]:
        """Return that day of a month as a list, or an empty one if the month has no such day."""
        day = self.day if self.day > 0 else length + self.day
        if not 1 <= day <= length:
            return []
        weekday = (first_weekday + day - 1) % _WEEK
        if self.is_nearest and weekday == _SATURDAY:
            day += -1 if day > 1 else 2
        elif self.is_nearest and weekday == _SUNDAY:
            day += 1 if day < length else -2
        return [day]


@dataclass(frozen=True, slots=True)
class DayOfWeek:
    """``fri#2``, ``5L``: of those days of a month that are one day of the week, a certain one.

    Attributes:
        weekday: As cron counts it, Sunday as 0.
        number: From 1; 0 is the last.
    """

    weekday: int
    number: int

    def of(self, first_weekday: int, length: int) -> list[int]:
        """Return that day of a month as a list, or an empty one if the month has no such day."""
        first = 1 + (self.weekday - 1 - first_weekday) % _WEEK
        days = range(first, length + 1, _WEEK)
        if self.number == 0:
            return [days[-1]]
        return [days[self.number - 1]] if self.number <= len(days) else []


Special: TypeAlias = Weekdays | DayOfMonth | DayOfWeek

_OF_MONTH = re.compile(r"(?:(?P<day>\d{1,2})|l(?:-(?P<before>\d{1,2}))?)(?P<near>w)?", re.ASCII)
_OF_WEEK = re.compile(r"(?P<day>[0-7]|[a-z]{3})(?:#(?P<number>[1-5])|(?P<last>l))", re.ASCII)
#: The most days that ``L-n`` may go back: the first of a month of 31.
_MOST_BEFORE: Final = 30
_LONGEST: Final = 31


def special_of_month(term: str) -> Special | None:
    """Return what a term of the field day of month means, if it is not a plain one."""
    if term == "w":
        return Weekdays()
    match = _OF_MONTH.fullmatch(term)
    if match is None or (match["day"] and not match["near"]):
        return None
    day = int(match["day"]) if match["day"] else -int(match["before"] or 0)
    is_there = 1 <= day <= _LONGEST if match["day"] else day >= -_MOST_BEFORE
    return DayOfMonth(day, match["near"] is not None) if is_there else None


def special_of_week(term: str, names: tuple[str, ...]) -> Special | None:
    """Return what a term of the field day of week means, if it is not a plain one."""
    match = _OF_WEEK.fullmatch(term)
    if match is None:
        return None
    word = match["day"]
    if not word.isdecimal() and word not in names:
        return None
    weekday = int(word) % _WEEK if word.isdecimal() else names.index(word)
    return DayOfWeek(weekday, 0 if match["last"] else int(match["number"]))


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a month on which a schedule is due, for any month of any year.

    Attributes:
        specials_of_month: Further days of the month, which depend on the month.
        specials_of_week: Further days that are one of the week's.
        either: Whether day of month or day of week is enough, as cron(8) has it when both are
            restricted; else both must hold.
    """

    of_month: frozenset[int]
    of_week: frozenset[int]
    either: bool
    specials_of_month: tuple[Special, ...] = ()
    specials_of_week: tuple[Special, ...] = ()
    _known: dict[tuple[int, int], tuple[int, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """Return the days of one month, in order."""
        first_weekday, length = calendar.monthrange(year, month)
        key = (first_weekday, length)
        days = self._known.get(key)
        if days is None:
            days = self._known[key] = self._find(first_weekday, length)
        return days

    def can_be_in(self, month: int) -> bool:
        """Whether there is such a day in the month of some year."""
        lengths = (28, 29) if month == 2 else (calendar.monthrange(2001, month)[1],)
        # Within 400 years each month, and February 29th too, falls on every day of the week.
        return any(self._find(first, length) for first in range(7) for length in lengths)

    def _find(self, first_weekday: int, length: int) -> tuple[int, ...]:
        days = range(1, length + 1)
        by_month = self.of_month.union(
            *(special.of(first_weekday, length) for special in self.specials_of_month)
        )
        # calendar counts Monday as 0, cron Sunday.
        by_week = {day for day in days if (first_weekday + day) % _WEEK in self.of_week}
        by_week.update(*(special.of(first_weekday, length) for special in self.specials_of_week))
        found = by_month | by_week if self.either else by_month & by_week
        return tuple(sorted(found.intersection(days)))
