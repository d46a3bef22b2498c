"""What a single run cannot do to the others of its worker, on a real Kafka."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.executor.witness import is_alive
from tests.hung_mount import hung, mounts_of_its_own
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration


#: A shell, and what it has started by the time it is ended: that may be a moment before.
ENDED = {"1 process in the background was ended", "2 processes in the background were ended"}


async def test_no_run_that_hangs_kills_or_leaves_something_harms_another(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth, starts = a_name("harm"), Truth(tmp_path), tmp_path / "starts"
    note = f"echo $CRONSTREAM_RUN_ID $(date +%s.%N) >>{starts}; {truth.command}"
    left, waited = tmp_path / "left", tmp_path / "waited"
    with mounts_of_its_own(), hung(tmp_path / "hung") as mount:
        crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: {cluster}-fine, cluster: {cluster}, schedule: "@every 1s", command: '{note}'}}
  - {{name: {cluster}-hung, cluster: {cluster}, schedule: "@every 4s", command: 'true',
     cwd: {mount}, timeout: 3s, grace: 1s}}
  - {{name: {cluster}-gone, cluster: {cluster}, schedule: "@every 4s", command: '{mount}/program',
     timeout: 3s, grace: 1s}}
  - {{name: {cluster}-killer, cluster: {cluster}, schedule: "@every 20s",
     command: '{truth.command}; kill -9 $PPID; sleep 60'}}
  - {{name: {cluster}-leaves, cluster: {cluster}, schedule: "@every 4s",
     command: '(sleep 1; echo done >>{left}) & echo queued'}}
  - {{name: {cluster}-waits, cluster: {cluster}, schedule: "@every 4s", background: wait,
     command: '(sleep 1; echo done >>{waited}) & echo queued'}}
"""
        worker, *_ = await asyncio.gather(
            start_worker("--cluster", cluster, crontab=crontab),
            start_worker("--cluster", cluster, "--retry"),
            start_worker(),
        )
        executors = await _executors(worker.pid)
        await asyncio.gather(
            worker.said(f": its directory '{mount}' does not answer (a file system that hangs?)"),
            worker.said("timed out (it ran longer than 3 s and was ended: its directory"),
            worker.said("timed out (it ran longer than 3 s and was ended: its program does not"),
            worker.said("with executor 2 of its own", within_s=120),
            worker.said("has died (signal 9); attempts that it had"),
            worker.said(*(f"succeeded (attempt 1; {note})" for note in ENDED)),
            truth.wait(25, f"{cluster}-fine"),
        )
        assert set(await _executors(worker.pid)) != set(executors)

    assert psutil.pid_exists(worker.pid)
    # A killer has taken at most what ran beside it at its first attempt; all else is on time.
    lines = [line.split(" ") for line in starts.read_text().splitlines()]
    late = sorted(float(at) - _time(run) for run, at in lines)
    assert late[len(late) * 3 // 4] < 1.5
    assert len({run for run, _ in lines}) >= 15
    assert not left.exists()
    assert waited.exists()

    notes = {row["note"] for row in await _succeeded(broker, f"{cluster}-leaves")}
    assert notes <= ENDED
    assert min(row["duration_s"] for row in await _succeeded(broker, f"{cluster}-waits")) > 0.9
    first = truth.lines(f"{cluster}-killer")[0].run
    assert 2 <= sum(line.run == first for line in truth.lines()) <= 3


async def test_the_death_of_an_executor_is_not_that_of_its_worker(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth, held = a_name("death"), Truth(tmp_path), tmp_path / "held"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: {cluster}-fine, cluster: {cluster}, schedule: "@every 1s", command: '{truth.command}'}}
  - {{name: {cluster}-long, cluster: {cluster}, schedule: "@every 10s", overlap: skip,
     command: 'echo $CRONSTREAM_RUN_ID $CRONSTREAM_ATTEMPT $$ >>{held}; exec sleep 600'}}
"""
    worker, _ = await asyncio.gather(
        start_worker("--cluster", cluster, crontab=crontab), start_worker()
    )
    async with asyncio.timeout(60):
        while not held.exists() or not held.read_text().endswith("\n"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    run, attempt, pid = held.read_text().split()
    for executor in await _executors(worker.pid):
        os.kill(executor, signal.SIGSTOP if executor % 2 else signal.SIGKILL)
    await worker.said(f"run {run}: attempt 1 lost (its executor died); it is made again")
    assert not is_alive(int(pid))
    async with asyncio.timeout(40):
        while len(held.read_text().splitlines()) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert held.read_text().splitlines()[1].startswith(f"{run} {int(attempt) + 1} ")
    await truth.wait(len(truth.lines()) + 3)


async def _executors(worker: int) -> list[int]:
    children = psutil.Process(worker).children()
    return [child.pid for child in children if "cronstream.executor" in child.cmdline()]


async def _succeeded(broker: str, job: str) -> list[dict[str, Any]]:
    status, output, said = await run_command(
        broker, "runs", "--job", job, "--state", "succeeded", "--json"
    )
    assert status == 0, said
    return [json.loads(line) for line in output.splitlines()]


def _time(run: str) -> float:
    due = run.rpartition("@")[2]
    return time.mktime(time.strptime(due, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
