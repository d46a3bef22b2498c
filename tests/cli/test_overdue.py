"""``cronstream jobs --overdue``, over a broker of lists."""

import json

from click.testing import CliRunner, Result

from cronstream.cli.main import main
from cronstream.core.health.presence import Overdue
from tests.builders import NOON, at
from tests.cli.test_workers import Installation
from tests.core.health.test_presence import a_process, a_scheduler


def _ask(installation: Installation, *arguments: str) -> Result:
    asked = ["jobs", "--overdue", *arguments]
    return CliRunner().invoke(main, asked, obj=installation.connections)


def _late(job: str, seconds: float = 0.0, *, has_succeeded: bool = True) -> Overdue:
    return Overdue(job=job, since=at(seconds), within_s=93_600, has_succeeded=has_succeeded)


def test_the_jobs_that_workers_announce_are_listed_the_longest_first() -> None:
    installation = Installation()
    installation.told(a_process(overdue=[_late("backup", 5), _late("new", has_succeeded=False)]))
    installation.told(a_process("node2.b", overdue=[_late("backup", 5)]))
    installation.told(a_process("node3.gone", overdue=[_late("old")]), 60)

    answer = _ask(installation)

    assert answer.exit_code == 0, answer.stderr
    header, new, backup = answer.stdout.splitlines()
    assert header.split("  ")[0] == "JOB"
    assert backup.split() == ["backup", "cluster-a", "1d2h", "2026-01-01T12:00:05Z"]
    assert new.split()[2:] == ["1d2h", "unknown,", "or", "never", "2026-01-01T12:00:00Z"]
    first, _ = _ask(installation, "--json").stdout.splitlines()
    assert json.loads(first) == {
        "job": "new",
        "cluster": "cluster-a",
        "since": NOON.isoformat().replace("+00:00", "Z"),
        "within_s": 93_600,
        "has_succeeded": False,
    }


def test_more_than_are_named_are_counted() -> None:
    installation = Installation()
    installation.told(a_process(overdue=[_late("backup")], overdue_jobs=7))

    assert _ask(installation).stderr == "and 6 more: each worker names 100\n"


def test_none_is_an_answer_and_without_a_worker_there_is_none() -> None:
    installation = Installation()
    installation.told(a_scheduler())
    assert "no worker is there, so nobody knows" in _ask(installation).stderr
    installation.told(a_process())

    answer = _ask(installation)

    assert (answer.exit_code, answer.stderr) == (0, "no job is overdue\n")


def test_it_reads_no_file() -> None:
    answer = _ask(Installation(), "crontab.yaml")

    assert answer.exit_code == 2
    assert "reads no FILE" in answer.stderr


def test_the_doctor_names_them_too() -> None:
    installation = Installation()
    installation.told(a_process(overdue=[_late("backup")]))

    answer = installation.examine()

    assert answer.exit_code == 1
    assert "job: job backup is overdue: a success was expected within 1d2h" in answer.stdout
