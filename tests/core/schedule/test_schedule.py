"""When a job is due."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cronstream.core.schedule.fields import parse_fields
from cronstream.core.schedule.schedule import Schedule, compile_schedule
from cronstream.errors import ScheduleError


def dues(expression: str, zone: str, after: str, count: int) -> list[str]:
    """Return the due times after a time, as people in the zone see them."""
    schedule, moment, found = compile_schedule(expression, zone), datetime.fromisoformat(after), []
    for _ in range(count):
        due = schedule.next_after(moment)
        assert due is not None
        found.append(due.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S%z"))
        moment = due
    return found


def minutes(expression: str) -> list[int]:
    """Return the minutes of an hour in which an expression is due."""
    schedule = compile_schedule(f"{expression} * * * *", "UTC")
    start = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
    return [due.minute for due in schedule.between(start, start + timedelta(hours=1))]


def weekdays(expression: str) -> list[str]:
    schedule = compile_schedule(f"0 0 * * {expression}", "UTC")
    sunday = datetime(2026, 2, 1, tzinfo=UTC) - timedelta(seconds=1)
    return [due.strftime("%a") for due in schedule.between(sunday, sunday + timedelta(days=7))]


# -- what expressions say ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("5", [5]),
        ("5,3,5", [3, 5]),
        ("5-8", [5, 6, 7, 8]),
        ("5-5", [5]),
        ("5-9/2", [5, 7, 9]),
        ("5-5/2", [5]),
        ("50/5", [50, 55]),
        ("59/5", [59]),
        ("*/20", [0, 20, 40]),
        ("0,*/30", [0, 30]),
    ],
)
def test_a_field_is_a_number_a_range_a_step_or_a_list(expression: str, expected: list[int]) -> None:
    assert minutes(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0", "Sun"),
        ("7", "Sun"),
        ("MON", "Mon"),
        ("mon-fri", "Mon Tue Wed Thu Fri"),
        ("sat-sun", "Sun Sat"),
        ("5-7", "Sun Fri Sat"),
        ("1-7/2", "Sun Mon Wed Fri"),
        ("1-7/3", "Sun Mon Thu"),
        ("*/2", "Sun Tue Thu Sat"),
        ("0-7", "Sun Mon Tue Wed Thu Fri Sat"),
        ("7-7", "Sun"),
    ],
)
def test_sunday_is_0_or_7_and_a_range_may_end_on_it(expression: str, expected: str) -> None:
    assert " ".join(weekdays(expression)) == expected


@pytest.mark.parametrize(
    ("nickname", "fields"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@Annually", "0 0 1 1 *"),
    ],
)
def test_a_nickname_stands_for_its_fields(nickname: str, fields: str) -> None:
    start = "2026-03-04T05:06:07Z"
    assert dues(nickname, "UTC", start, 3) == dues(fields, "UTC", start, 3)


def test_of_six_fields_the_first_is_the_second() -> None:
    assert dues("30 0 12 * * *", "UTC", "2026-01-01T00:00Z", 1) == ["2026-01-01 12:00:30+0000"]


def test_either_day_is_enough_when_both_are_restricted() -> None:
    assert dues("0 0 13 * fri", "UTC", "2026-01-08T00:00Z", 3) == [
        "2026-01-09 00:00:00+0000",
        "2026-01-13 00:00:00+0000",
        "2026-01-16 00:00:00+0000",
    ]


def test_both_days_must_hold_when_one_begins_with_a_star() -> None:
    assert dues("0 0 */2 * mon", "UTC", "2026-01-01T00:00Z", 2) == [
        "2026-01-05 00:00:00+0000",
        "2026-01-19 00:00:00+0000",
    ]


def test_every_counts_from_the_epoch_whatever_the_zone() -> None:
    expected = [datetime(2026, 3, 29, 1, m, tzinfo=UTC) for m in (9, 16, 23)]
    for zone in ("UTC", "Europe/Berlin"):
        schedule = compile_schedule("@every 7m", zone)
        found = list(islice(schedule.between(expected[0] - timedelta(seconds=1), FAR), 3))
        assert found == expected
        assert all(due.timestamp() % 420 == 0 for due in found)


FAR = datetime(2999, 1, 1, tzinfo=UTC)


def test_a_due_time_is_strictly_after_the_moment_even_by_a_fraction() -> None:
    schedule = compile_schedule("* * * * *", "UTC")
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert schedule.next_after(noon) == noon + timedelta(minutes=1)
    assert schedule.next_after(noon - timedelta(microseconds=1)) == noon
    assert schedule.next_after(noon + timedelta(microseconds=1)) == noon + timedelta(minutes=1)


def test_between_leaves_out_its_beginning_and_takes_in_its_end() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = compile_schedule("@every 1m", "UTC").between(noon, noon + timedelta(minutes=2))
    assert list(found) == [noon + timedelta(minutes=1), noon + timedelta(minutes=2)]


# -- where clocks change -------------------------------------------------------------------------


def test_a_fixed_time_in_the_skipped_hour_is_due_once_at_the_first_moment_after_it() -> None:
    assert dues("15,45 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 3) == [
        "2026-03-29 03:00:00+0200",
        "2026-03-30 02:15:00+0200",
        "2026-03-30 02:45:00+0200",
    ]


def test_a_fixed_time_in_the_repeated_hour_is_due_the_first_time_only() -> None:
    assert dues("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 2) == [
        "2026-10-25 02:30:00+0200",
        "2026-10-26 02:30:00+0100",
    ]


def test_asked_in_the_second_of_the_repeated_hours_a_fixed_time_is_not_due_again() -> None:
    assert dues("0-59 2 * * *", "Europe/Berlin", "2026-10-25T01:10Z", 1) == [
        "2026-10-26 02:00:00+0100"
    ]


def test_a_star_is_due_in_both_of_the_repeated_hours() -> None:
    assert dues("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 5) == [
        "2026-10-25 02:00:00+0200",
        "2026-10-25 02:30:00+0200",
        "2026-10-25 02:00:00+0100",
        "2026-10-25 02:30:00+0100",
        "2026-10-26 02:00:00+0100",
    ]


def test_a_star_skips_what_the_clocks_skip() -> None:
    assert dues("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 1) == [
        "2026-03-30 02:00:00+0200"
    ]


def test_an_hourly_job_keeps_real_hours_through_both_changes() -> None:
    for day in ("2026-03-28T20:00Z", "2026-10-24T20:00Z"):
        start = datetime.fromisoformat(day)
        found = compile_schedule("@hourly", "Europe/Berlin").between(
            start, start + timedelta(hours=12)
        )
        assert list(found) == [start + timedelta(hours=n) for n in range(1, 13)]


def test_half_an_hour_of_change_is_as_good_as_an_hour() -> None:
    assert dues("*/15 * * * *", "Australia/Lord_Howe", "2026-10-03T15:10Z", 3) == [
        "2026-10-04 01:45:00+1030",
        "2026-10-04 02:30:00+1100",
        "2026-10-04 02:45:00+1100",
    ]


def test_a_whole_day_that_is_skipped_moves_to_the_first_moment_after_it() -> None:
    assert dues("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00Z", 3) == [
        "2011-12-29 12:00:00-1000",
        "2011-12-31 00:00:00+1400",
        "2011-12-31 12:00:00+1400",
    ]


def test_a_midnight_that_comes_twice_across_two_days_is_due_twice_by_a_star() -> None:
    # Newfoundland set its clocks back at 00:01, so that the day before came again (until 2011).
    # cronsim 2.8 gives 00:00-0230 again and again here.
    assert dues("* 0 * * *", "America/St_Johns", "2009-11-01T02:00Z", 3) == [
        "2009-11-01 00:00:00-0230",
        "2009-11-01 00:00:00-0330",
        "2009-11-01 00:01:00-0330",
    ]


# -- cronsim says the same -----------------------------------------------------------------------

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kathmandu"]
#: Moments around which clocks change in one of these zones, and one around which they do not.
CHANGES = ["2026-03-29", "2026-10-25", "2030-03-10", "2030-11-03", "2027-04-04", "2028-02-28"]


@st.composite
def a_field(draw: st.DrawFn, low: int, high: int) -> str:
    """Return a field as cronsim and we read it the same."""
    number = st.integers(low, high)
    first, last = sorted((draw(number), draw(number)))
    # cronsim takes 5-5/2 for 5/2, so ranges have two ends.
    assume(first < last)
    return draw(
        st.sampled_from(
            ["*", "*", f"*/{draw(st.integers(2, min(high, 9)))}", f"{first}", f"{first},{last}"]
        )
        | st.sampled_from([f"{first}-{last}", f"{first}-{last}/2", f"{first}/{last}"])
    )


@st.composite
def an_expression(draw: st.DrawFn) -> str:
    hour = draw(a_field(0, 4) | a_field(0, 23))
    fields = [draw(a_field(0, 59)), hour, "*", "*", "*"]
    for place, (low, high) in {2: (1, 28), 3: (1, 12), 4: (0, 7)}.items():
        if draw(st.booleans()):
            fields[place] = draw(a_field(low, high))
    return " ".join(fields)


@settings(max_examples=80, deadline=None)
@given(
    an_expression(),
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.integers(-86_400, 86_400),
)
def test_cronsim_names_the_same_due_times(
    expression: str, zone: str, change: str, seconds: int
) -> None:
    """The differences that were found, and that this test keeps clear of.

    In each of them cron(8) is with us. cronsim 2.8 reads ``5-5/2`` as ``5/2``; with six fields it
    follows real time whether there is a star or not; where clocks change by half an hour it
    searches on in whole hours and passes due times over; where the clocks skip midnight it names
    01:00 for a star that does not; and where they go back across midnight it stands still.
    """
    start = datetime.fromisoformat(change).replace(tzinfo=UTC) + timedelta(seconds=seconds)
    ours: list[datetime | None] = []
    schedule, moment = compile_schedule(expression, zone), start
    for _ in range(4):
        due = schedule.next_after(moment)
        assert due is not None
        ours.append(due)
        moment = due
    theirs: Any = CronSim(expression, start.astimezone(ZoneInfo(zone)))
    assert ours == [due.astimezone(UTC) for due in islice(theirs, 4)]


@settings(max_examples=100, deadline=None)
@given(
    an_expression(),
    st.sampled_from([*ZONES, "Australia/Lord_Howe", "America/St_Johns", "America/Santiago"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - hypothesis wants it
    st.integers(0, 200_000),
)
def test_the_next_due_time_is_the_same_from_wherever_before_it_one_asks(
    expression: str, zone: str, naive: datetime, seconds: int
) -> None:
    schedule, start = compile_schedule(expression, zone), naive.replace(tzinfo=UTC)
    due = schedule.next_after(start)
    assert due is not None
    assert due > start
    assert due.microsecond == 0
    between = min(start + timedelta(seconds=seconds), due - timedelta(microseconds=1))
    assert schedule.next_after(between) == due


# -- far away ------------------------------------------------------------------------------------


def test_february_29th_is_found_across_a_century_without_one() -> None:
    assert dues("0 0 29 2 *", "UTC", "2096-03-01T00:00Z", 1) == ["2104-02-29 00:00:00+0000"]


def test_a_sunday_that_is_february_29th_is_found_40_years_on() -> None:
    found = compile_schedule("0 0 29 2 */7", "UTC").between(datetime(2080, 3, 1, tzinfo=UTC), FAR)
    first, second = islice(found, 2)
    assert [first.year, second.year] == [2088, 2128]
    assert {first.strftime("%a"), second.strftime("%a")} == {"Sun"}


def test_at_the_end_of_the_calendar_nothing_is_due_any_more() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for expression in ("0 0 * * *", "* * * * *", "@every 1d"):
        for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
            assert compile_schedule(expression, zone).next_after(end) is None


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("* *", "has 2 fields; write 5 .* or 6 with seconds first"),
        ("", "has 0 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("@reboot", "is not a known nickname; there are @hourly"),
        ("@hourley", "is not a known nickname; did you mean '@hourly'"),
        ("@ever 10m", "is not a known nickname; did you mean '@every'"),
        ("0 0 * * H#2", "'h#2' is not understood; 'H' stands alone, or as H"),
        ("60 * * * *", "minute '60' is out of range; it goes from 0 to 59"),
        ("* 24 * * *", "hour '24' is out of range"),
        ("* * 0 * *", "day of month '0' is out of range; it goes from 1 to 31"),
        ("* * * 13 *", "month '13' is out of range"),
        ("* * * * 8", "day of week '8' is out of range; it goes from 0 to 7"),
        ("* * * foo *", "month 'foo' is not known; it has jan, feb"),
        ("mon * * * *", "minute 'mon' is not known; write a number"),
        ("*/0 * * * *", "step of 0; steps go from 1 to 59"),
        ("*/60 * * * *", "step of 60"),
        ("30-10 * * * *", "runs backwards; write it as two, 30-59,0-10"),
        ("1,,2 * * * *", "minute '' is not understood"),
        ("-1 * * * *", "not understood"),
        ("H * * * *", "minute 'h' is spread by the name of a job, and here is none"),
        ("L * * * *", "minute 'l' is not understood; write a number, a name, a range"),
        ("* * L-31 * *", "day of month 'l-31' is not understood; .* L, L-3, 15W or LW"),
        ("* * 0W * *", "not understood"),
        ("* * 32w * *", "not understood"),
        ("* * * * L", "day of week 'l' is not understood; .* fri#2 or 5L"),
        ("* * * * 5#6", "not understood"),
        ("* * * * foo#1", "not understood"),
        ("* ? * * *", "not understood"),
        ("0 0 31W 2 *", "can never be due: no month has such a day"),
        ("0 0 * 2 L", "not understood"),
        ("@every 2h from", "from '' is not a time; write it like 00:15, or 2026-01-05T09:00"),
        ("@every 2h from noon", "from 'noon' is not a time"),
        ("@every 2h from 25:00", "from '25:00' does not exist: hour must be in"),
        ("@every from 00:15", "@every '' is not a length of time"),
        ("@at", "@at '' is not a time; write it like @at 2026-12-24T18:00"),
        ("@at 2026-12-24", "is not a time"),
        ("@at 2026-02-30T10:00", "@at '2026-02-30T10:00' does not exist: day is out of range"),
        ("٣ * * * *", "not understood"),
        ("0 0 31 2 *", "can never be due: no month has such a day"),
        ("0 0 31 4,6,9,11 *", "can never be due"),
        ("0 0 30 2 */2", "can never be due"),
        ("@every", "@every '' is not a length of time; write it like"),
        ("@every 0s", "at least 1s"),
        ("@every 1.5s", "in whole seconds"),
        ("@every 1000d", "longer than 366 days"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_to_do(expression: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=sentence):
        compile_schedule(expression, "UTC")


def test_a_schedule_only_at_times_that_the_clocks_always_skip_can_never_be_due() -> None:
    # Second Sunday in March, between two and three.
    compile_schedule("*/30 2 8-14 3 */7", "Europe/Berlin")
    with pytest.raises(ScheduleError, match="the clocks of America/New_York always skip it"):
        compile_schedule("*/30 2 8-14 3 */7", "America/New_York")


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        ("Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("europe/berlin", "did you mean 'Europe/Berlin'"),
        ("", "write one like"),
        ("../etc/passwd", "is not known"),
        ("localtime", "is each machine's own, and they may differ; name the place"),
        ("Local", "is each machine's own, and they may differ; name the place"),
        ("Factory", "is not known"),
        ("posix/Europe/Berlin", "did you mean 'Europe/Berlin'"),
        ("Europe", "is not known"),
        ("\0", "is not known"),
    ],
)
def test_a_zone_must_be_spelled_as_every_machine_knows_it(zone: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=sentence):
        compile_schedule("* * * * *", zone)


@pytest.mark.parametrize("text", ["mon", "!", "1" * 5000, "*" * 5000, "1-", "/", "\0", "a-b/c"])
@pytest.mark.parametrize("place", range(5))
def test_whatever_stands_in_a_field_it_is_a_schedule_or_refused(text: str, place: int) -> None:
    fields = ["*"] * 5
    fields[place] = text
    try:
        schedule: Schedule = compile_schedule(" ".join(fields), "UTC")
    except ScheduleError:
        return
    assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is not None


def test_what_croniter_alone_refuses_is_refused_in_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: str) -> None:
        raise ValueError("too odd")

    monkeypatch.setattr("cronstream.core.schedule.fields.croniter.expand", refuse)
    with pytest.raises(ScheduleError, match="minute '17,19,23' is not valid: too odd"):
        compile_schedule("17,19,23 * * * *", "UTC")


@pytest.mark.parametrize(
    ("place", "term", "read_as"),
    [
        (0, "5-5", "all 60 minutes"),
        (1, "23/2", "from 0 on"),
        (2, "3-3/2", "from 1 on"),
        (4, "1/2", "without Sunday, which is 7 too"),
    ],
)
def test_what_is_rewritten_for_croniter_it_would_read_otherwise_than_cron(
    place: int, term: str, read_as: str
) -> None:
    """Whoever takes a newer croniter sees here what need not be rewritten any more."""
    fields = ["*"] * 5
    fields[place] = term
    alone = {str(number) for number in croniter.expand(" ".join(fields))[0][place]}
    ours = parse_fields(" ".join(fields))
    days = ours.days
    numbers = (ours.minutes, ours.hours, days.of_month, ours.months, days.of_week)[place]

    assert alone != {str(number) for number in numbers}, read_as


@pytest.mark.parametrize("text", ["1,* * * * *", "*,1 * * * *", "* 2,* 3,* 4,* 5,*"])
def test_a_star_within_a_list_is_every_value(text: str) -> None:
    found = parse_fields(text)
    assert (len(found.minutes), len(found.hours), len(found.months)) == (60, 24, 12)
