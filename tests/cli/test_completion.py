"""What shells propose, and how bash puts it into the line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from cronstream.cli import recent
from cronstream.cli.connection import Connections
from cronstream.cli.main import main
from cronstream.core.wire.runs import Discarded
from tests.builders import a_run, at
from tests.cli.fake_broker import FakeBroker

CRONTAB = """\
version: 1
clusters: {cluster-a: , tokyo: }
jobs:
  - {name: backup, cluster: nowhere, schedule: "61 * * * *", command: "true"}
  - {name: report, cluster: tokyo, schedule: "@daily", command: "true"}
"""


@pytest.fixture(autouse=True)
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "crontab.yaml"
    path.write_text(CRONTAB)
    monkeypatch.setenv("CRONSTREAM_CRONTAB", str(path))
    monkeypatch.setenv("CRONSTREAM_BROKER", "kafka://127.0.0.1:1")
    return path


def proposed(*line: str, obj: Connections | None = None) -> list[str]:
    """Return what is proposed for the last word of a line."""
    completing = ShellComplete(main, {"obj": obj}, "cronstream", "_CRONSTREAM_COMPLETE")
    return [item.value for item in completing.get_completions(list(line[:-1]), line[-1])]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("he",), ["help"]),
        (("next", "ba"), ["backup"]),
        (("run-now", ""), ["backup", "report"]),
        (("runs", "--job", "r"), ["report"]),
        (("runs", "--cluster", ""), ["cluster-a", "tokyo"]),
        (("audit", "--cluster", "t"), ["tokyo"]),
        (("runs", "--state", "su"), ["succeeded"]),
        (("show", "b"), ["backup@latest"]),
        (("runs", "--fol"), ["--follow"]),
        (("help", "ru"), ["runs", "run-now"]),
        (("completion", "z"), ["zsh"]),
    ],
)
def test_jobs_clusters_states_and_commands_are_proposed_even_from_a_crontab_with_faults(
    line: tuple[str, ...], expected: list[str]
) -> None:
    assert proposed(*line) == expected


def test_the_crontab_that_was_named_before_the_command_counts(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CRONTAB.replace("backup", "other"))
    assert proposed("--crontab", str(other), "next", "") == ["other", "report"]


@pytest.mark.parametrize("text", [None, "", "jobs", "jobs: [a, {b: c}]", "\tx", "jobs: {", "\xff"])
def test_of_a_file_that_is_none_nothing_is_proposed(crontab: Path, text: str | None) -> None:
    crontab.unlink() if text is None else crontab.write_bytes(text.encode("latin-1"))
    assert proposed("next", "") == []


def test_the_runs_of_a_job_come_from_the_ledgers_the_newest_first(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cronstream.clock.now", lambda: at(3600))
    for second in (0, 60):
        broker.log("backup", a_run(scheduled_at=at(second), revision=None), when=at(second))
    broker.discard(Discarded(run=a_run(), reason="1 of 1 failures", discarded_at=at(2)))
    assert proposed("show", "backup@", obj=broker.connections) == [
        "backup@latest",
        "backup@2026-01-01T12:01:00Z!run-now-0",
        "backup@2026-01-01T12:00:00Z!run-now-0",
        "backup@2026-01-01T12:00:00Z",
    ]
    assert proposed("replay", "", obj=broker.connections) == ["backup@2026-01-01T12:00:00Z"]
    alive = ["backup@2026-01-01T12:01:00Z!run-now-0", "backup@2026-01-01T12:00:00Z!run-now-0"]
    assert proposed("cancel", "", obj=broker.connections) == alive
    assert proposed("cancel", "backup@2026-01-01T12:01", obj=broker.connections) == alive[:1]


def test_without_a_broker_no_runs_are_proposed_and_nothing_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert proposed("show", "backup@") == ["backup@latest"]
    assert proposed("replay", "") == []
    assert capfd.readouterr() == ("", "")


def test_a_broker_that_does_not_answer_soon_is_not_waited_for(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "_ANSWER_WITHIN_S", 0)
    assert proposed("show", "backup@", obj=broker.connections) == ["backup@latest"]


def in_bash(typed: str, folder: Path) -> list[str]:
    """Return what bash would put in the place of the word that it takes for the last."""
    program = folder / "cronstream"
    script = "from cronstream.cli.main import main; main(prog_name='cronstream')"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{script}" "$@"\n')
    program.chmod(0o755)
    words = """
        eval "$(cronstream completion bash)"
        COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:' COMP_LINE="$1" COMP_POINT=${#1}
        _cronstream_completion cronstream 2> /dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", words, "bash", typed],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("cronstream ne", ["next"]),
        ("cronstream next ", ["backup", "report"]),
        ("cronstream show back", ["backup@latest"]),
        ("cronstream show backup@la", ["latest"]),
        ("cronstream --broker kafka://127.0.0.1:1 show backup@", ["latest"]),
        ('cronstream runs --state "suc', ["succeeded"]),
    ],
)
def test_bash_is_given_what_comes_behind_its_own_word_breaks(
    tmp_path: Path, typed: str, expected: list[str]
) -> None:
    assert in_bash(typed, tmp_path) == expected
