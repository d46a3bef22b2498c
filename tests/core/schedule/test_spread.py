"""``H``: a number that a job's name picks."""

import hashlib
import os
import subprocess
import sys
from collections import Counter

import pytest

from cronstream.core.schedule.spread import spread, spread_instead
from cronstream.errors import ScheduleError

NAMES = [f"job-{n}" for n in range(10_000)]


@pytest.mark.parametrize(
    ("expression", "job", "expected"),
    [
        ("H H * * *", "backup", "52 16 * * *"),
        ("H H * * *", "report", "48 18 * * *"),
        ("H H H H H H", "backup", "3 52 16 22 3 4"),
        ("H(0-29) * * * *", "backup", "22 * * * *"),
        ("H/15 * * * *", "backup", "7-59/15 * * * *"),
        ("H(0-29)/10 H(1-5) * * *", "backup", "2-29/10 2 * * *"),
        ("h h * * h", "Zürich", "9 15 * * 2"),
    ],
)
def test_a_name_has_its_numbers_for_ever(expression: str, job: str, expected: str) -> None:
    """Whoever changes one of these moves the jobs of everybody who has written ``H``."""
    assert spread(expression, job) == expected


def test_10_000_names_have_their_numbers_for_ever() -> None:
    expressions = ("H H H H H H", "H(3-17) H(2-9) H(5-31) H(2-5) H(1-3)", "H/7 H/5 H/9 H/4 H/2")
    said = "\n".join(spread(each, name) for each in expressions for name in NAMES)
    assert hashlib.sha256(said.encode()).hexdigest() == (
        "5ef0db3ed300925cca813723643b28f9125cdc00a5e1eec3883700eae6eae0e0"
    )


def test_the_numbers_do_not_depend_on_the_process() -> None:
    script = "from cronstream.core.schedule.spread import spread; print(spread('H H * * *', 'a'))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert seen == {f"{spread('H H * * *', 'a')}\n".encode()}


#: The chi-square that a fair die with so many sides stays below in 999 of 1000 tries.
_LIMITS = {60: 98.3, 24: 49.7, 28: 55.5, 12: 31.3, 7: 22.5, 30: 58.3, 15: 36.1, 1440: 1613.0}


def chi_square(counts: Counter[str], sides: int) -> float:
    expected, missing = len(NAMES) / sides, [0] * (sides - len(counts))
    return sum((count - expected) ** 2 / expected for count in [*counts.values(), *missing])


@pytest.mark.parametrize(
    ("place", "field", "sides"),
    [
        (0, "H", 60),
        (1, "H", 60),
        (2, "H", 24),
        (3, "H", 28),
        (4, "H", 12),
        (5, "H", 7),
        (1, "H(0-29)", 30),
        (1, "H/15", 15),
    ],
)
def test_10_000_names_are_spread_evenly_over_a_field(place: int, field: str, sides: int) -> None:
    fields = ["*"] * 6
    fields[place] = field
    counts = Counter(spread(" ".join(fields), name).split()[place] for name in NAMES)
    assert chi_square(counts, sides) < _LIMITS[sides]


def test_hours_and_minutes_are_spread_independently() -> None:
    counts = Counter(spread("H H * * *", name) for name in NAMES)
    assert chi_square(counts, 1440) < _LIMITS[1440]


@pytest.mark.parametrize(
    "expression", ["0 0 * mar thu", "@hourly", "@every 1h", "* * * * *", "oh no", "0 H * *"]
)
def test_what_has_no_such_field_stays_as_it_is(expression: str) -> None:
    assert spread(expression, "backup") == expression


def test_a_question_mark_is_written_as_a_star_where_it_is_one() -> None:
    assert spread("0 0 ? * mon", "a") == "0 0 * * mon"
    assert spread("0 0 0 1 * ?", "a") == "0 0 0 1 * *"
    assert spread("? 0 1 * *", "a") == "? 0 1 * *"


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("H(0-60) * * * *", r"minute 'H\(0-60\)' is out of range; it goes from 0 to 59"),
        ("* H(5-2) * * *", "hour .* runs backwards; write the smaller number first"),
        ("* * H(0-3) * *", "day of month .* goes from 1 to 31"),
        ("H/0 * * * *", "minute 'H/0' has a step of 0; here steps go from 1 to 60"),
        ("H(0-9)/20 * * * *", "steps go from 1 to 10"),
    ],
)
def test_a_range_or_a_step_that_its_field_does_not_have_is_refused(
    expression: str, sentence: str
) -> None:
    with pytest.raises(ScheduleError, match=sentence):
        spread(expression, "backup")


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("0 3 * * *", "H 3 * * *"),
        ("30 3 1,15 * mon", "H 3 1,15 * mon"),
        ("@hourly", "H * * * *"),
        ("@daily", "H 0 * * *"),
        ("@weekly", "H 0 * * 0"),
        ("@every 1h", "H * * * *"),
        ("@every 15m", "H/15 * * * *"),
        ("*/15 * * * *", "H/15 * * * *"),
        ("0,30 8-17 * * *", "H/30 8-17 * * *"),
        ("* * * * *", "H * * * * *"),
        ("0,10 * * * *", "H 0,10 * * * *"),
        ("*/7 * * * *", "H */7 * * * *"),
        ("5-50/15 * * * *", "H 5-50/15 * * * *"),
        ("0 30 3 * * *", "H H 3 * * *"),
        ("0 * * * * *", "H * * * * *"),
        # It is spread over the minutes already.
        ("52 3 * * *", "H H 3 * * *"),
        ("*/5 0 3 * * *", "*/5 0 3 * * *"),
        ("@every 7m", "@every 7m"),
        ("@every 90s from 00:15", "@every 90s from 00:15"),
        ("@at 2026-12-24T18:00", "@at 2026-12-24T18:00"),
    ],
)
def test_a_schedule_can_be_spread_with_as_many_due_times(expression: str, instead: str) -> None:
    assert spread_instead(expression, "backup") == instead
