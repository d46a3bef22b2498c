"""Calendar events of systemd, against what systemd itself says of them."""

import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from cronstream.core.schedule.rules import Rules
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.importers.calendar import parse_calendar
from cronstream.importers.found import Lost
from cronstream.importers.spans import parse_span

#: Each with the schedule that it becomes, and what is excluded.
EVENTS = {
    "*-*-* 02:30:00": ("30 2 * * *", ""),
    "minutely": ("* * * * *", ""),
    "hourly": ("0 * * * *", ""),
    "daily": ("0 0 * * *", ""),
    "weekly": ("0 0 * * mon", ""),
    "Monthly": ("0 0 1 * *", ""),
    "yearly": ("0 0 1 1 *", ""),
    "quarterly": ("0 0 1 */3 *", ""),
    "semiannually": ("0 0 1 1,7 *", ""),
    "Semi-Annually": ("0 0 1 1,7 *", ""),
    "biannually": ("0 0 1 1,7 *", ""),
    "bi-annually": ("0 0 1 1,7 *", ""),
    "anually": ("0 0 1 1 *", ""),  # codespell:ignore anually
    "27-3-1 5:6": ("6 5 1 3 *", ""),
    "27..28-1-1": ("0 0 1 1 *", ""),
    "@1893456000": ("0 0 1 1 *", ""),
    "@1900000007": ("47 46 17 17 3 *", ""),
    "daily utc": ("0 0 * * *", ""),
    "Mon..Fri *-*-* 09,17:00:00": ("0 9,17 * * mon-fri", ""),
    "Mon-Fri 09:00": ("0 9 * * mon-fri", ""),
    "Monday,Tue,Sun 10:00": ("0 10 * * mon,tue,sun", ""),
    "*:0/15": ("*/15 * * * *", ""),
    "*-*-* *:00/30": ("0,30 * * * *", ""),
    "*:*:0/10": ("*/10 * * * * *", ""),
    "*-*-* 0/4:00:00": ("0 */4 * * *", ""),
    "*-*-* 06..08,20:15:30.000": ("30 15 6-8,20 * * *", ""),
    "*-*-1..7 03:00:00": ("0 3 1-7 * *", ""),
    "Mon *-*-1..7 18:00:00": ("0 18 * * mon#1", ""),
    "Fri *-*-8..14,22..28 05:10": ("10 5 * * fri#2,fri#4", ""),
    "Sun *-*-13 12:00": ("0 12 13 * *", "* * * * mon-sat"),
    "Thu,Fri 2027-*-1,5 11:12:13": ("13 12 11 1,5 * *", "* * * * mon,tue,wed,sat,sun"),
    "*-*~01 04:00": ("0 4 L * *", ""),
    "*-02,05~3,1 05:00": ("0 5 L-2,L 2,5 *", ""),
    "Mon *-05~07/1": ("0 0 * 5 monL", ""),
    "*-1/3-1 04:05": ("5 4 1 */3 *", ""),
    "*-*-1..31/5 3:00": ("0 3 */5 * *", ""),
    "2027..2028-02-29 12:00": ("0 12 29 2 *", ""),
    "12-25 08:00": ("0 8 25 12 *", ""),
    "05:40": ("40 5 * * *", ""),
    "*-*-* 08:00:00 Europe/Berlin": ("0 8 * * *", ""),
    "*-*-1,15 00:00 UTC": ("0 0 1,15 * *", ""),
}


@pytest.mark.parametrize(("event", "written"), EVENTS.items())
def test_an_event_becomes_a_schedule(event: str, written: tuple[str, str]) -> None:
    calendar = parse_calendar(event)
    assert (calendar.schedule, calendar.exclude) == written


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
@pytest.mark.parametrize("event", EVENTS)
def test_its_due_times_are_those_that_systemd_says(event: str) -> None:
    said = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=10", "--base-time=2026-10-20 UTC", event],
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    ).stdout
    theirs = [
        datetime.fromisoformat(found).replace(tzinfo=UTC)
        for found in re.findall(r"[A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", said)
    ]
    calendar = parse_calendar(event)
    exclude = (calendar.exclude,) if calendar.exclude else ()
    rules = Rules((calendar.schedule,), exclude, calendar.start, calendar.end)
    schedule = compile_schedule(rules.text(), calendar.zone or "UTC")

    ours: list[datetime] = []
    due = datetime(2026, 10, 20, tzinfo=UTC)
    while len(ours) < len(theirs) and (following := schedule.next_after(due)):
        due = following
        ours.append(due)
    assert theirs
    assert ours == theirs


@pytest.mark.parametrize(
    "event",
    [
        "Fri..Mon 06:30",
        "*-*-~1 23:00",
        "tomorrow",
        "25:00",
        "*-*-* 12",
        "12:30:30.5",
        "*-13-01",
        "2027,2029-*-*",
        "Fri *-*~05",
        "Xyz 10:00",
        "*-*-* 10:00 12:00",
        "*:0/0",
        "10:00 Mars/One",
        "*-*~07..01",
        "@",
        "@1893456000.5",
        "@99999999999",
        "Mon Tue",
    ],
)
def test_what_is_no_event_or_no_schedule_of_ours_is_refused(event: str) -> None:
    with pytest.raises(Lost):
        parse_calendar(event)


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Mars/One", "XYZ"])
def test_of_a_zone_that_is_none_it_is_said_that_it_is_none(zone: str) -> None:
    for event in ("daily", "Mon 10:00", "05:40"):
        with pytest.raises(Lost, match=f"^time zone '{zone}' is not known"):
            parse_calendar(f"{event} {zone}")


def test_a_year_of_two_digits_is_of_this_century_or_of_the_last() -> None:
    assert parse_calendar("69-1-1").start == "2069-01-01"
    assert parse_calendar("70..72-1-1").start == "1970-01-01"
    assert parse_calendar("70..72-1-1").end == "1972-12-31"
    assert parse_calendar("2027-1-1").start == "2027-01-01"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("15m", 900),
        ("1h 30min", 5400),
        ("2 weeks", 1_209_600),
        ("1M", 2_629_800),
        ("500ms", 0.5),
        ("infinity", None),
        ("", None),
        ("5 parsecs", None),
    ],
)
def test_a_length_is_read_as_systemd_reads_it(text: str, seconds: float | None) -> None:
    assert parse_span(text) == seconds
