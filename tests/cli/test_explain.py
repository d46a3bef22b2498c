"""``cronstream explain``: schedules in words."""

import json
from pathlib import Path

import pytest

from cronstream import clock
from cronstream.settings import settings
from tests.builders import NOON
from tests.cli.conftest import Command

CRONTAB = """\
version: 1
clusters: [a]
jobs:
  - {name: backup, cluster: a, schedule: "30 2 * * *", timezone: Europe/Berlin, command: "true"}
  - {name: later, cluster: a, schedule: "@daily", enabled: false, command: "true"}
  - {name: over, cluster: a, schedule: "@at 2020-01-01T00:00", command: "true"}
"""


@pytest.fixture(autouse=True)
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a crontab where settings say; it is noon."""
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    monkeypatch.setenv("CRONSTREAM_CRONTAB", str(tmp_path / "crontab.yaml"))
    monkeypatch.setattr(clock, "now", lambda: NOON)
    settings.cache_clear()


def test_a_job_is_explained_in_words_with_due_times_and_changes_of_the_clocks(
    command: Command,
) -> None:
    lines = command("explain", "backup").stdout.splitlines()
    assert lines[0] == "30 2 * * *: at 02:30 every day, by the clock of Europe/Berlin."
    assert "2026-01-02T01:30:00Z  Fri 2026-01-02 02:30:00 +0100" in lines
    assert len(lines) == 1 + 12 + 1 + 2
    spring, autumn = lines[-2:]
    assert spring.startswith(
        "On 2026-03-29 clocks go forward, from 02:00 to 03:00: 02:30 is due ri"
    )
    assert autumn == "On 2026-10-25 clocks go back, from 03:00 to 02:00: 02:30 is due once."


def test_an_expression_is_explained_in_any_zone(command: Command) -> None:
    shown = command("explain", "*/10 2 * * *", "--tz", "Europe/Berlin").stdout
    assert "02:00, 02:10, 02:20 and 3 more are due both times." in shown
    shown = command("explain", "0 9 * * *", "--tz", "Europe/Berlin").stdout
    assert "that touches none of its due times." in shown


def test_what_is_past_and_clocks_that_do_not_change_are_said_to_be_so(command: Command) -> None:
    shown = command("explain", "over").stdout
    assert "It is not due any more." in shown
    assert "The clocks of UTC do not change in the next three years." in shown


def test_of_a_job_that_the_crontab_has_paused_that_is_said(command: Command) -> None:
    answer = command("explain", "later")
    assert "job later is paused by the crontab (enabled: false)" in answer.stderr
    assert json.loads(command("explain", "later", "--json").stdout)["enabled"] is False
    assert "paused" not in command("explain", "backup").stderr


def test_h_is_explained_for_a_name(command: Command) -> None:
    assert "at 16:52 every day" in command("explain", "H H * * *", "--name", "backup").stdout
    result = command("explain", "H H * * *")
    assert result.exit_code == 2
    assert "is spread by the name of a job" in result.stderr
    assert command("explain", "H(0-99) * * * *", "--name", "a").exit_code == 2


def test_a_program_gets_all_of_it(command: Command) -> None:
    found = json.loads(command("explain", "backup", "--json").stdout)
    assert found["sentence"] == "at 02:30 every day, by the clock of Europe/Berlin"
    assert len(found["due"]) == 10
    assert [change["moved"] for change in found["clock_changes"]] == [["2026-03-29T02:30:00"], []]


def test_what_is_no_schedule_and_no_job_is_refused(command: Command) -> None:
    assert "minute '61' is out of range" in command("explain", "61 * * * *").stderr
    assert "time zone 'Mars' is not known" in command("explain", "@daily", "--tz", "Mars").stderr
    assert command("explain", "nightly").exit_code == 3
