"""Other schedulers, measured in the same run: supercronic, APScheduler 3, Celery, Huey.

    python -m bench.peers install

They are kept in ``CRONSTREAM_BENCH_HOME`` (a folder of the user's by default), and come through the
ordinary clients of their registries: pip, go, apt. A peer that is not there is left out.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.machine import Programs, against, cost, stamps, tree, wait_until
from bench.rig import say
from cronstream.broker.ports import free_port

HOME = Path(os.environ.get("CRONSTREAM_BENCH_HOME", Path.home() / ".cache" / "cronstream-bench"))
APPS = Path(__file__).parent / "apps"
_DEBIAN = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1", "liblua5.1-0")
_LUA = ("lua-bitop", "lua-cjson")


def install() -> None:
    """Fetch the peers, each as its own users would; what cannot be had is said and left out."""
    HOME.mkdir(parents=True, exist_ok=True)
    python = str(HOME / "venv" / "bin" / "python")
    supercronic = "github.com/aptible/supercronic@latest"
    steps: list[tuple[Path, list[str]]] = [
        (HOME / "venv", [sys.executable, "-m", "venv", str(HOME / "venv")]),
        (
            HOME / "venv" / "bin" / "celery",
            [
                python,
                "-m",
                "pip",
                "install",
                "-q",
                "celery",
                "redis",
                "packaging",
                "apscheduler<4",
                "huey",
            ],
        ),
        (HOME / "gobin" / "supercronic", ["go", "install", supercronic]),
    ]
    for there, words in steps:
        if not there.exists():
            _try(words, HOME, GOBIN=str(HOME / "gobin"), GOTOOLCHAIN="local")
    deb = HOME / "deb"
    if not (deb / "usr" / "bin" / "redis-server").exists():
        deb.mkdir(exist_ok=True)
        _try(["apt-get", "download", *_DEBIAN, *_LUA], deb)
        for package in deb.glob("*.deb"):
            _try(["dpkg", "-x", package.name, "."], deb)


def _try(words: list[str], folder: Path, **variables: str) -> None:
    try:
        subprocess.run(words, cwd=folder, env={**os.environ, **variables}, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"left out: {error}")


@contextmanager
def started(
    words: Sequence[object], log: Path, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(word) for word in words],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        pids = tree(process.pid)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
        for pid in pids[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()


def at_once(
    peer: str,
    programs: Programs,
    number: int,
    *,
    period: int = 10,
    fires: int = 2,
    shell: bool = False,
) -> dict[str, object]:
    """``number`` jobs due every ``period`` seconds: as `bench.instant` has it for cronstream."""
    text = programs.stamp_in_shell if shell else programs.stamp_of
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as name:
        folder = Path(name)
        file = folder / "stamps"
        jobs = [(f"d{i}", period, text(file, i)) for i in range(number)]
        with started(_command(peer, folder, jobs), folder / "log") as process:
            time.sleep(3 + number / 1000)
            first = math.ceil((time.time() + 0.5) / period) * period
            wait_until(first - 0.3)
            before = _cpu(process.pid)
            due = [first + k * period for k in range(fires)]
            wait_until(due[-1] + period - 0.5)
            used = _cpu(process.pid) - before
            got = [(job, at) for job, at in stamps(file) if at >= first]
    row: dict[str, object] = {"peer": peer, "number": number, "fires": fires}
    row |= against(due, [job for job, _, _ in jobs], got)
    drains = [[at - one for _, at in got if one <= at < one + period] for one in due]
    row["per_s"] = [round(len(late) / max(late), 1) for late in drains if late]
    row["cpu_ms_with_commands"] = round(used / max(1, len(got)) * 1000, 3)
    say(f"{peer}: {row}")
    return row


def _command(peer: str, folder: Path, jobs: list[tuple[str, int, str]]) -> list[object]:
    if peer == "supercronic":
        table = folder / "crontab"
        table.write_text("".join(f"*/{period} * * * * * * {text}\n" for _, period, text in jobs))
        return [HOME / "gobin" / "supercronic", "-passthrough-logs", "-quiet", "-no-reap", table]
    table = folder / "jobs.json"
    table.write_text(json.dumps(jobs))
    return [HOME / "venv" / "bin" / "python", APPS / "apscheduler_app.py", table]


def _cpu(root: int) -> float:
    used = cost(tree(root))
    return used.own + used.children


@contextmanager
def redis(folder: Path) -> Iterator[dict[str, str]]:
    """Run a Redis that writes to disk each second: a broker that keeps what it has.

    Yields:
        The variables by which peers find it, and their applications.
    """
    port = free_port()
    variables = {
        "BENCH_REDIS": f"redis://127.0.0.1:{port}/0",
        "PYTHONPATH": str(APPS),
        "LD_LIBRARY_PATH": str(HOME / "deb" / "usr" / "lib" / "x86_64-linux-gnu"),
    }
    server = [HOME / "deb/usr/bin/redis-server", "--port", port, "--bind", "127.0.0.1"]
    server += ["--dir", folder, "--appendonly", "yes", "--save", ""]
    with started(server, folder / "redis.log", **variables):
        time.sleep(1)
        yield variables


def backlog(peer: str, programs: Programs, number: int) -> dict[str, object]:
    """``number`` commands are queued in Redis; then the worker starts, with 4 at a time."""
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as name:
        folder = Path(name)
        file = folder / "stamps"
        with redis(folder) as variables:
            _fill(peer, number, programs.stamp(file, "x"), variables)
            with started(worker_of(peer), folder / "worker.log", **variables) as worker:
                end = time.monotonic() + number / 100 + 15
                while len(stamps(file)) < number and time.monotonic() < end:
                    time.sleep(0.2)
                used = _cpu(worker.pid)
        got = sorted(at for _, at in stamps(file))
    row: dict[str, object] = {"peer": peer, "number": number, "started": len(got)}
    if len(got) > 1:
        row["per_s"] = round((len(got) - 1) / (got[-1] - got[0]), 1)
        row["cpu_ms_with_commands"] = round(used / len(got) * 1000, 3)
    say(f"{peer}: {row}")
    return row


def _fill(peer: str, number: int, command: str, variables: dict[str, str]) -> None:
    put = "run.delay" if peer == "celery" else "run"
    text = f"from {peer}_app import run\nfor _ in range({number}): {put}({command!r})"
    words = [HOME / "venv" / "bin" / "python", "-c", text]
    subprocess.run(words, env={**os.environ, **variables}, check=True, stdout=subprocess.DEVNULL)


def queue_in_celery(commands: Sequence[str], variables: dict[str, str]) -> None:
    """Queue commands, in their order."""
    text = "import json, sys\nfrom celery_app import run\n"
    text += "for one in json.load(sys.stdin): run.delay(one)"
    words = [HOME / "venv" / "bin" / "python", "-c", text]
    given = json.dumps(list(commands)).encode()
    subprocess.run(words, env={**os.environ, **variables}, check=True, input=given)


def worker_of(peer: str, slots: int = 4, name: str = "bench") -> list[object]:
    """The command of a worker that runs so many commands at a time."""
    if peer == "huey":
        return [HOME / "venv/bin/huey_consumer", "huey_app.huey", "-w", slots, "-k", "thread"]
    words: list[object] = [HOME / "venv/bin/celery", "-A", "celery_app", "worker", "-l", "warning"]
    words += ["-P", "prefork", "-c", slots, "--without-gossip", "--without-mingle"]
    return [*words, "--without-heartbeat", "-n", f"{name}@localhost"]


def there() -> list[str]:
    """The peers that are installed."""
    needed = {
        "supercronic": HOME / "gobin" / "supercronic",
        "apscheduler": HOME / "venv" / "bin" / "celery",
        "celery": HOME / "deb" / "usr" / "bin" / "redis-server",
        "huey": HOME / "deb" / "usr" / "bin" / "redis-server",
    }
    return [peer for peer, path in needed.items() if path.exists()]


def remove() -> None:
    """Remove what `install` has fetched."""
    shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    {"install": install, "remove": remove}[sys.argv[1]]()
