"""What real processes have done is audited, one of them killed; then some of it is forged."""

import asyncio
import json
import os
import signal
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cronstream import clock
from cronstream.core.planning.making import run_of
from cronstream.core.wire.entries import Started, Withdrawal
from cronstream.core.wire.runs import Job
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher, partition_of
from tests.builders import NAMES
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

_SETTLED_WITHIN_S = 40.0


def _crontab(cluster: str, every: str, truth: Truth) -> str:
    return f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, max_attempts: 2, backoff: {{first: 0.2s, jitter: 0}}}}
jobs:
  - {{name: {cluster}-fine, schedule: "@every {every}", command: '{truth.command}; sleep 1'}}
  - {{name: {cluster}-doomed, schedule: "@every 3s", command: "exit 3"}}
"""


async def _audit(
    broker: str, cluster: str, since: datetime, until: datetime
) -> tuple[int, list[dict[str, Any]]]:
    """Audit once every due time up to `until` has its verdict; return status and lines."""
    window = ("--since", since.isoformat(), "--until", until.isoformat())
    async with asyncio.timeout(_SETTLED_WITHIN_S):
        while True:
            status, out, err = await run_command(
                f"kafka://{broker}", "audit", "--json", "--cluster", cluster, *window
            )
            assert status in (0, 1), err
            found = [json.loads(line) for line in out.splitlines()]
            if not found[-1]["open"]:
                return status, found
            await asyncio.sleep(1)


async def test_what_real_processes_did_is_clean_and_what_is_forged_is_found(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    since, cluster, truth = clock.now(), a_name("audit"), Truth(tmp_path)
    fine = f"{cluster}-fine"
    scheduler, first, _ = await asyncio.gather(
        start_worker(crontab=_crontab(cluster, "2s", truth)),
        start_worker("--cluster", cluster, variables={"WORKER": "first"}),
        start_worker("--cluster", cluster, "--retry", variables={"WORKER": "retry"}),
    )
    await truth.wait(3)
    (tmp_path / "crontab.yaml").write_text(_crontab(cluster, "3s", truth))
    await scheduler.said(f"job {fine}:")
    await truth.wait(len(truth.lines()) + 1)
    os.kill(first.pid, signal.SIGKILL)
    second = await start_worker("--cluster", cluster, variables={"WORKER": "second"})
    await second.said("attempt 1 lost; it is made again", within_s=30)
    await second.said(f"{fine}", "succeeded (attempt", within_s=30)
    until = clock.now()

    status, found = await _audit(broker, cluster, since, until)
    summary = found[-1]
    assert status == 0, found
    assert [summary[kind] for kind in ("unexplained", "doubled", "overrun")] == [0, 0, 0]
    assert summary["due"] == sum(summary["verdicts"].values())
    assert summary["verdicts"]["discarded"] > 0
    assert summary["lost"] > 0
    assert {line["worker"] for line in found if line["kind"] == "lost"} == {_name_of(first.lines)}
    made = Counter((line.run, line.attempt) for line in truth.lines())
    assert set(made.values()) == {1}

    await scheduler.stop()
    run, missing = truth.lines(fine)[0].run, await _forge(broker, cluster, truth.lines(fine)[0].run)
    status, found = await _audit(broker, cluster, since, clock.now())
    assert status == 1
    assert {(line["kind"], line["run"]) for line in found if line["kind"] in _FORGED} == {
        ("doubled", run),
        ("unexplained", missing),
    }


_FORGED = ("doubled", "unexplained")


def _name_of(lines: list[str]) -> str:
    """Return what a worker calls itself."""
    line = next(line for line in lines if "this worker is " in line)
    return line.rpartition("this worker is ")[2].split()[0]


async def _forge(broker: str, cluster: str, run: str) -> str:
    """Start a run without a claim, and leave a run of a new job out; return that one's id."""
    settings = Settings(broker=f"kafka://{broker}")
    publisher = Publisher(settings)
    await publisher.start()

    async def put(topic: str, job: str, record: Any) -> int:
        count = settings.shards if topic == NAMES.jobs else settings.partitions
        return (await publisher.append(topic, partition_of(job, count), record)).offset

    log, job, now = NAMES.log(cluster), run.partition("@")[0], clock.now()
    await put(log, job, Started(run=run, claim=0, worker="thief", started_at=now))
    since = now.replace(microsecond=0) - timedelta(seconds=2)
    ghost = Job(
        name=f"{cluster}-ghost",
        cluster=cluster,
        schedule="@every 1s",
        timezone="UTC",
        command="true",
        effective_from=since,
    )
    revision = await put(NAMES.jobs, ghost.name, ghost)
    entry = Withdrawal(job=ghost.name, revision=revision, effective_from=since)
    await put(log, ghost.name, entry)
    runs = [run_of(ghost, revision, since + timedelta(seconds=i)) for i in range(3)]
    for one in (runs[0], runs[2]):
        await put(log, ghost.name, one)
    until = since + timedelta(seconds=2.5)
    gone = ghost.derive(effective_from=until, removed=True)
    revision = await put(NAMES.jobs, ghost.name, gone)
    entry = Withdrawal(job=ghost.name, revision=revision, effective_from=until)
    await put(log, ghost.name, entry)
    await publisher.stop()
    return runs[1].id
