"""Lengths of time as people write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.schedule.duration import format_duration, moment_of, parse_duration
from tests.builders import NOON


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("5m", 300), ("1h30m", 5400), ("1d", 86_400), ("0s", 0), ("1.5s", 1.5)],
)
def test_a_length_of_time_is_days_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "10", "5 m", "1m1h", "-5s", "1.5m", "5M", "٣s", "5s\n"])
def test_anything_else_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 10s, 5m, 1h30m or 1d"):
        parse_duration(text)


def test_more_than_a_leap_year_is_refused() -> None:
    assert parse_duration("366d") == 366 * 86_400
    with pytest.raises(ValueError, match="longer than 366 days"):
        parse_duration("366d1s")


@given(st.integers(min_value=0, max_value=366 * 86_400_000))
def test_what_is_written_is_read_back_the_same(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000, abs=1e-6
    )


def test_a_moment_is_so_far_from_another_or_is_said_itself() -> None:
    assert moment_of("1h30m", NOON) == NOON + timedelta(minutes=90)
    assert moment_of("2d", NOON, way=-1) == NOON - timedelta(days=2)
    assert moment_of("2026-03-29T03:30+02:00", NOON) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert moment_of("2026-03-29", NOON) == datetime(2026, 3, 29, tzinfo=UTC)
    for text in ("2m1h", "soon", "", "400d"):
        with pytest.raises(ValueError, match=r"length|longer|isoformat"):
            moment_of(text, NOON)
