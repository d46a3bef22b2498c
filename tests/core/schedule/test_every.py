"""``@every … from …`` and ``@at``."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.schedule.schedule import compile_schedule

FAR = datetime(2999, 1, 1, tzinfo=UTC)


def dues(expression: str, zone: str, after: str, count: int = 3) -> list[str]:
    """Return the due times after a time, as people in the zone see them."""
    found = compile_schedule(expression, zone).between(datetime.fromisoformat(after), FAR)
    return [
        due.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S%z")
        for due in islice(found, count)
    ]


def test_a_time_of_day_is_a_phase_and_not_a_beginning() -> None:
    assert dues("@every 90s from 00:15", "UTC", "2026-01-01T00:14Z") == [
        "2026-01-01 00:15:00+0000",
        "2026-01-01 00:16:30+0000",
        "2026-01-01 00:18:00+0000",
    ]


def test_a_phase_of_hours_is_in_utc_whatever_a_zone_was_like_in_1970() -> None:
    assert dues("@every 1h from 00:15:30", "Asia/Kathmandu", "2026-01-01T00:00Z", 2) == [
        "2026-01-01 06:00:30+0545",
        "2026-01-01 07:00:30+0545",
    ]


@given(st.integers(1, 500_000), st.integers(0, 1439), st.integers(0, 10**9))
def test_a_phase_is_counted_from_1970_on(seconds: int, minute: int, after: int) -> None:
    expression = f"@every {seconds}s from {minute // 60:02}:{minute % 60:02}"
    due = compile_schedule(expression, "UTC").next_after(datetime.fromtimestamp(after, UTC))
    assert due is not None
    assert (due.timestamp() - minute * 60) % seconds == 0
    assert due.timestamp() - max(after, minute * 60 - 1) <= seconds


def test_what_counts_from_a_date_is_due_then_and_never_before() -> None:
    assert dues("@every 36h from 2026-03-28T09:00", "Europe/Berlin", "2020-01-01T00:00Z") == [
        "2026-03-28 09:00:00+0100",
        "2026-03-29 22:00:00+0200",
        "2026-03-31 10:00:00+0200",
    ]


def test_days_and_weeks_keep_the_time_of_day_through_changes_of_the_clock() -> None:
    assert dues("@every 2w from 2026-01-05T09:00", "Europe/Berlin", "2020-01-01T00:00Z", 8)[
        -3:
    ] == [
        "2026-03-16 09:00:00+0100",
        "2026-03-30 09:00:00+0200",
        "2026-04-13 09:00:00+0200",
    ]
    assert dues("@every 1w1d from 2026-01-05", "Asia/Tokyo", "2026-01-06T00:00Z", 1) == [
        "2026-01-13 00:00:00+0900"
    ]
    assert dues("@every 2d from 09:00", "UTC", "1999-12-31T12:00Z", 2) == [
        "2000-01-02 09:00:00+0000",
        "2000-01-04 09:00:00+0000",
    ]


def test_a_day_whose_clocks_skip_the_time_has_it_at_the_first_moment_after() -> None:
    assert dues("@every 1d from 02:30", "Europe/Berlin", "2026-03-28T12:00Z", 2) == [
        "2026-03-29 03:00:00+0200",
        "2026-03-30 02:30:00+0200",
    ]
    assert dues("@every 1d from 02:30", "Europe/Berlin", "2026-10-24T12:00Z", 2) == [
        "2026-10-25 02:30:00+0200",
        "2026-10-26 02:30:00+0100",
    ]


def test_hours_pass_in_real_time() -> None:
    assert dues("@every 24h from 2026-03-27T02:30", "Europe/Berlin", "2026-03-27T12:00Z", 2) == [
        "2026-03-28 02:30:00+0100",
        "2026-03-29 03:30:00+0200",
    ]


def test_weeks_without_a_beginning_are_counted_from_1970_like_all_else() -> None:
    assert compile_schedule("@every 1w", "UTC") == compile_schedule("@every 7d", "UTC")


def test_a_single_time_is_due_once_by_the_clock_of_the_zone() -> None:
    schedule = compile_schedule("@at 2026-12-24T18:00", "America/New_York")
    due = datetime(2026, 12, 24, 23, tzinfo=UTC)
    assert schedule.next_after(datetime(1980, 1, 1, tzinfo=UTC)) == due
    assert schedule.next_after(due - timedelta(microseconds=1)) == due
    assert schedule.next_after(due) is None


@pytest.mark.parametrize("when", ["2026-03-29 02:30", "2026-03-29T02:59:59"])
def test_a_single_time_that_clocks_skip_is_due_at_the_first_moment_after(when: str) -> None:
    assert dues(f"@at {when}", "Europe/Berlin", "2026-01-01T00:00Z") == ["2026-03-29 03:00:00+0200"]


def test_a_single_time_that_is_past_is_no_mistake() -> None:
    assert dues("@AT 1999-12-31T23:59", "UTC", "2026-01-01T00:00Z") == []
