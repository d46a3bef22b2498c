"""Whatever ends a command, a line says it, and the exit status; a stack trace only on demand."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cronstream.cli import coroutine
from cronstream.cli.failures import _OUR_FAULT
from cronstream.cli.main import main
from cronstream.errors import BrokerError, CrontabError, NotFoundError, Place, Problem

MAIN = "from cronstream.cli.main import main; main(prog_name='cronstream')"
CRONTAB = """\
version: 1
clusters: {a: }
jobs: [{name: hourly, cluster: a, schedule: "@hourly", command: "true"}]
"""


def invoke_raising(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str
) -> Result:
    """Run a command that raises."""

    @click.command("runs")
    def command() -> None:
        raise error

    monkeypatch.setattr(type(main), "get_command", lambda *_: command)
    return CliRunner().invoke(main, [*arguments, "runs"])


def test_an_error_of_cronstreams_own_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = invoke_raising(monkeypatch, BrokerError("no Kafka answers \x1b[31mred"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "cronstream: no Kafka answers \\x1b[31mred\n"


def test_each_problem_of_a_crontab_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [Problem("no schedule", Place(3, 5)), Problem("name twice", Place(9, 1))]
    error = CrontabError("crontab.yaml", problems)
    result = invoke_raising(monkeypatch, error)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "cronstream: crontab.yaml: line 3, column 5: no schedule",
        "cronstream: crontab.yaml: line 9, column 1: name twice",
    ]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (NotFoundError("there is no run 'x'"), 3, "cronstream: there is no run 'x'\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (click.Abort(), 130, "\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/root/x"),
            1,
            "cronstream: /root/x: Permission denied\n",
        ),
        (
            ExceptionGroup("two", [BrokerError("no Kafka"), ValueError("x")]),
            1,
            "cronstream: no Kafka\n",
        ),
        (
            ZeroDivisionError("by zero"),
            1,
            f"cronstream: {_OUR_FAULT} (ZeroDivisionError: by zero)\n",
        ),
    ],
)
def test_each_error_has_its_status_and_at_most_a_line(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str
) -> None:
    result = invoke_raising(monkeypatch, error)
    assert (result.exit_code, result.stderr) == (status, said)


@pytest.mark.parametrize("option", ["-v", "--debug"])
def test_the_stack_trace_is_shown_to_who_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    result = invoke_raising(monkeypatch, ZeroDivisionError("by zero"), option)
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("cronstream: a fault in cronstream itself")


def shell(line: str, crontab: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $C is the command, with a crontab that has more than a buffer."""
    crontab.write_text(CRONTAB)
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("$C", f'"{sys.executable}" -c "{MAIN}"')],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=crontab.parent,
    )


def test_a_reader_that_goes_away_ends_it_without_a_word(tmp_path: Path) -> None:
    done = shell("$C next --count 5000 | head -1; exit ${PIPESTATUS[0]}", tmp_path / "crontab.yaml")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
@pytest.mark.parametrize("arguments", ["jobs", "--help", "completion bash", "next --json"])
def test_a_full_disk_is_one_line(tmp_path: Path, arguments: str) -> None:
    done = shell(f"$C {arguments} > /dev/full", tmp_path / "crontab.yaml")
    assert done.returncode == 1
    assert done.stderr == "cronstream: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_hurt_nobody(tmp_path: Path, closed: str) -> None:
    done = shell(f"$C jobs {closed}", tmp_path / "crontab.yaml")
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    done = shell("mkdir x && cd x && rmdir ../x && $C jobs", tmp_path / "crontab.yaml")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("cronstream: ")


@pytest.fixture
def _heeds_ctrl_c() -> Iterator[None]:
    """Heed Ctrl-C as a command does: a test's process may have been told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


async def _stubborn(ended: list[str], name: str) -> None:
    """Swallow the first word to end, as a library may."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        ended.append(f"{name} swallowed it")
        await asyncio.sleep(60)


@pytest.mark.usefixtures("_heeds_ctrl_c")
def test_ctrl_c_ends_a_command_of_which_a_library_swallows_the_first_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coroutine, "_CANCELLED_AFTER_S", 0.01)
    ended: list[str] = []

    async def command() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await _stubborn(ended, "command")

    with pytest.raises(KeyboardInterrupt):
        coroutine.run(command())
    assert ended == ["command swallowed it"]


def test_a_command_that_is_over_leaves_no_task_of_a_library_that_it_would_wait_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coroutine, "_CANCELLED_AFTER_S", 0.01)
    ended: list[str] = []
    left = []

    async def command() -> int:
        left.append(asyncio.create_task(_stubborn(ended, "task")))
        await asyncio.sleep(0)
        return 7

    assert coroutine.run(command()) == 7
    assert ended == ["task swallowed it"]


@pytest.mark.usefixtures("_heeds_ctrl_c")
def test_ctrl_c_lets_a_command_put_back_what_it_has_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coroutine, "_CANCELLED_AFTER_S", 0.01)
    done = []

    async def command() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            done.append("put back")

    with pytest.raises(KeyboardInterrupt):
        coroutine.run(command(), cleans_up=True)
    assert done == ["put back"]
