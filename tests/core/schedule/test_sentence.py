"""A schedule in words, and what changes of the clocks do to it."""

import calendar
import re
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.schedule.changes import clock_changes, effect_of
from cronstream.core.schedule.schedule import compile_schedule, find_zone
from cronstream.core.schedule.sentence import length_words, sentence
from tests.core.schedule.sentence_reader import numbers


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * * *", "every minute, by the clock of UTC"),
        ("* * * * * *", "every second, by the clock of UTC"),
        ("*/15 * * * *", "every 15 minutes, by the clock of UTC"),
        ("@hourly", "at minute 0 of every hour, by the clock of UTC"),
        ("5 * * * * *", "at second 5 of every minute, by the clock of UTC"),
        ("1-3,9 * 9-17 * * *", "at seconds 1 to 3 and 9 of every minute of hours 9 to 17, by"),
        ("30 */5 * * * *", "at second 30 of every 5 minutes, by the clock of UTC"),
        ("0 0 4,16 * * *", "at 04:00 and 16:00 every day, by the clock of UTC"),
        ("30 0 4 * * *", "at 04:00:30 every day, by the clock of UTC"),
        ("1-59/2 3 * * *", "at minutes 1 to 59 in steps of 2 of hour 3, by the clock of UTC"),
        ("0 9 * * mon-fri", "at 09:00, on Monday to Friday, by the clock of UTC"),
        ("0 9 * 1-3,7 sat,sun", "at 09:00, on Saturday and Sunday, in January to March and July"),
        ("0 0 13 * fri", "at 00:00, on day 13 of the month, and on Friday besides, by the clock"),
        ("0 0 */9 * mon", "on Monday, if that is days 1 to 28 in steps of 9 of the month, by"),
        ("0 0 1-31 * fri", "at 00:00 every day, by the clock of UTC"),
        ("0 0 L * *", "at 00:00, on the last day of the month, by the clock of UTC"),
        ("0 0 LW,15W * *", "on the last weekday of the month and the weekday nearest to day 15 of"),
        ("0 0 L-1,L-3W * *", "on 1 day before the last of the month and the weekday nearest to 3 "),
        ("0 0 W * *", "at 00:00, on Monday to Friday of each week, by the clock of UTC"),
        ("0 0 * * tue#2,5L", "on the second Tuesday of the month and the last Friday of the month"),
        ("@every 1h", "every hour"),
        (
            "@every 90s from 00:15",
            "every 1 minute 30 seconds, counted from 1970-01-01 00:15:00",
        ),
        ("@every 1d from 09:00", "every day at 09:00, counted from 1970-01-01, by the clock of"),
        ("@every 2w from 2026-01-05", "every 14 days at 00:00, counted from 2026-01-05, by the"),
        ("@at 2026-12-24T18:00:30", "once, on 2026-12-24 at 18:00:30, by the clock of UTC"),
        ("@daily | @every 1h", "at 00:00 every day, by the clock of UTC; and every hour"),
        (
            "@every 1h; exclude 2026-12-24..2026-12-26 | 2026-12-31 | * 0-5 * * *",
            "except from 2026-12-24 to the end of 2026-12-26; and on 2026-12-31; and every minute",
        ),
        (
            "@every 1h; exclude 2026-12-27T06:00..2026-12-28T12:00",
            "every hour; except from 2026-12-27 06:00 to 2026-12-28 12:00; these by the clock of",
        ),
        (
            "@every 1h; start 2026-01-01; end 2027-01-01T12:00",
            "every hour; from 2026-01-01 on; before 2027-01-01 12:00; these by the clock of UTC",
        ),
        ("@daily; end 2027-01-01", "by the clock of UTC; until the end of 2027-01-01"),
        ("@every 1h; dst skip; end 2027-01-01", "every hour; until the end of 2027-01-01; these"),
        ("@daily; dst twice", "what clocks skip is not due, what they repeat is twice"),
        (
            "@daily; jitter 10m of backup",
            "each moved by less than 10 minutes, picked by the name backup",
        ),
    ],
)
def test_a_schedule_is_a_sentence(schedule: str, words: str) -> None:
    assert words in sentence(schedule, "UTC")


def test_a_length_is_in_the_largest_units() -> None:
    assert length_words(90_061) == "1 day 1 hour 1 minute 1 second"
    assert length_words(7200) == "2 hours"


# -- the sentence is true: due times are found again from its words alone ------------------------

_WEEK = list(calendar.day_name)
_YEAR = list(calendar.month_name)[1:]


def unit(words: str, name: str, size: int) -> set[int]:
    """Return which seconds, minutes or hours a clause is about."""
    names = list(map(str, range(size)))
    if match := re.search(rf"every (\d+) {name}s", words):
        return set(range(0, size, int(match[1])))
    if match := re.search(rf"{name}s? (\d[\d, a-z/]*)$", words):
        return numbers(match[1], names)
    return set(range(size)) if f"every {name}" in words or name == "hour" else {0}


def times(words: str) -> set[tuple[int, int, int]]:
    """Return the times of day that the first clause names."""
    if ":" in words:
        listed = re.split(r", | and ", words.removeprefix("at ").removesuffix(" every day"))
        clocks = [[*map(int, each.split(":")), 0][:3] for each in listed]
        return {(hour, minute, second) for hour, minute, second in clocks}
    clauses = words.removeprefix("at ").split(" of ")
    names = ("second", "minute", "hour")
    has = {name: next((clause for clause in clauses if name in clause), "") for name in names}
    seconds = unit(has["second"], "second", 60) if has["second"] else {0}
    minutes = unit(has["minute"], "minute", 60) if has["minute"] else set(range(60))
    hours = unit(has["hour"], "hour", 24)
    return {(h, m, s) for h in hours for m in minutes for s in seconds}


def holds(words: str, day: datetime) -> bool:
    """Return whether a sentence says that something is due on a day."""
    words = words.removesuffix(", by the clock of UTC")
    in_ = re.search(r", in ([A-Z].*)$", words)
    if in_ and day.month - 1 not in numbers(in_[1], _YEAR):
        return False
    words = words[: in_.start()] if in_ else words
    dom = re.search(r"days? (\d[\d, a-z/]*?) of the month", words)
    dow = re.search(r"((?:(?:, | and | to |)(?:[A-Z][a-z]+day))+)", words)
    of_month = not dom or day.day in numbers(dom[1], list(map(str, range(32))))
    of_week = not dow or day.weekday() in numbers(dow[1], _WEEK)
    return of_month or of_week if words.endswith(" besides") else of_month and of_week


@st.composite
def a_field(draw: st.DrawFn, low: int, high: int) -> str:
    number = st.integers(low, high)
    first, last = sorted((draw(number), draw(number)))
    step = draw(st.integers(1, 7))
    shapes = ["*", f"*/{step}", f"{first}", f"{first},{last}", f"{first}-{last}"]
    return draw(st.sampled_from([*shapes, f"{first}-{last}/{step}", f"{first}/{step}"]))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["", "0 ", "30 ", "*/20 ", "5-9/2 "]),
    st.tuples(a_field(0, 59), a_field(0, 23), a_field(1, 28), a_field(1, 12), a_field(0, 6)),
    st.integers(0, 400),
)
def test_what_a_sentence_claims_is_when_it_is_due(
    second: str, fields: tuple[str, ...], start: int
) -> None:
    expression = second + " ".join(fields)
    words = sentence(expression, "UTC").replace(" in steps of ", "/")
    clause = re.split(r", (?=on |in |by )", words)[0]
    schedule = compile_schedule(expression, "UTC")
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=start)
    at = schedule.next_after(first - timedelta(seconds=1))
    assert at is not None
    for day in (first, at.replace(hour=0, minute=0, second=0)):
        claimed = times(clause) if holds(words, day) else set()
        tick = timedelta(seconds=1)
        due = schedule.between(day - tick, day + timedelta(days=1) - tick)
        assert {(d.hour, d.minute, d.second) for d in due} == claimed, words


# -- changes of the clocks -----------------------------------------------------------------------


def effects(schedule: str, zone: str = "Europe/Berlin") -> list[dict[str, list[str]]]:
    """Return what the two changes of 2026 do."""
    found = []
    for change in islice(clock_changes(find_zone(zone), datetime(2026, 1, 1, tzinfo=UTC)), 2):
        effect = effect_of(change, compile_schedule(schedule, zone))
        kinds = {kind: getattr(effect, kind) for kind in ("skipped", "moved", "doubled", "once")}
        found.append({k: [f"{w:%H:%M}" for w in walls] for k, walls in kinds.items() if walls})
    return found


@pytest.mark.parametrize(
    ("schedule", "spring", "autumn"),
    [
        ("30 2 * * *", {"moved": ["02:30"]}, {"once": ["02:30"]}),
        ("*/30 2 * * *", {"skipped": ["02:00", "02:30"]}, {"doubled": ["02:00", "02:30"]}),
        ("30 2 * * *; dst skip", {"skipped": ["02:30"]}, {"once": ["02:30"]}),
        ("30 2 * * *; jitter 5m of a", {"moved": ["02:30"]}, {"once": ["02:30"]}),
        ("30 2 * * *; exclude * * 29 3 *", {}, {"once": ["02:30"]}),
        ("30 2 * * *; exclude 0 3 * * *", {"skipped": ["02:30"]}, {"once": ["02:30"]}),
        ("30 2 * * * | 0 3 * * *; exclude * 2 * * *", {}, {}),
        ("*/30 2 * * *; exclude 30 2 * * *", {"skipped": ["02:00"]}, {"doubled": ["02:00"]}),
        ("30 2 * * *; end 2026-02-01", {}, {}),
        ("30 2 * * *; end 2026-03-29T03:00", {}, {}),
        ("30 2 * * *; end 2026-03-29T03:01", {"moved": ["02:30"]}, {}),
        ("30 2 * * *; start 2026-03-29T03:00", {"moved": ["02:30"]}, {"once": ["02:30"]}),
        ("30 2 * * *; start 2026-03-29T03:01", {}, {"once": ["02:30"]}),
        ("30 2 * * *; start 2026-06-01", {}, {"once": ["02:30"]}),
        ("0 3 * * *", {}, {}),
        ("@every 1h", {}, {}),
    ],
)
def test_a_change_of_the_clocks_skips_moves_or_doubles_due_times(
    schedule: str, spring: dict[str, list[str]], autumn: dict[str, list[str]]
) -> None:
    assert effects(schedule) == [spring, autumn]


def test_a_change_is_found_to_the_second_with_what_clocks_show() -> None:
    spring, autumn = islice(
        clock_changes(find_zone("Europe/Berlin"), datetime(2026, 1, 1, tzinfo=UTC)), 2
    )
    assert spring.at == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert (spring.before.hour, spring.after.hour, spring.is_forward) == (2, 3, True)
    assert autumn.at == datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert (autumn.before.hour, autumn.after.hour, autumn.is_forward) == (3, 2, False)


def test_where_clocks_do_not_change_there_is_none() -> None:
    assert list(clock_changes(find_zone("Asia/Tokyo"), datetime(2026, 1, 1, tzinfo=UTC))) == []
