"""``cronstream plan``: a file against what is in force, or against another."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cronstream import clock
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from cronstream.crontab_file import read_crontab
from cronstream.settings import settings
from tests.builders import NAMES, NOON
from tests.cli.conftest import Command
from tests.cli.fake_broker import FakeBroker
from tests.cli.shown import DOCS

OLD = """\
version: 1
clusters: {a: , b: }
jobs:
  - {name: backup, cluster: a, schedule: "0 3 * * *", command: "true", env: {KEY: secret}}
  - {name: report, cluster: a, schedule: "@hourly", command: "true"}
"""
NEW = OLD.replace("0 3", "0 4").replace("name: report", "name: news").replace("secret", "hidden")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two crontabs, the new one where settings say; it is noon."""
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRONSTREAM_CRONTAB", "new.yaml")
    monkeypatch.setattr(clock, "now", lambda: NOON)
    settings.cache_clear()
    return tmp_path


def in_force(broker: FakeBroker, jobs: tuple[Job, ...]) -> None:
    broker.create(NAMES.jobs, 2)
    for job in jobs:
        broker.job(job.derive(effective_from=NOON), NOON)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_two_files_are_compared_and_no_broker_is_asked(
    command: Command, broker: FakeBroker
) -> None:
    answer = command("plan", "old.yaml", "new.yaml", "--limit", "3")

    assert (answer.exit_code, broker.questions) == (2, 0)
    sum_, *lines = answer.stdout.splitlines()
    assert sum_ == "new.yaml, compared with old.yaml: jobs 1 added, 1 changed, 1 removed"
    assert lines[:4] == [
        "  job news added (a, @hourly)",
        "  job report removed",
        "  job backup: schedule '0 3 * * *' → '0 4 * * *', env changed (KEY)",
        "due times of 1d from 2026-01-01T12:00:00Z on: 24 added, 1 moved, 24 removed",
    ]
    assert [line.split() for line in lines[5:]] == [
        ["added", "2026-01-01T12:00:00Z", "news", "a"],
        ["removed", "2026-01-01T12:00:00Z", "report", "a"],
        ["added", "2026-01-01T13:00:00Z", "news", "a"],
    ]
    assert answer.stderr == "and 46 more due times: --limit shows more\n"
    assert "secret" not in answer.output


def test_the_schedulers_file_is_compared_with_what_is_in_force(
    command: Command, broker: FakeBroker
) -> None:
    in_force(broker, read_crontab(Path("old.yaml")).jobs)

    answer = command("plan")

    assert answer.exit_code == 2
    assert answer.stdout.startswith("new.yaml, compared with what is in force: jobs 1 added")
    assert command("plan", "old.yaml").exit_code == 0
    assert command("plan", "-", given=OLD).stdout == (
        "<stdin>, compared with what is in force: nothing would change\n"
    )


def test_jobs_that_are_paused_are_said_to_be_by_whom(
    command: Command, broker: FakeBroker, files: Path
) -> None:
    backup, report = read_crontab(Path("old.yaml")).jobs
    word = Control(ControlAction.PAUSE, cluster="a", by="ada", at=NOON, job="backup")
    in_force(broker, (backup.derive(control=word), report))
    disabled = NEW.replace('"@hourly"', '"@hourly", enabled: false')
    (files / "new.yaml").write_text(disabled)

    lines, rows = command("plan").stdout.splitlines(), objects(command("plan", "--json").stdout)

    assert "  job news is paused by the crontab (enabled: false)" in lines
    assert "  job backup is paused by ada since 2026-01-01T12:00:00Z" in lines
    assert "due times of 1d from 2026-01-01T12:00:00Z on: 1 moved, 24 removed" in lines
    paused = {row["job"]: row.get("paused") for row in rows if row["kind"] == "job"}
    assert paused == {
        "news": "by the crontab (enabled: false)",
        "report": None,
        "backup": "by ada since 2026-01-01T12:00:00Z",
    }


def test_without_jobs_in_force_all_of_the_file_is_new(command: Command) -> None:
    answer = command("plan")
    assert "jobs 2 added\n" in answer.stdout
    assert answer.stderr == "no job is in force on this broker\n"


def test_programs_get_the_sum_then_jobs_then_due_times(command: Command) -> None:
    answer = command("plan", "old.yaml", "new.yaml", "--json", "--within", "3600")

    assert answer.exit_code == 2
    sum_, added, removed, changed, *dues = objects(answer.stdout)
    assert sum_ == {
        "kind": "sum",
        "before": "old.yaml",
        "after": "new.yaml",
        "jobs": {"added": 1, "changed": 1, "removed": 1},
        "due_times": {"added": 1, "moved": 0, "removed": 1},
        "jobs_not_counted": 0,
        "held_back": None,
        "from": "2026-01-01T12:00:00Z",
        "until": "2026-01-01T13:00:00Z",
    }
    about = {"job": "news", "cluster": "a", "paused": None}
    assert added == {"kind": "job", "change": "added", **about}
    assert removed["change"] == "removed"
    assert changed["keys"] == [
        {"key": "schedule", "was": "'0 3 * * *'", "is": "'0 4 * * *'"},
        {"key": "env", "variables": ["KEY"]},
    ]
    assert dues[0] == {
        "kind": "due",
        "change": "added",
        "job": "news",
        "cluster": "a",
        "was": None,
        "is": "2026-01-01T12:00:00Z",
    }
    assert len(dues) == 2


FIVE = """\
version: 1
clusters: [a, b]
defaults: {cluster: a}
jobs:
""" + "".join(f'  - {{name: {name}, schedule: "@daily", command: "true"}}\n' for name in "abcde")


def test_what_a_scheduler_would_hold_back_has_a_status_of_its_own_until_the_file_means_it(
    command: Command, files: Path
) -> None:
    new = FIVE[: FIVE.index("  - {name: c")]
    (files / "old.yaml").write_text(FIVE)
    (files / "new.yaml").write_text(new)

    answer = command("plan", "old.yaml", "new.yaml")
    told = json.loads(command("plan", "old.yaml", "new.yaml", "--json").stdout.splitlines()[0])
    mark = told["held_back"]["allow_removals"]

    assert answer.exit_code == 3
    assert "held back: it would take out 3 of the 5 jobs in force (c, d, e)\n" in answer.stdout
    assert f"if that is meant, write 'allow_removals: {mark}' into new.yaml\n" in answer.stderr
    assert told["held_back"] == {"jobs": 3, "clusters": [], "allow_removals": mark}
    (files / "new.yaml").write_text(f"allow_removals: {mark}\n{new}")
    assert command("plan", "old.yaml", "new.yaml").exit_code == 2


def test_a_job_that_changes_its_cluster_is_said_to_stay_for_the_look_ahead(
    command: Command, files: Path
) -> None:
    (files / "new.yaml").write_text(OLD.replace("report, cluster: a", "report, cluster: b"))

    answer = command("plan", "old.yaml", "new.yaml")

    assert "due times of 1d from 2026-01-01T12:00:00Z on: the same\n" in answer.stdout
    assert answer.stderr == "a job that changes its cluster is due on its former one for 30s more\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--what"], "No such option: --what"),
        (["--within", "soon"], "'soon' is not a length of time; write it like"),
        (["-", "-"], "standard input is one file, and here are two; name one"),
        (["gone.yaml", "new.yaml"], "gone.yaml: there is no such file"),
        (["old.yaml", "bad.yaml"], "bad.yaml: line 1, column 1: the crontab is empty"),
    ],
)
def test_what_gives_no_answer_ends_with_1_also_if_it_is_mistyped(
    command: Command, files: Path, words: list[str], sentence: str
) -> None:
    (files / "bad.yaml").write_text("")

    answer = command("plan", *words)

    assert answer.exit_code == 1
    assert sentence in answer.stderr


def shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    author = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**os.environ, **author, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("edited", "status"), [(NEW, 0), (OLD, 0), ("version: 1\n", 1)])
def test_the_step_of_a_pull_request_that_the_docs_show_says_what_would_change(
    tmp_path: Path, edited: str, status: int
) -> None:
    text = (DOCS / "reviewing.md").read_text()
    workflow = YAML(typ="safe").load(text.partition("```yaml\n")[2].partition("```")[0])
    step = workflow["jobs"]["plan"]["steps"][-1]["run"]
    begin = "git init -qb main . && cp ../old.yaml crontab.yaml && git add . && git commit -qm 1"
    base, clone = tmp_path / "base", tmp_path / "clone"
    base.mkdir()
    assert shell(f"{begin} && git clone -q . ../clone", base).returncode == 0
    (clone / "crontab.yaml").write_text(edited)

    summary = tmp_path / "summary.md"
    done = shell(step, clone, GITHUB_BASE_REF="main", GITHUB_STEP_SUMMARY=str(summary))

    assert done.returncode == status, done.stderr
    assert ("      job backup: schedule" in summary.read_text()) == (edited == NEW)
