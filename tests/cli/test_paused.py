"""Which jobs are paused, as ``jobs --paused`` and ``doctor`` say it, over a broker of lists."""

import json
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cronstream import clock
from cronstream.cli.main import main
from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import Claimed, Forwarded, Level, Withdrawal
from cronstream.core.wire.enumerations import ControlAction, Outcome
from tests.builders import NAMES, NOON, a_run, at
from tests.cli.fake_broker import FakeBroker
from tests.cli.test_workers import Installation
from tests.core.health.test_presence import a_process, a_scheduler
from tests.ledger_builders import finished, started
from tests.scheduler.fakes import a_job


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A whole one in which nothing is wrong, and nothing paused; it is noon."""
    monkeypatch.setattr(clock, "now", lambda: NOON)
    made = Installation()
    made.told(a_scheduler())
    made.told(a_process())
    made.told(a_process("node1.r", role="retry-worker"))
    made.create(NAMES.jobs, 1)
    return made


def paused_by(name: str, **fields: Any) -> Control:
    given = {"reason": "disk is full", "until": at(60), "job": name, **fields}
    return Control(ControlAction.PAUSE, cluster="cluster-a", by="ada", at=at(-5), **given)


def put(installation: Installation, name: str = "backup", **fields: Any) -> None:
    installation.job(a_job(name, cluster="cluster-a", **fields), NOON)


def ask(installation: Installation, *arguments: str) -> Result:
    asked = ["jobs", "--paused", *arguments]
    return CliRunner().invoke(main, asked, obj=installation.connections)


def test_the_list_says_who_has_paused_what_why_and_until_when(installation: Installation) -> None:
    put(installation, "report")
    assert ask(installation).stderr == "no job is paused\n"
    put(installation, control=paused_by("backup"))
    put(installation, "old", enabled=False)

    backup, old = map(json.loads, ask(installation, "--json").stdout.splitlines())

    assert (backup["job"], backup["by"], backup["reason"]) == ("backup", "ada", "disk is full")
    assert (backup["since"], backup["until"]) == ("2026-01-01T11:59:55Z", "2026-01-01T12:01:00Z")
    assert (old["job"], old["by"], old["since"]) == ("old", "the crontab", None)


def told(installation: Installation) -> list[tuple[str, str | None]]:
    """By whom jobs are paused, and why."""
    lines = ask(installation, "--json").stdout.splitlines()
    return [(one["by"], one["reason"]) for one in map(json.loads, lines)]


def test_a_pause_that_has_ended_and_a_word_to_go_on_are_none(installation: Installation) -> None:
    put(installation, control=paused_by("backup", until=NOON))
    put(installation, "report", control=paused_by("report").derive(action=ControlAction.RESUME))

    assert told(installation) == []


def test_a_job_that_is_paused_with_its_cluster_says_so(installation: Installation) -> None:
    put(installation, control=paused_by("backup", job=None))

    assert told(installation) == [("ada", "cluster cluster-a, disk is full")]


def test_a_job_that_a_person_and_the_file_pause_is_there_twice(installation: Installation) -> None:
    put(installation, enabled=False, control=paused_by("backup", reason="", until=None))

    assert told(installation) == [("ada", None), ("the crontab", "enabled: false")]
    _, *rows = ask(installation).stdout.splitlines()
    assert [row.split()[:3] for row in rows] == [
        ["backup", "cluster-a", "ada"],
        ["backup", "cluster-a", "the"],
    ]


def halt(broker: FakeBroker) -> str:
    """Have a discarded run pause ``backup``; return its id."""
    run, log = a_run(pause_after=1), partial(broker.log, "backup", when=NOON)
    log(Level(level=4), Withdrawal(job="backup", revision=1, effective_from=NOON))
    claim = log(run)
    log(Claimed(run=run.id, version=claim, worker="w", number=1), started(run, claim, "w"))
    decided = log(finished(run, claim, Outcome.FAILED, "w"))
    log(Forwarded(run=run.id, version=decided))
    return run.id


@pytest.mark.parametrize("is_there", [True, False])
def test_what_discarded_runs_have_paused_the_log_says_while_the_job_is_there(
    installation: Installation, is_there: bool
) -> None:
    put(installation, pause_after=1, removed=not is_there)
    run = halt(installation)

    found = [("its discarded runs", f"1 in a row, the last {run}")]
    assert told(installation) == (found if is_there else [])


@pytest.mark.parametrize("given", ["--overdue", "crontab.yaml"])
def test_paused_is_a_question_of_its_own(installation: Installation, given: str) -> None:
    answer = ask(installation, given)

    assert answer.exit_code == 2
    assert "is about what is in force, and reads no FILE" in answer.stderr


def test_the_doctor_names_them_and_takes_it_for_no_problem(installation: Installation) -> None:
    put(installation, control=paused_by("backup"))
    put(installation, "old", enabled=False)
    put(installation, "over", control=paused_by("over", until=NOON))

    answer = installation.examine()

    assert (answer.exit_code, answer.stdout) == (0, "")
    *_, backup, old, nothing = answer.stderr.splitlines()
    assert backup == (
        "job backup is paused by ada since 2026-01-01T11:59:55Z until 2026-01-01T12:01:00Z "
        "(disk is full)"
    )
    assert old == "job old is paused by the crontab (enabled: false)"
    assert nothing.startswith("nothing is wrong")


def test_the_doctor_names_twenty_and_tells_programs_of_all(installation: Installation) -> None:
    for number in range(23):
        put(installation, f"job-{number:02}", enabled=False)

    said = installation.examine().stderr.splitlines()
    facts = json.loads(installation.examine("--json").stdout)

    assert sum("is paused by the crontab" in line for line in said) == 20
    assert "and 3 more: 'cronstream jobs --paused' lists all" in said
    assert len(facts["paused"]) == 23
