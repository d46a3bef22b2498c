"""The days that each month has elsewhere: ``L``, ``W``, ``#`` and their like."""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from cronstream.core.schedule.schedule import compile_schedule

START = datetime(2000, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
END = datetime(2041, 1, 1, tzinfo=UTC) - timedelta(seconds=1)


def days(day_of_month: str, day_of_week: str = "*") -> list[date]:
    """Return the days of 2000 to 2040 on which an expression is due."""
    schedule = compile_schedule(f"0 0 {day_of_month} * {day_of_week}", "UTC")
    return [due.date() for due in schedule.between(START, END)]


def holding(rule: Callable[[date], bool]) -> list[date]:
    """Return the days of 2000 to 2040 for which a rule holds."""
    all_days = [START.date() + timedelta(days=n) for n in range(1, (END - START).days + 1)]
    return [day for day in all_days if rule(day)]


def last(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def nearest(wanted: date) -> date:
    """Return the weekday of the same month that is nearest, found by looking at those around."""
    near = [wanted + timedelta(days=n) for n in range(-2, 3)]
    weekdays = [day for day in near if day.month == wanted.month and day.weekday() < 5]
    return min(weekdays, key=lambda day: abs(day - wanted))


RULES: dict[str, Callable[[date], bool]] = {
    "L": lambda day: day == last(day),
    "l-3": lambda day: day == last(day) - timedelta(days=3),
    "L-30": lambda day: day.day == 1 and last(day).day == 31,
    "W": lambda day: day.weekday() < 5,
    "1W": lambda day: day == nearest(day.replace(day=1)),
    "15W": lambda day: day == nearest(day.replace(day=15)),
    "31w": lambda day: last(day).day == 31 and day == nearest(day.replace(day=31)),
    "LW": lambda day: day == nearest(last(day)),
    "L-2W": lambda day: day == nearest(last(day) - timedelta(days=2)),
    "1,15,L": lambda day: day.day in (1, 15) or day == last(day),
}


@pytest.mark.parametrize("term", RULES)
def test_a_day_of_the_month_may_be_counted_from_its_end_or_be_the_nearest_weekday(
    term: str,
) -> None:
    assert days(term) == holding(RULES[term])


WEEKLY: dict[str, Callable[[date], bool]] = {
    "fri#2": lambda day: day.weekday() == 4 and 8 <= day.day <= 14,
    "5#5": lambda day: day.weekday() == 4 and day.day >= 29,
    "7#1": lambda day: day.weekday() == 6 and day.day <= 7,
    "5L": lambda day: day.weekday() == 4 and day.day + 7 > last(day).day,
    "sunL": lambda day: day.weekday() == 6 and day.day + 7 > last(day).day,
    "mon#1,wed": lambda day: day.weekday() == 2 or (day.weekday() == 0 and day.day <= 7),
}


@pytest.mark.parametrize("term", WEEKLY)
def test_a_day_of_the_week_may_be_a_certain_one_of_the_month_or_its_last(term: str) -> None:
    assert days("*", term) == holding(WEEKLY[term])


def test_a_question_mark_is_a_star() -> None:
    assert days("?", "mon") == days("*", "mon")
    assert days("13", "?") == days("13", "*")


def test_either_is_enough_if_both_are_restricted_whatever_they_are() -> None:
    assert days("L", "mon#1") == sorted({*days("L"), *days("*", "mon#1")})


def test_a_month_without_such_a_day_is_passed_over() -> None:
    of_2001 = [day.month for day in days("31W") if day.year == 2001]
    assert of_2001 == [1, 3, 5, 7, 8, 10, 12]
