"""``cronstream simulate``: what a day would be like, by how long runs take."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cronstream import clock
from cronstream.cli import simulate_command
from cronstream.core.forecast.forecast import forecast
from cronstream.core.wire.enumerations import Outcome
from cronstream.errors import BrokerError
from cronstream.settings import settings
from tests.builders import NOON, a_run, at
from tests.cli.conftest import Command, json_lines
from tests.cli.fake_broker import FakeBroker
from tests.cli.shown import ROOT
from tests.cli.test_run_commands import announce, make

PAGE = (ROOT / "docs" / "looking-ahead.md").read_text()
CRONTAB = """\
version: 1
clusters: [cluster-a, cluster-b]
defaults: {cluster: cluster-a}
jobs:
  - {name: backup, schedule: "0 * * * *", command: "true"}
  - {name: report, schedule: "0 * * * *", command: "true", max_attempts: 2}
  - {name: news, schedule: "30 * * * *", command: "true", cluster: cluster-b}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crontab where settings say; it is noon."""
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRONSTREAM_CRONTAB", raising=False)
    monkeypatch.setattr(clock, "now", lambda: NOON)
    settings.cache_clear()
    return tmp_path


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def test_what_the_page_shows_is_what_comes_of_its_crontab(
    command: Command, broker: FakeBroker, folder: Path
) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    shown = re.search(r"    \$ cronstream (.*)\n((?:    .*\n|\n)+)", PAGE)
    assert example
    assert shown
    (folder / "night.yaml").write_text(example[1])
    words = shown[1].replace("'", "").split()

    answer = command(*words)

    assert answer.exit_code == 0, answer.stderr
    lines = [line.removeprefix("    ").rstrip() for line in shown[2].rstrip().splitlines()]
    assert answer.stdout.splitlines() == lines
    assert broker.questions == 0
    assert "more is due at 2026-06-01T02:00:00Z than there are slots" in answer.stderr


def test_how_long_runs_take_is_seen_on_the_ledgers(command: Command, broker: FakeBroker) -> None:
    announce(broker)
    announce(broker, "report")
    make(broker, a_run(), end=at(600))
    run = a_run(job="report", max_attempts=2)
    make(broker, run, end=at(60), outcome=Outcome.FAILED, exit_status=1)

    lines = json_lines(command("simulate", "--from", "2026-01-02T00:00", "--for", "1h", "--json"))

    [sum_] = of_kind(lines, "sum")
    assert sum_["durations"] == {"given": 0, "file": 0, "observed": 2, "guessed": 1}
    assert (sum_["from"], sum_["until"]) == ("2026-01-02T00:00:00Z", "2026-01-02T01:00:00Z")
    first, retry, other, _ = of_kind(lines, "workers")
    assert (first["cluster"], first["role"], first["attempts"]) == ("cluster-a", "worker", 2)
    assert first["used"]["mean"] == pytest.approx(660 / 3600, abs=0.001)
    assert (retry["role"], retry["attempts"]) == ("retry-worker", 1)
    assert (other["cluster"], other["used"]["mean"]) == ("cluster-b", pytest.approx(60 / 3600, 0.1))
    [report] = [line for line in of_kind(lines, "job") if line["job"] == "report"]
    assert (report["runs"], report["retried"], report["discarded"]) == (1, 1, 1)
    [busy] = of_kind(lines, "second")
    assert (busy["due"], busy["jobs"]) == (2, ["backup", "report"])


def test_without_a_broker_a_guess_is_taken_and_that_is_said(
    command: Command, broker: FakeBroker
) -> None:
    def nobody_answers() -> None:
        raise BrokerError("no Kafka answers (…)")

    broker.before_probe = nobody_answers
    answer = command("simulate", "--seconds", "news=5")
    assert answer.exit_code == 0
    assert "how long runs take, by job: 1 as given, 2 unknown, taken to be 1m" in answer.stdout
    assert "no Kafka answers (…)\nso runs of which nothing is said are taken to last 1m" in (
        answer.stderr
    )


def test_a_file_of_runs_is_as_good_as_the_ledgers(
    command: Command, broker: FakeBroker, folder: Path
) -> None:
    runs = [
        {"job": "backup", "duration_s": 1800.0, "outcome": "succeeded"},
        {"job": "backup", "duration_s": None},
        {"job": "gone", "duration_s": 3.0},
        {"job": "news", "duration_s": 20, "outcome": "failed"},
    ]
    (folder / "runs.jsonl").write_text("\n".join(map(json.dumps, runs)) + "\n\n")
    answer = command("simulate", "--durations", "runs.jsonl", "--observed", "0s", "--for", "2h")
    assert answer.exit_code == 0, answer.stderr
    assert "by job: 2 as in the file, 1 unknown, taken to be 1m" in answer.stdout
    assert broker.questions == 0
    assert re.search(r"news +cluster-b +allow +2 .* 2$", answer.stdout, re.MULTILINE)


def test_what_is_said_comes_before_what_is_in_a_file(command: Command, folder: Path) -> None:
    (folder / "runs.jsonl").write_text('{"job": "backup", "duration_s": 60}\n')
    options = ("--durations", "runs.jsonl", "--seconds", "backup=30m", "--seconds", "*=1")
    answer = command("simulate", *options)
    assert "by job: 3 as given\n" in answer.stdout


def test_a_run_waits_for_the_worker_that_has_its_jobs_partition(command: Command) -> None:
    options = ("--seconds", "*=10m", "--for", "1h", "--slots", "1", "--json")
    alone = of_kind(json_lines(command("simulate", *options)), "workers")[0]
    both = of_kind(json_lines(command("simulate", *options, "--workers", "2")), "workers")[0]
    assert (alone["slots"], alone["waited"], both["slots"], both["waited"]) == (1, 1, 2, 0)


def test_one_cluster_can_be_looked_at(command: Command) -> None:
    answer = command("simulate", "--cluster", "cluster-b", "--seconds", "*=1", "--for", "1h")
    assert "1 run of 1 job; each cluster has a worker with 64 slots" in answer.stdout


def test_jobs_that_the_crontab_has_paused_are_left_out_though_others_name_them(
    command: Command, folder: Path
) -> None:
    text = CRONTAB.replace('command: "true"}', 'command: "true", then: {settled: news}}', 1)
    (folder / "crontab.yaml").write_text(text.replace("cluster-b}", "cluster-b, enabled: false}"))
    answer = command("simulate", "--seconds", "*=1", "--for", "1h")
    assert "2 runs of 2 jobs" in answer.stdout
    assert "a job is paused by the crontab (enabled: false), and left out" in answer.stderr
    (folder / "crontab.yaml").write_text(text)
    assert "2 runs of 2 jobs" in command("simulate", "--cluster", "cluster-a", "--for", "1h").stdout


def test_a_picture_is_an_svg_with_a_chart_for_each_cluster(command: Command) -> None:
    options, texts = ("--seconds", "*=10m", "--slots", "1", "--svg"), list[str | None]()
    for length, mark in (("1h", "12:15"), ("10m", "12:02:30"), ("7d", "01-03 06:00")):
        answer = command("simulate", *options, "--for", length)
        drawn = ET.fromstring(answer.stdout)
        texts = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
        assert mark in texts
    assert "cluster-a, worker: 1 of 1 slots in use at most, 1 attempts wait (orange)" in texts
    assert "cluster-b, worker: 1 of 1 slots in use at most" in texts


def test_a_crontab_without_jobs_has_nothing_to_show(command: Command, folder: Path) -> None:
    (folder / "crontab.yaml").write_text("version: 1\nclusters: [cluster-a]\njobs: []\n")
    answer = command("simulate")
    assert answer.exit_code == 0
    assert answer.stdout.endswith("how long runs take, by job: there are none\n")
    assert "<svg" in command("simulate", "--svg").stdout


def test_more_jobs_than_are_asked_for_are_counted(command: Command) -> None:
    answer = command("simulate", "--slots", "1", "--seconds", "*=50m", "--limit", "0")
    assert "and 2 more jobs: --limit shows more" in answer.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--seconds", "backups=3"], "there is no job 'backups'; did you mean 'backup'?"),
        (["--seconds", "backup"], "'backup' names no job; write it like backup=40m"),
        (["--seconds", "backup=soon"], "'soon' is not a length of time"),
        (["--durations", "nowhere"], "--durations: nowhere cannot be read"),
        (["--durations", "crontab.yaml"], "crontab.yaml:1: not a line of 'cronstream runs --json'"),
        (["--for", "0s"], "--for must be from 1s to 31d"),
        (["--for", "5w"], "--for must be from 1s to 31d"),
        (["--from", "soon"], "'soon' is not a time"),
        (["--from", "9999-12-31T12:00"], "--from is too close to the end of the calendar"),
        (["--svg", "--json"], "choose one"),
    ],
)
def test_what_is_mistyped_is_said_in_a_line(
    command: Command, options: list[str], sentence: str
) -> None:
    answer = command("simulate", "--observed", "0s", *options)
    assert answer.exit_code == 2
    assert sentence in answer.stderr


@pytest.mark.parametrize("line", ['{"job": "backup", "duration_s": -1}', '{"job": "a"}', "5"])
def test_a_line_that_is_no_run_is_named(command: Command, folder: Path, line: str) -> None:
    (folder / "runs.jsonl").write_text(f"\n{line}\n")
    answer = command("simulate", "--durations", "runs.jsonl", "--observed", "0s")
    assert (answer.exit_code, "runs.jsonl:2: not a line of" in answer.stderr) == (2, True)


def test_a_cluster_that_is_not_there_is_not_found(command: Command) -> None:
    answer = command("simulate", "--cluster", "cluster-c")
    assert answer.exit_code == 3
    assert "there is no cluster 'cluster-c' in the crontab" in answer.stderr


def test_too_much_is_refused_with_what_to_do(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate_command, "forecast", partial(forecast, most=3))
    answer = command("simulate", "--seconds", "*=1")
    assert answer.exit_code == 2
    assert "--for: the time that is looked at has more than 3 runs; make it shorter" in (
        answer.stderr
    )
