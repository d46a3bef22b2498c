"""``cronstream up`` as a person starts it: a real Kafka, a real scheduler, real workers."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cronstream.broker.ports import free_port
from cronstream.cli.up import greeting
from cronstream.settings import child_environment, settings
from cronstream.supervisor.plan import parts

PROGRAM = "from cronstream.cli.main import main; main()"
CRONTAB = """\
version: 1
clusters:
  cluster-a: {}
jobs:
  - name: heartbeat
    schedule: "* * * * *"
    cluster: cluster-a
    command: "true"
"""


@contextmanager
def up(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    jars = settings().jar_cache or settings().data_dir / "jars"
    port = str(free_port())
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "up", "--port", port, "--data-dir", "state", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=child_environment(CRONSTREAM_JAR_CACHE=str(jars)),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], is_last: Callable[[list[str]], bool]) -> list[str]:
    """Return the lines up to where `is_last` says enough."""
    lines: list[str] = []
    assert process.stdout is not None
    while not is_last(lines):
        line = process.stdout.readline()
        assert line, "it has ended, having said:\n" + "".join(lines)
        lines.append(line.rstrip())
    return lines


def all_are_ready(lines: list[str]) -> bool:
    """Whether a scheduler and both workers of cluster-a do what they are there for."""
    text = "\n".join(lines)
    return text.count("owns ") >= 2 and "taken over" in text


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def those_left(family: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(family, timeout=15)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_person_is_told_what_runs_where_it_is_and_how_it_ends() -> None:
    roles = parts(["cluster-a"])
    lines = greeting("kafka://127.0.0.1:9092", Path("/etc/c.yaml"), Path("/data"), roles, 6066)
    text = "\n".join(lines)
    assert "starting scheduler, cluster-a, cluster-a retry, on kafka://127.0.0.1:9092" in text
    assert "/data" in text
    assert "http://127.0.0.1:6066/table/" in text
    assert "edit /etc/c.yaml" in text
    assert "Ctrl-C" in text


@pytest.mark.integration
def test_everything_starts_with_one_command_and_ends_with_one_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    with up(tmp_path) as process:
        lines = read_until(process, all_are_ready)
        family = family_of(process)
        assert any("Kafka is ready in" in line for line in lines)
        assert all(" | " in line or line.endswith(" |") for line in lines), lines
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest
        assert "everything has ended" in rest
        assert those_left(family) == []
    assert {path.name for path in tmp_path.iterdir()} == {"crontab.yaml", "state"}


@pytest.mark.integration
def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    with up(tmp_path) as process:
        read_until(process, all_are_ready)
        family = family_of(process)
        assert len(family) >= 5  # a guard, a JVM, a scheduler, two workers, and executors
        process.kill()
        assert those_left(family) == []


@pytest.mark.integration
def test_every_problem_of_a_crontab_is_told_and_nothing_started(tmp_path: Path) -> None:
    broken = CRONTAB.replace("* * * * *", "61 * * * *").replace("cluster: cluster-a", "cluster: b")
    (tmp_path / "crontab.yaml").write_text(broken)
    with up(tmp_path) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "61" in said
    assert "'b'" in said
    assert not (tmp_path / "state").exists()
