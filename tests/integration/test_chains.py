"""Runs that follow others, while workers are killed: each made once, on a real Kafka."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration

_NOTE = 'echo "$CRONSTREAM_PREVIOUS_RUN_ID $CRONSTREAM_PREVIOUS_VERDICT $CRONSTREAM_RUN_ID" >> '


async def test_each_verdict_is_followed_once_though_workers_are_killed(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, file = a_name("chain"), tmp_path / "followed"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}}}
jobs:
  - {{name: {cluster}-good, schedule: "@every 1s", command: "true",
     then: {{succeeded: {cluster}-after}}}}
  - {{name: {cluster}-bad, schedule: "@every 2s", command: "exit 7",
     then: {{discarded: {cluster}-alert, succeeded: {cluster}-never}}}}
  - {{name: {cluster}-after, command: '{_NOTE}{file}', then: {{settled: {cluster}-last}}}}
  - {{name: {cluster}-last, command: 'echo "last $CRONSTREAM_RUN_ID" >> {file}'}}
  - {{name: {cluster}-alert, command: '{_NOTE}{file}; echo "$CRONSTREAM_PREVIOUS_REASON"'}}
  - {{name: {cluster}-never, command: 'touch {tmp_path}/never'}}
"""
    await start_worker(crontab=crontab)
    first = await start_worker("--cluster", cluster)
    await first.said(f"run {cluster}-last@")
    for _ in range(2):
        second = await start_worker("--cluster", cluster)
        await asyncio.sleep(4)
        await first.kill()
        await second.said("owns 12 of 12 partitions", within_s=90)
        first = second
    await asyncio.sleep(5)
    until = _last_due(file)

    status, out, _ = await run_command(
        broker, "runs", "--cluster", cluster, "--json", "--limit", "9999"
    )
    assert status == 0
    runs = [json.loads(line) for line in out.splitlines()]
    due = [run for run in runs if run["scheduled_at"] <= until]
    followed = Counter(run["follows"] for run in due if run["follows"])
    for run in due:
        wanted = {"good": "succeeded", "bad": "discarded", "after": "succeeded"}
        if wanted.get(run["job"].rpartition("-")[2]) == run["state"]:
            assert followed[run["run"]] == 1, run["run"]
    assert any(run["job"] == f"{cluster}-alert" and run["state"] == "succeeded" for run in due)
    assert not (tmp_path / "never").exists()
    status, out, _ = await run_command(broker, "audit", "--cluster", cluster, "--since", "10m")
    assert status == 0, out


def _last_due(file: Path) -> str:
    """Return the due time before the last of which something followed, as JSON has it."""
    dues = {line.split()[-1].partition("@")[2].partition("!")[0] for line in _lines(file)}
    return sorted(dues)[-4]


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()
