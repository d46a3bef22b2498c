"""Runs that have to start within a time: while no worker is there, and when one comes."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

_WITHIN_S = 3.0


async def test_what_is_stale_when_a_worker_comes_is_skipped_as_late_and_the_rest_is_made(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth, file = a_name("late"), Truth(tmp_path), tmp_path / "starts"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - name: {cluster}-tick
    cluster: {cluster}
    schedule: "@every 1s"
    start_within: {_WITHIN_S:g}s
    command: 'echo $CRONSTREAM_RUN_ID $(date +%s.%N) >> {file}; {truth.command}'
"""
    scheduler = await start_worker(crontab=crontab)
    await scheduler.said(f"job {cluster}-tick added")
    await asyncio.sleep(_WITHIN_S + 6)
    worker = await start_worker("--cluster", cluster)
    await worker.said("skipped (late)")
    await truth.wait(5)

    status, out, err = await run_command(broker, "runs", "--cluster", cluster, "--json")
    assert status == 0, err
    runs = [json.loads(line) for line in out.splitlines()]
    late = {run["run"] for run in runs if run.get("reason") == "late"}
    started = dict(line.split() for line in file.read_text().splitlines())
    assert len(late) >= 4
    assert not late & started.keys()
    waits = [float(at) - _due(run) for run, at in started.items()]
    assert max(waits) < _WITHIN_S + 2, "a second is promised, and the machine may be busy"
    status, out, _ = await run_command(broker, "audit", "--cluster", cluster, "--since", "5m")
    assert status == 0, out


def _due(run: str) -> float:
    return datetime.fromisoformat(run.partition("@")[2]).timestamp()
