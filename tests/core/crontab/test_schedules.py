"""When jobs of a crontab are due: lists, rules, calendars, and each mistake once."""

import contextlib
from datetime import UTC, datetime

import pytest

from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError

HEAD = """version: 1
clusters: [a]
"""
CALENDARS = (
    'calendars: {holidays: [2026-12-25, "2027-01-01..2027-01-02"], nights: ["* 0-5 * * *"]}\n'
)


def a_crontab(*keys: str, head: str = CALENDARS, defaults: str = "{cluster: a}") -> str:
    """Return a crontab of one job with some more keys."""
    job = ["- name: x", "  command: run", *(f"  {key}" for key in keys)]
    return "\n".join([HEAD + head + f"defaults: {defaults}", "jobs:", *job, ""])


def the_job(*keys: str, defaults: str = "{cluster: a}") -> Job:
    [job] = parse_crontab(a_crontab(*keys, defaults=defaults)).jobs
    return job


def problems(text: str) -> list[str]:
    with pytest.raises(CrontabError) as caught:
        parse_crontab(text)
    return list(map(str, caught.value.problems))


def in_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


DAILY = 'schedule: "@daily"'


@pytest.mark.parametrize(
    ("keys", "schedule"),
    [
        ([DAILY], "@daily"),
        (['schedule: ["@daily"]'], "@daily"),
        (['schedule: ["@daily", "H 9 * * ?"]'], "@daily | 22 9 * * *"),
        ([DAILY, "exclude: 2026-12-24"], "@daily; exclude 2026-12-24"),
        (
            [DAILY, "exclude: [holidays, 2026-12-24, 2026-12-25]"],
            "@daily; exclude 2026-12-25 | 2027-01-01..2027-01-02 | 2026-12-24",
        ),
        (
            [DAILY, "start: 2026-01-01", 'end: "2026-02-01T12:00"'],
            "@daily; start 2026-01-01; end 2026-02-01T12:00",
        ),
        ([DAILY, "jitter: 90"], "@daily; jitter 1m30s of x"),
        ([DAILY, "dst: skip"], "@daily; dst skip"),
    ],
)
def test_what_a_job_says_of_when_it_is_due_is_one_text(keys: list[str], schedule: str) -> None:
    assert the_job(*keys).schedule == schedule


def test_jobs_have_in_common_what_the_defaults_say_unless_they_say_otherwise() -> None:
    defaults = "{cluster: a, exclude: nights, jitter: 5m, dst: twice}"
    job = the_job('schedule: "@hourly"', defaults=defaults)
    assert job.schedule == "@hourly; exclude * 0-5 * * *; dst twice; jitter 5m of x"
    assert the_job(DAILY, "exclude: []", "jitter:", "dst: once", defaults=defaults) == the_job(
        DAILY, "exclude:", "jitter:", "dst: once", defaults=defaults
    )
    job = the_job(DAILY, "exclude:", "jitter:", "dst: once", defaults=defaults)
    assert job.schedule == "@daily; dst once"


def test_what_is_like_the_defaults_has_no_schedule_of_its_own() -> None:
    text = a_crontab(DAILY, defaults="{cluster: a, jitter: 5m}")
    default = parse_crontab(text).default
    assert default is not None
    assert default.schedule == ""


HOURS = 'schedule: ["0 9 * * *", "0 12 * * *"]'


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            ['schedule: ["0 9 * * *", "0 25 * * *"]'],
            "line 8, column 27: job 'x': schedule '0 25 * * *': hour '25' is out of range",
        ),
        (["schedule: []"], "job 'x': schedule is an empty list; write a text, or several"),
        (["schedule: [5]"], "job 'x': schedule must be text, or a list of texts; quote it"),
        (
            ['schedule: "@daily | @hourly"'],
            "schedule '@daily | @hourly': is not a schedule; write several as a list",
        ),
        (['schedule: "@daily; jitter 5m of y"'], "rules under keys of their own"),
        (
            [HOURS, "exclude: [2026-12-24, 2026-02-30]"],
            "line 9, column 25: job 'x': exclude '2026-02-30' does not exist: day is out of range",
        ),
        (
            [HOURS, "exclude: 'H 3 * * *'"],
            "exclude 'H 3 * * *' is spread by 'H'; write the very times that are excluded",
        ),
        ([HOURS, "exclude: '61 3 * * *'"], "exclude '61 3 * * *': minute '61' is out of range"),
        (
            [HOURS, "exclude: holiday"],
            "exclude 'holiday' is no calendar, and no date; 'calen",
        ),
        ([HOURS, "exclude: [5]"], "exclude must be text, or a list of texts; quote it"),
        ([HOURS, "start: tomorrow"], "start 'tomorrow' is not a date or a time; write it like"),
        (
            [HOURS, "start: 2026-02-01", "end: 2026-01-01"],
            "line 10, column 8: job 'x': end '2026-01-01' is not after start '2026-02-01'",
        ),
        ([HOURS, "dst: thrice"], "dst 'thrice' is not known; write 'once', 'skip' or 'twice'"),
        ([HOURS, "jitter: 0s"], "jitter '0s' must be at least 1s, in whole seconds"),
        ([HOURS, "jitter: soon"], "jitter 'soon' is not a length of time"),
        (
            [HOURS, "exclude: '* 9,12 * * *'"],
            "line 8, column 13: job 'x': schedule can never be due: all that it names is excluded",
        ),
        ([HOURS, "exclude: 2026-12-24", "timezone: Mars"], "time zone 'Mars' is not known"),
    ],
)
def test_a_mistake_is_one_problem_where_it_stands(keys: list[str], problem: str) -> None:
    [found] = problems(a_crontab(*keys))
    assert problem in found


@pytest.mark.parametrize(
    ("calendars", "problem"),
    [
        ("calendars: [2026-12-25]\n", "'calendars' must be a mapping of names, each with a list"),
        ("calendars: {holidays: 3}\n", "calendar 'holidays' must be a list of dates, ranges and"),
        ("calendars: {holidays: [5]}\n", "calendar 'holidays': 5 must be text; quote it"),
        (
            "calendars: {holidays: [2026-12-24, 2026-12-32]}\n",
            "line 3, column 36: calendar 'holidays': '2026-12-32' does not exist",
        ),
        ("calendars: {'2026': [2026-12-24]}\n", "'2026' is not a name for a calendar; begin it"),
        ("calendar: {holidays: [2026-12-24]}\n", "key 'calendar' is not known; did you mean"),
    ],
)
def test_a_mistake_in_a_calendar_is_no_mistake_of_the_jobs_that_name_it(
    calendars: str, problem: str
) -> None:
    text = a_crontab(DAILY, "exclude: holidays", head=calendars)
    [found] = problems(
        text + '- {name: y, command: run, schedule: "@daily", exclude: [holidays]}\n'
    )
    assert problem in found


def test_a_name_that_no_calendar_has_is_another_mistake() -> None:
    head = "calendars: {holidays: [2026-12-32]}\n"
    date, name = problems(a_crontab(DAILY, "exclude: [holidays, vacation]", head=head))
    assert "'2026-12-32' does not exist" in date
    assert "exclude 'vacation' is no calendar, and no date; 'calendars' names holidays" in name


def test_a_mistake_in_the_defaults_is_no_mistake_of_the_jobs() -> None:
    text = a_crontab(DAILY, defaults="{cluster: a, exclude: [2026-02-30]}")
    [found] = problems(text + '- {name: y, command: run, schedule: "@hourly"}\n')
    assert found.startswith("line 4, column 34: defaults: exclude '2026-02-30' does not exist")


def test_an_empty_list_of_calendars_is_none() -> None:
    assert parse_crontab(a_crontab(DAILY, head="calendars:\n")).jobs


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize(
    "keys",
    [
        ["end: 9999-12-31"],
        ["end: '9999-12-31 23:59'"],
        ["exclude: 2026-01-01..2026-01-02", "end: 9999-01-01"],
        ["exclude: 9999-12-31"],
        ["exclude: 9999-12-30..9999-12-31"],
    ],
)
def test_the_last_day_of_the_calendar_means_never(keys: list[str], zone: str) -> None:
    job = the_job(DAILY, *keys, f"timezone: {zone}", "expect_within: 3d", "jitter: 10m")
    due = compile_schedule(job.schedule, job.timezone).next_after(in_year(2500))
    assert due is not None


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_what_is_due_at_the_end_of_the_calendar_only_is_no_fault_of_ours(zone: str) -> None:
    for schedule, *rest in (
        ["schedule: '@at 9999-12-31T23:59'", "jitter: 10m"],
        [DAILY, "start: 9999-12-30", "expect_within: 40d"],
        [DAILY, "start: '9999-12-31 23:59'"],
        [DAILY, "exclude: 2026-01-01..9999-12-31", "start: 2026-01-01"],
    ):
        text = a_crontab(schedule, *rest, f"timezone: {zone}")
        with contextlib.suppress(CrontabError):
            job = parse_crontab(text).jobs[0]
            compile_schedule(job.schedule, job.timezone).next_after(in_year(9000))
