"""The way of a run on a real Kafka, through real processes."""

import asyncio
import json
import os
import signal
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

#: For workers whose commands would not end for long.
IMPATIENT = {"CRONSTREAM_DRAIN_S": "0.5"}


async def _start_all(start: StartWorker, clusters: list[str], crontab: str) -> dict[str, Any]:
    """Start a scheduler, and for each cluster a worker and a retry worker, all at once."""
    roles: dict[str, list[str]] = {"scheduler": []}
    for cluster in clusters:
        roles[cluster] = ["--cluster", cluster, "--loglevel", "debug"]
        roles[f"{cluster}.retry"] = ["--cluster", cluster, "--retry"]
    started = await asyncio.gather(
        *(
            start(*options, crontab=crontab, variables={"WORKER": name})
            for name, options in roles.items()
        )
    )
    return dict(zip(roles, started, strict=True))


async def test_each_attempt_is_made_by_the_worker_whose_it_is(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    a, b = a_name("a"), a_name("b")
    truth, third = Truth(tmp_path), "test $CRONSTREAM_ATTEMPT -ge 3"
    await _start_all(
        start_worker,
        [a, b],
        f"""
version: 1
clusters: {{{a}: , {b}: }}
defaults: {{max_attempts: 3, backoff: {{first: 0.2s, factor: 1, jitter: 0}}}}
jobs:
  - {{name: {a}-doomed, cluster: {a}, schedule: "@every 4s", command: '{truth.command}; exit 3'}}
  - {{name: {b}-third, cluster: {b}, schedule: "@every 4s", command: '{truth.command}; {third}'}}
  - {{name: {b}-fine, cluster: {b}, schedule: "@every 2s", command: '{truth.command}'}}
""",
    )
    await truth.wait(6, f"{a}-doomed")
    await truth.wait(6, f"{b}-third")
    lines = await truth.wait(4, f"{b}-fine") and truth.lines()

    for line in lines:
        cluster = line.job.rpartition("-")[0]
        assert line.worker == (cluster if line.attempt == 1 else f"{cluster}.retry")
    assert max(Counter((line.run, line.attempt) for line in lines).values()) == 1
    doomed = Counter(line.run for line in truth.lines(f"{a}-doomed"))
    assert max(doomed.values()) == 3
    assert all(line.attempt == 1 for line in truth.lines(f"{b}-fine"))


async def test_what_becomes_of_a_run_is_said_by_its_cluster(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("said")
    truth = Truth(tmp_path)
    workers = await _start_all(
        start_worker,
        [cluster],
        f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, max_attempts: 2, backoff: {{first: 0.2s, jitter: 0}}}}
jobs:
  - {{name: {cluster}-doomed, schedule: "@every 5s", command: '{truth.command}; exit 3'}}
  - {{name: {cluster}-fine, schedule: "@every 5s", command: '{truth.command}'}}
""",
    )
    worker, retry = workers[cluster], workers[f"{cluster}.retry"]

    assert f"run {cluster}-fine@" in await worker.said("succeeded (attempt 1)")
    await worker.said("attempt 1 failed (exit status 3), 1 of 2 failures; next attempt not before")
    await retry.said("discarded (attempt 2 failed (exit status 3), 2 of 2 failures)")
    await worker.said("discarded (after retries)")
    await _see_tables(workers["scheduler"], worker, cluster)


async def _see_tables(scheduler: StartedWorker, worker: StartedWorker, cluster: str) -> None:
    job = await _table(scheduler, f"jobs/{cluster}-fine")
    assert job["cluster"] == cluster
    assert job["schedule"] == "@every 5s"
    assert (await _table(scheduler, "cursors/0"))["shard"] == 0
    said = await worker.said("attempt 1 started")
    run = said.partition("run ")[2].partition(": ")[0]
    assert (await _table(worker, "ledgers/3"))["partition"] == 3
    row = await _table(worker, f"runs/{run}")
    assert row["state"] in {"queued", "claimed", "running", "retryable", "succeeded", "discarded"}


async def _table(worker: StartedWorker, path: str) -> Any:
    port = next(connection.laddr.port for connection in _listening(worker.pid))
    url = f"http://127.0.0.1:{port}/table/{path}/"
    return json.loads(await asyncio.to_thread(_get, url))


def _listening(pid: int) -> list[Any]:
    return [c for c in psutil.Process(pid).net_connections("tcp4") if c.status == "LISTEN"]


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


async def test_a_command_that_runs_ends_before_its_worker_does(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("drain")
    truth = Truth(tmp_path)
    workers = await _start_all(
        start_worker,
        [cluster],
        _one_job(cluster, f"sleep 2; {truth.command}"),
    )
    worker = workers[cluster]
    await worker.said("attempt 1 started")

    assert await worker.stop() == 0

    assert len(truth.lines()) == 1
    assert not any("interrupted" in line for line in worker.lines)


async def test_a_command_that_takes_too_long_to_end_is_interrupted_and_made_again(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("interrupt")
    truth = Truth(tmp_path)
    crontab = _one_job(cluster, f"{truth.command}; sleep 60", every="30s")
    first = await start_worker(
        "--cluster", cluster, crontab=crontab, variables={**IMPATIENT, "WORKER": "first"}
    )
    await start_worker(crontab=crontab)
    await first.said("attempt 1 started")
    second = await start_worker("--cluster", cluster, variables={**IMPATIENT, "WORKER": "second"})

    assert await first.stop() == 0

    await second.said("attempt 2 started", within_s=40)
    assert [(line.attempt, line.worker) for line in truth.lines()[:2]] == [
        (1, "first"),
        (2, "second"),
    ]


async def test_the_runs_of_a_killed_worker_are_made_elsewhere(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("killed")
    truth = Truth(tmp_path)
    crontab = _one_job(cluster, f"{truth.command}; sleep 60", every="30s")
    first = await start_worker(
        "--cluster", cluster, crontab=crontab, variables={**IMPATIENT, "WORKER": "first"}
    )
    await start_worker(crontab=crontab)
    await first.said("attempt 1 started")
    second = await start_worker("--cluster", cluster, variables={**IMPATIENT, "WORKER": "second"})

    os.kill(first.pid, signal.SIGKILL)
    killed = time.monotonic()

    await second.said("attempt 1 lost; it is made again", within_s=30)
    await second.said("attempt 2 started", within_s=30)
    assert time.monotonic() - killed < 20, "10 s are promised; the machine may be busy"
    await truth.wait(2)
    assert [line.worker for line in truth.lines()[:2]] == ["first", "second"]


def _one_job(cluster: str, command: str, every: str = "5s") -> str:
    return f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: {cluster}-job, cluster: {cluster}, schedule: "@every {every}", command: '{command}'}}
"""
