"""Several schedules with rules for all of them: exclusions, bounds, clocks that change, jitter."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.schedule.clock import Dst
from cronstream.core.schedule.ruled import ruled_schedule
from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.errors import ScheduleError

FAR = datetime(2999, 1, 1, tzinfo=UTC)


def dues(text: str, after: str, count: int = 3, zone: str = "UTC") -> list[str]:
    """Return the due times after a time, as people in the zone see them."""
    found = compile_schedule(text, zone).between(datetime.fromisoformat(after), FAR)
    return [
        due.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S%z")
        for due in islice(found, count)
    ]


# -- the text ------------------------------------------------------------------------------------


def test_a_text_has_each_part_and_says_the_same_again() -> None:
    text = (
        "0 9 * * mon-fri | 0 12 * * sat; exclude 2026-12-24..2026-12-26 | * * 1 * *; "
        "start 2026-01-01; end 2027-01-01T12:00; dst skip; jitter 10m of backup"
    )
    rules = Rules(
        expressions=("0 9 * * mon-fri", "0 12 * * sat"),
        exclude=("2026-12-24..2026-12-26", "* * 1 * *"),
        start="2026-01-01",
        end="2027-01-01T12:00",
        dst=Dst.SKIP,
        jitter="10m",
        job="backup",
    )
    assert Rules.parse(text) == rules
    assert rules.text() == text


def test_one_expression_without_rules_is_only_that() -> None:
    assert Rules(("@daily",)).text() == "@daily"
    assert not Rules.are_in("@daily")
    assert Rules.parse("@daily") == Rules(("@daily",))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("@daily; often", "has a rule 'often', which is not known"),
        ("@daily; dst never", "has a rule 'dst never'"),
        ("@daily; jitter 5m", "has a rule 'jitter 5m'"),
        ("@daily; jitter x of a", "jitter 'x' is not a length of time"),
        ("@daily; jitter 1.5s of a", "jitter '1.5s' must be at least 1s, in whole seconds"),
        ("@daily | * *", "has 2 fields"),
        ("@daily; start noon", "start 'noon' is not a date or a time; write it like 2026-01-05"),
        ("@daily; end 2026-02-30", "end '2026-02-30' does not exist: day is out of range"),
        ("@daily; start 2026-02-02; end 2026-02-01", "end '2026-02-01' is not after start"),
        ("@daily; exclude noon", "is neither a date like 2026-12-24, nor a range like"),
        ("@daily; exclude 0 * * * * *", "nor a schedule of 5 fields"),
        ("@daily; exclude @every 5m", "is not a known nickname"),
        ("@daily; exclude 2026-01-05..noon", "is not a range; write it like 2026-12-24..2026-12"),
        ("@daily; exclude 2026-01-05..2026-01-04", "runs backwards; write the earlier one first"),
        ("@daily; exclude 2026-13-05", "does not exist: month must be in 1..12"),
    ],
)
def test_a_rule_that_is_not_valid_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=sentence):
        compile_schedule(text, "UTC")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("*/5 * * * *; exclude * * * * *", "all that it names is excluded; shorten 'exclude'"),
        ("* * * * * *; exclude 0-29 * * * * | 30-59 * * * *", "all that it names is excluded"),
        ("*/2 * * * *; exclude */2 * * * *", "all that it names is excluded"),
        ("@at 2026-12-24T18:00; exclude 2026-12-24", "all that it names is excluded"),
        ("@every 1h; exclude * * * * *", "all that it names is excluded"),
        ("@every 1h from 00:15; exclude 0-30 * * * *", "all that it names is excluded"),
        ("@every 3d from 2025-12-30; exclude * 0-11 * * *", "all that it names is excluded"),
        ("@every 3d from 2025-12-30; exclude * 0-11 * * *; jitter 7m of x", "all that it names is"),
        ("@at 2025-12-24T18:00 | @every 3d from 2025-12-30; exclude * 0-18 * * *", "all that it"),
        ("@at 2026-12-24T18:00; end 2026-12-23", "nothing that it names is between its start and"),
        ("@yearly; start 2026-02-01; end 2026-12-31", "nothing that it names is between"),
        ("30 2 8-14 3 */7; dst skip", "clocks always skip it; choose another time"),
    ],
)
def test_what_can_never_be_due_by_its_rules_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=f"can never be due: {sentence}"):
        compile_schedule(text, "America/New_York")


# -- several, excluded, bounded ------------------------------------------------------------------


def test_it_is_due_when_one_of_several_is_and_once_where_several_are() -> None:
    assert dues("0 9 * * * | 0 */9 * * *", "2026-01-01T00:00Z", 4) == [
        "2026-01-01 09:00:00+0000",
        "2026-01-01 18:00:00+0000",
        "2026-01-02 00:00:00+0000",
        "2026-01-02 09:00:00+0000",
    ]


def test_dates_are_excluded_to_their_end_and_times_up_to_them() -> None:
    text = "0 */12 * * *; exclude 2026-12-24 | 2026-12-25T06:00..2026-12-26T12:00"
    assert dues(text, "2026-12-23T12:00Z") == [
        "2026-12-25 00:00:00+0000",
        "2026-12-26 12:00:00+0000",
        "2026-12-27 00:00:00+0000",
    ]
    assert dues("@daily; exclude 2026-12-24..2026-12-26", "2026-12-23T12:00Z", 1) == [
        "2026-12-27 00:00:00+0000"
    ]


def test_what_is_excluded_is_what_the_clock_of_the_zone_shows() -> None:
    assert dues("0 * * * *; exclude * 0-22 * * *", "2026-01-01T00:00Z", 2, "Asia/Tokyo") == [
        "2026-01-01 23:00:00+0900",
        "2026-01-02 23:00:00+0900",
    ]


def test_a_minute_is_excluded_as_a_whole() -> None:
    assert dues("*/30 * * * * *; exclude 0-58 * * * *", "2026-01-01T00:00Z", 2) == [
        "2026-01-01 00:59:00+0000",
        "2026-01-01 00:59:30+0000",
    ]


def test_in_the_second_of_repeated_hours_the_search_goes_on() -> None:
    text = "*/20 * * * *; exclude 0-39 2 * * *"
    assert dues(text, "2026-10-24T23:50Z", 3, "Europe/Berlin") == [
        "2026-10-25 02:40:00+0200",
        "2026-10-25 02:40:00+0100",
        "2026-10-25 03:00:00+0100",
    ]


def test_a_start_is_the_first_and_the_date_of_an_end_the_last() -> None:
    text = "0 12 * * *; start 2026-03-01; end 2026-03-03"
    assert dues(text, "2020-01-01T00:00Z", 9) == [
        f"2026-03-0{day} 12:00:00+0000" for day in (1, 2, 3)
    ]
    text = "0 12 * * *; start 2026-03-01T12:00; end 2026-03-03T12:00"
    assert dues(text, "2020-01-01T00:00Z", 9) == [f"2026-03-0{day} 12:00:00+0000" for day in (1, 2)]


def test_what_has_ended_long_ago_is_no_mistake() -> None:
    assert dues("@daily; end 1999-12-31", "2026-01-01T00:00Z") == []


def test_at_the_end_of_the_calendar_nothing_is_due_any_more() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for text in ("@daily; exclude 2026-01-01", "@daily; jitter 5m of a"):
        assert compile_schedule(text, "Asia/Tokyo").next_after(end) is None


def test_in_the_last_decades_of_the_calendar_exclusions_are_not_worked_out() -> None:
    schedule = compile_schedule("@daily; exclude 2026-01-01", "UTC")
    assert schedule.next_after(datetime(9990, 1, 1, tzinfo=UTC)) is None


def test_a_single_time_is_moved_too() -> None:
    [due] = dues("@at 2026-12-24T18:00; jitter 1h of a", "2026-01-01T00:00Z")
    assert "2026-12-24 18:00:00+0000" <= due < "2026-12-24 19:00:00+0000"


_EXPRESSIONS = ["*/7 * * * *", "30 */5 * * *", "0 0 * * mon", "@every 47m", "15,45 8-17 L * *"]
_EXCLUSIONS = [
    "2026-01-03",
    "2026-01-02..2026-01-04",
    "2026-01-05T11:30..2026-01-06T09:10",
    "* 0-7 * * *",
    "0-29 * * * *",
    "* * * * sat,sun",
    "30 * 1-5 * *",
]


START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=7)


@cache
def excluded(text: str) -> frozenset[datetime]:
    """Return the minutes that a text excludes, found in another way."""
    if text[:2] != "20":
        found = compile_schedule(text, "UTC").between(START - timedelta(seconds=1), END)
        return frozenset(found)
    first, _, last = text.partition("..")
    begin, end = (
        datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (first, last or first)
    )
    end += timedelta() if "T" in text else timedelta(days=1)
    minutes = range(int((end - begin).total_seconds()) // 60)
    return frozenset(begin + timedelta(minutes=n) for n in minutes)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(_EXPRESSIONS), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(_EXCLUSIONS), min_size=1, max_size=4, unique=True),
)
def test_what_is_left_is_what_is_due_and_not_excluded(
    expressions: list[str], exclude: list[str]
) -> None:
    due = {at for each in expressions for at in compile_schedule(each, "UTC").between(START, END)}
    expected = sorted(due.difference(*map(excluded, exclude)))
    schedule = ruled_schedule(Rules(tuple(expressions), tuple(exclude)), ZoneInfo("UTC"))
    assert list(schedule.between(START, END)) == expected


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(
        [
            "*/20 * * * * | 30 2 * * *; exclude 0-10 2 * * * | 2026-10-25T02:30..2026-10-25T02:50",
            "30 2 * * *; exclude 30 2 * * sun; dst once",
            "*/7 * * * *; exclude 5-50 * * * *; dst once; jitter 90s of a",
            "0 */2 * * *; start 2026-03-29T02:30; dst skip; jitter 3h of b",
        ]
    ),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"]),
    st.sampled_from(["2026-03-29", "2026-10-25", "2026-10-03", "2026-04-04"]),
    st.integers(-50_000, 100_000),
    st.integers(0, 20_000),
)
def test_the_next_due_time_is_the_same_from_wherever_before_it_one_asks(
    text: str, zone: str, day: str, seconds: int, later: int
) -> None:
    schedule = compile_schedule(text, zone)
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(seconds=seconds)
    due = schedule.next_after(start)
    assert due is not None
    assert due > start
    between = min(start + timedelta(seconds=later), due - timedelta(microseconds=1))
    assert schedule.next_after(between) == due


# -- where clocks change -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spring", "autumn"),
    [
        ("30 2 * * *; dst once", ["03:00+0200"], ["02:30+0200"]),
        ("30 2 * * *; dst skip", [], ["02:30+0200"]),
        ("30 2 * * *; dst twice", [], ["02:30+0200", "02:30+0100"]),
        ("*/30 2 * * *; dst once", ["03:00+0200"], ["02:00+0200", "02:30+0200"]),
        ("*/30 2 * * *; dst skip", [], ["02:00+0200", "02:30+0200"]),
        (
            "*/30 2 * * *; dst twice",
            [],
            ["02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100"],
        ),
        ("@every 1d from 02:30; dst twice", [], ["02:30+0200", "02:30+0100"]),
    ],
)
def test_a_job_may_say_what_becomes_of_times_that_clocks_skip_or_repeat(
    text: str, spring: list[str], autumn: list[str]
) -> None:
    for day, expected in ((date(2026, 3, 29), spring), (date(2026, 10, 25), autumn)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin"))
        start = midnight.astimezone(UTC) - timedelta(seconds=1)
        found = compile_schedule(text, "Europe/Berlin").between(start, start + timedelta(hours=22))
        local = [due.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M%z") for due in found]
        assert local == expected


# -- jitter --------------------------------------------------------------------------------------


def test_a_due_time_is_moved_by_the_same_for_ever() -> None:
    """Whoever changes one of these moves due times that are published."""
    assert dues("@daily; jitter 1h of backup", "2026-01-01T12:00Z", 2) == [
        "2026-01-02 00:14:33+0000",
        "2026-01-03 00:37:30+0000",
    ]
    assert dues("@daily; jitter 1h of report", "2026-01-01T12:00Z", 1) == [
        "2026-01-02 00:06:14+0000"
    ]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/7 3 * * *", "@every 10s", "0 0 * * mon", "0,1 0 1 * *"]),
    st.integers(1, 100_000),
    st.integers(0, 10**6),
)
def test_due_times_are_moved_by_less_than_the_jitter_in_order_and_none_is_lost(
    expression: str, jitter_s: int, seconds: int
) -> None:
    plain = compile_schedule(expression, "UTC")
    moved_ones = compile_schedule(f"{expression}; jitter {jitter_s}s of a", "UTC")
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    due = list(islice(plain.between(start, FAR), 21))
    tick = timedelta(microseconds=1)
    moved = list(moved_ones.between(due[0] - tick, due[-1] - tick))
    assert len(moved) == 20
    for at, (this, following) in zip(moved, pairwise(due), strict=True):
        assert this <= at < min(this + timedelta(seconds=jitter_s), following)
