"""``cronstream up`` as a person starts it: a real Kafka, a real scheduler, real workers."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from cronstream.broker.ports import free_port
from cronstream.cli.up import Plan, directions, greeting
from cronstream.settings import child_environment, settings
from cronstream.supervisor.plan import parts

PROGRAM = "from cronstream.cli.main import main; main()"
CRONTAB = """\
version: 1
clusters:
  cluster-a: {}
jobs:
  - name: heartbeat
    schedule: "@every 2s"
    cluster: cluster-a
    command: "true"
"""


#: A cluster that is taken out while a run of it waits for its retry.
TWO = "cluster-a: {}\n  cluster-b: {}"
DOOMED = """\
  - name: doomed
    schedule: "@every 2s"
    cluster: cluster-b
    command: "false"
    max_attempts: 2
    backoff: {first: 4s, jitter: 0}
"""


def jars() -> Path:
    return settings().jars


@contextmanager
def a_process(
    folder: Path, variables: dict[str, str], *words: str
) -> Iterator[subprocess.Popen[str]]:
    """Run ``cronstream`` with `variables` besides ours; it is killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=child_environment(**variables),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def up(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    words = ("up", "--port", "0", "--data-dir", "state", *options)
    with a_process(folder, {"CRONSTREAM_JAR_CACHE": str(jars())}, *words) as process:
        yield process


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


def has_failed(lines: list[str]) -> bool:
    return any("doomed" in line and "attempt 1 failed" in line for line in lines)


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def those_left(family: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(family, timeout=15)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def after_kill(lines: list[str]) -> str:
    return "".join(lines).partition("killed by SIGKILL")[2]


def page_of(address: str, *words: bytes) -> bytes:
    """Wait until a page has words, and return it."""
    for _ in range(200):
        with suppress(OSError), urllib.request.urlopen(address, timeout=10) as answer:
            text: bytes = answer.read()
            if all(word in text for word in words):
                return text
        time.sleep(0.1)
    raise AssertionError(f"{address} never has {words}")


def test_a_person_is_told_what_runs_where_it_is_and_how_it_ends() -> None:
    plan = Plan(Path("/etc/c.yaml"), Path("/data"), parts(["cluster-a"]))
    text = "\n".join(greeting(plan, "kafka://127.0.0.1:9092"))
    assert "starting scheduler, cluster-a, cluster-a retry, on kafka://127.0.0.1:9092" in text
    assert "/data" in text
    assert "edit /etc/c.yaml" in text
    assert "Ctrl-C" in text
    assert "console" not in text


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:6061/"),
        ("0.0.0.0", "http://127.0.0.1:6061/"),
        ("::1", "http://[::1]:6061/"),
        ("localhost", "http://localhost:6061/"),
    ],
)
def test_the_first_that_a_person_is_told_is_where_the_console_is(
    monkeypatch: pytest.MonkeyPatch, bind: str, address: str
) -> None:
    monkeypatch.setenv("CRONSTREAM_WEB_BIND", bind)
    settings.cache_clear()
    plan = Plan(Path("/etc/c.yaml"), Path("/data"), parts(["cluster-a"]), 6061)
    assert greeting(plan, None)[0] == f"the console: {address}"


def test_a_person_is_told_how_commands_are_called_and_find_the_broker() -> None:
    text = "\n".join(directions("kafka://127.0.0.1:9093"))
    assert "cronstream runs --follow" in text
    assert "export CRONSTREAM_BROKER=kafka://127.0.0.1:9093" in text


@pytest.mark.parametrize("option", ["--port", "--web-port"])
def test_a_port_that_is_asked_for_and_in_use_is_one_line_and_status_2(
    tmp_path: Path, option: str
) -> None:
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with up(tmp_path, option, port) as process:
            said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.splitlines() == [
        f"Error: port {port} of 127.0.0.1 is in use: choose another one with {option}"
    ]


def test_a_broker_that_is_not_there_is_told_at_once_and_ctrl_c_ends_the_wait(
    tmp_path: Path,
) -> None:
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    address = f"127.0.0.1:{free_port()}"
    with up(tmp_path, "--broker", f"kafka://{address}") as process:
        lines = read_until(process, lambda lines: "waiting for it" in "".join(lines))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"no Kafka answers ({address}:" in lines[-1]
    assert "(0 s)" in lines[-1]


@pytest.mark.integration
def test_everything_starts_with_one_command_and_ends_with_one_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "crontab.yaml").write_text(CRONTAB.replace("cluster-a: {}", TWO) + DOOMED)
    with up(tmp_path) as process:
        lines = read_until(process, lambda lines: has_failed(lines) and all_are_ready(lines))
        assert "the console: http://127.0.0.1:" in lines[0]
        address = lines[0].rpartition(" ")[2]
        assert b"heartbeat" in page_of(f"{address}jobs.json", b"heartbeat")
        [console] = [one for one in family_of(process) if one.cmdline()[-1] == "console"]
        console.kill()
        read_until(process, lambda lines: f"| the console is at {address}" in after_kill(lines))
        follower = urllib.request.urlopen(f"{address}events", timeout=10)
        family = family_of(process)
        (tmp_path / "crontab.yaml").write_text(CRONTAB)
        # What was taken out goes on until its last run has its verdict.
        after = read_until(process, lambda lines: "stopping cluster-b retry" in "".join(lines[-1:]))
        assert any("cluster-b is not in the crontab, and runs of it" in line for line in after)
        assert any("discarded (attempt 2 failed" in line for line in after), after
        assert any("Kafka is ready at" in line for line in lines)
        assert all(" | " in line or line.endswith(" |") for line in lines), lines
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest
        assert "everything has ended" in rest
        assert those_left(family) == []
        follower.close()
    assert {path.name for path in tmp_path.iterdir()} == {"crontab.yaml", "state"}


@pytest.mark.integration
def test_two_side_by_side_have_a_kafka_and_pages_each_and_their_commands_find_them(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        stack.enter_context(_anything_at(9092))
        stack.enter_context(_anything_at(6066))
        processes, folders = [], [tmp_path / "one", tmp_path / "two"]
        home = {"XDG_DATA_HOME": str(tmp_path / "home"), "CRONSTREAM_JAR_CACHE": str(jars())}
        for folder in folders:
            folder.mkdir()
            (folder / "crontab.yaml").write_text(CRONTAB.replace("heartbeat", folder.name))
            processes.append(stack.enter_context(a_process(folder, home, "up")))
        said = [
            "\n".join(read_until(process, lambda lines: "succeeded" in "".join(lines)))
            for process in processes
        ]
        runs = [_jobs_that_ran(folder, home) for folder in folders]
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.communicate(timeout=90)
    assert runs == [{"one"}, {"two"}]
    assert not any("Traceback" in text for text in said), said
    brokers = [re.findall(r"CRONSTREAM_BROKER=(\S+)", text) for text in said]
    assert brokers[0] != brokers[1]
    # One that had to be started again may have found another port.
    assert len(set(re.findall(r"pages are at (\S+)", "".join(said)))) >= 6


@contextmanager
def _anything_at(port: int) -> Iterator[None]:
    """Let something listen at a port, unless another program of this machine does."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def _jobs_that_ran(folder: Path, home: dict[str, str]) -> set[str]:
    with a_process(folder, home, "runs", "--json") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return {json.loads(line)["job"] for line in said.splitlines() if line.startswith("{")}


@pytest.mark.integration
def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    with up(tmp_path) as process:
        read_until(process, all_are_ready)
        family = family_of(process)
        assert len(family) >= 6  # a guard, a JVM, a scheduler, two workers, executors, a console
        process.kill()
        assert those_left(family) == []


@pytest.mark.integration
def test_every_problem_of_a_crontab_is_told_and_nothing_started(tmp_path: Path) -> None:
    broken = CRONTAB.replace("@every 2s", "61 * * * *").replace("cluster: cluster-a", "cluster: b")
    (tmp_path / "crontab.yaml").write_text(broken)
    with up(tmp_path) as process:
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "61" in said
    assert "'b'" in said
    assert not (tmp_path / "state").exists()
