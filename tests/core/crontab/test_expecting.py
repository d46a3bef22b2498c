"""A job that is expected to succeed more often than it is due is a mistake, said once."""

import pytest

from cronstream.core.crontab.parser import parse_crontab
from tests.core.crontab.test_parser import a_crontab, problems, the_job


def _scheduled(schedule: str, within: str, zone: str = "UTC") -> str:
    more = f"expect_within: {within}\ntimezone: {zone}"
    return a_crontab(more).replace('"@hourly"', f'"{schedule}"')


@pytest.mark.parametrize(
    ("schedule", "within", "zone"),
    [
        ("30 2 * * *", "26h", "UTC"),
        ("30 2 * * *", "26h", "Europe/Berlin"),
        ("*/5 * * * *", "6m", "UTC"),
        ("@every 10s", "11s", "UTC"),
        ("0 9 * * mon-fri", "73h", "UTC"),
        ("@monthly", "32d", "UTC"),
    ],
)
def test_what_is_longer_than_each_gap_of_the_schedule_is_taken(
    schedule: str, within: str, zone: str
) -> None:
    parse_crontab(_scheduled(schedule, within, zone))


@pytest.mark.parametrize(
    ("schedule", "within", "zone", "gap"),
    [
        ("30 2 * * *", "1d", "UTC", "1d"),
        ("30 2 * * *", "12h", "UTC", "1d"),
        ("0 4 * * *", "24h30m", "Europe/Berlin", "1d1h"),
        ("0 9 * * mon-fri", "26h", "UTC", "3d"),
        ("@every 10s", "10s", "UTC", "10s"),
        ("@weekly", "7d", "UTC", "7d"),
        ("*/5 9-17 * * mon-fri", "1h", "UTC", "2d15h5m"),
    ],
)
def test_what_is_not_is_one_sentence_with_the_remedy(
    schedule: str, within: str, zone: str, gap: str
) -> None:
    [problem] = problems(_scheduled(schedule, within, zone))

    assert "job 'backup': expect_within" in problem
    assert f"no longer than the {gap}" in problem
    assert "give it that, and the time that a run takes" in problem


@pytest.mark.parametrize("within", ["0s", "41d", "-1s", "often"])
def test_what_is_no_such_length_of_time_is_refused(within: str) -> None:
    [problem] = problems(a_crontab(f"expect_within: {within}"))

    assert "expect_within" in problem


def test_a_default_holds_for_jobs_that_say_nothing_and_an_empty_value_does_without() -> None:
    assert the_job(a_crontab(defaults="{expect_within: 2h}")).expect_within_s == 7200
    silent = a_crontab("expect_within:", defaults="{expect_within: 2h}")
    assert the_job(silent).expect_within_s is None


def test_a_default_that_does_not_fit_a_schedule_is_reported_at_the_job() -> None:
    [problem] = problems(a_crontab(defaults="{expect_within: 30m}"))

    assert problem.startswith("crontab.yaml:5") or "job 'backup'" in problem


def test_a_schedule_that_is_wrong_is_the_only_thing_that_is_said() -> None:
    [problem] = problems(_scheduled("every day", "26h"))

    assert "schedule" in problem


def test_a_job_that_is_due_once_has_no_gap_to_be_longer_than() -> None:
    parse_crontab(_scheduled("@at 2099-01-01T00:00", "1h"))
