"""What ``jobs`` and ``next`` say of what is in force, if a broker answers; and if none does."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cronstream import clock
from cronstream.cli.connection import Connections
from cronstream.cli.main import main
from cronstream.errors import UnreachableError
from cronstream.settings import Settings, settings
from tests.builders import NAMES, NOON, at
from tests.cli.test_paused import paused_by
from tests.cli.test_workers import Installation
from tests.core.health.test_presence import a_scheduler
from tests.scheduler.fakes import a_job

CRONTAB = """\
version: 1
clusters: [cluster-a]
defaults: {cluster: cluster-a}
jobs:
  - {name: backup, command: x, schedule: "@hourly"}
  - {name: report, command: x, schedule: "30 * * * *"}
  - {name: old, command: x, schedule: "@hourly", enabled: false}
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose jobs are those of the crontab, at noon."""
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    monkeypatch.setenv("CRONSTREAM_CRONTAB", str(tmp_path / "crontab.yaml"))
    monkeypatch.setattr(clock, "now", lambda: NOON)
    settings.cache_clear()
    made = Installation()
    made.create(NAMES.jobs, 1)
    return made


def ask(there: Installation | Connections, *arguments: str) -> Result:
    connections = there if isinstance(there, Connections) else there.connections
    return CliRunner().invoke(main, arguments, obj=connections)


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# -- the crontabs of schedulers ------------------------------------------------------------------


def test_jobs_says_that_schedulers_have_read_different_crontabs(there: Installation) -> None:
    there.told(a_scheduler("node1.s", crontab="460742f7e190"))
    differs = ["job report removed", "job backup: schedule '@hourly' → '@daily'"]
    there.told(a_scheduler("node2.s", crontab="0123456789ab", crontab_differs=differs))

    said = ask(there, "jobs")
    assert said.stderr == (
        "the crontab is not the same everywhere: 0123456789ab in node2.s (scheduler), "
        "460742f7e190 in node1.s (scheduler); give all schedulers one: whose turn it is decides\n"
        "with the file of node2.s: job report removed\n"
        "with the file of node2.s: job backup: schedule '@hourly' → '@daily'\n"
    )
    assert len(said.stdout.splitlines()) == 4
    listed = objects(ask(there, "jobs", "--json"))
    assert {tuple(job["crontabs"]) for job in listed} == {("0123456789ab", "460742f7e190")}


def test_jobs_says_nothing_of_schedulers_that_agree_or_are_gone(there: Installation) -> None:
    there.told(a_scheduler("node1.s", crontab="460742f7e190"))
    there.told(a_scheduler("node2.s", crontab="460742f7e190"))
    there.told(a_scheduler("node3.s", crontab="0123456789ab"), ago_s=60)
    there.told(a_scheduler("node4.s"))  # It has read none yet.

    assert ask(there, "jobs").stderr == ""
    assert objects(ask(there, "jobs", "--json"))[0]["crontabs"] == ["460742f7e190"]


def test_a_file_that_is_named_is_listed_without_asking_anybody(there: Installation) -> None:
    there.told(a_scheduler("node1.s", crontab="460742f7e190"))
    file = str(settings().crontab)
    there.questions = 0

    assert objects(ask(there, "jobs", file, "--json"))[0]["crontabs"] is None
    assert there.questions == 0


# -- a broker that does not answer ---------------------------------------------------------------


async def nobody(_: Settings) -> None:
    raise UnreachableError("no Kafka answers", "start one")


async def never(_: Settings) -> None:
    await asyncio.Event().wait()


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("command", ["jobs", "next"])
def test_without_a_broker_the_file_is_listed_and_nobody_speaks_of_it(command: str) -> None:
    [first, *_] = objects(ask(Connections(probe=nobody), command, "--json"))
    assert first["crontabs" if command == "jobs" else "paused"] is None
    assert "Kafka" not in ask(Connections(probe=nobody), command).stderr


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("probe", "why"), [(nobody, "no Kafka answers"), (never, "Kafka has not answered within")]
)
def test_one_that_was_named_and_does_not_answer_is_spoken_of(
    monkeypatch: pytest.MonkeyPatch, probe: Any, why: str
) -> None:
    monkeypatch.setenv("CRONSTREAM_BROKER", "kafka://192.0.2.7:9092")
    monkeypatch.setattr("cronstream.cli.glance._WITHIN_S", 0.01)

    said = ask(Connections(probe=probe), "next")
    assert said.exit_code == 0
    assert len(said.stdout.splitlines()) == 11
    assert f"it is not known what people have paused: {why}" in said.stderr


# -- what is paused ------------------------------------------------------------------------------


def test_a_job_that_the_file_disables_is_not_due_and_that_is_said(there: Installation) -> None:
    assert {each["job"] for each in objects(ask(there, "next", "--json"))} == {"backup", "report"}
    assert objects(ask(there, "jobs", "--json"))[2]["next"] is None

    said = ask(there, "next", "old")
    assert (said.exit_code, said.stdout) == (0, "")
    disabled, nothing = said.stderr.splitlines()
    assert disabled == "job old is paused by the crontab (enabled: false)"
    assert nothing.endswith("nothing is due")


def test_due_times_in_a_pause_are_marked_and_those_after_it_are_not(there: Installation) -> None:
    word = paused_by("backup", until=at(90 * 60))
    there.job(a_job("backup", cluster="cluster-a", control=word), NOON)
    there.job(a_job("report", cluster="cluster-a"), NOON)

    found = objects(ask(there, "next", "--count", "4", "--json"))
    assert [(each["job"], each["paused"]) for each in found] == [
        ("report", False),
        ("backup", True),
        ("report", False),
        ("backup", False),
    ]
    said = ask(there, "next", "backup", "--count", "2")
    _, first, second = said.stdout.splitlines()
    assert first.endswith("cluster-a  paused")
    assert second.endswith("cluster-a")
    assert said.stderr.startswith("job backup is paused by ada since 2026-01-01T11:59:55Z until ")


def test_only_the_pauses_of_the_job_that_was_asked_for_are_told(there: Installation) -> None:
    for name in ("backup", "elsewhere", "old"):
        word = paused_by(name, until=None)
        there.job(a_job(name, cluster="cluster-a", control=word, enabled=name != "old"), NOON)

    assert ask(there, "next", "report").stderr == ""
    of_all = ask(there, "next").stderr.splitlines()
    assert [line.split(" since")[0] for line in of_all] == [
        "job old is paused by the crontab (enabled: false)",
        "job backup is paused by ada",
        "job old is paused by ada",
    ]
