"""Runs that follow others, while workers are killed: each made once, on a real Kafka."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cronstream.core.audit.finding import FAULTS
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
        await _followed_more(file, 8)
        await first.kill()
        await second.said("owns 12 of 12 partitions", within_s=90)
        await _followed_more(file, 8)
        first = second
    due = await _what_followed(broker, (cluster,), _last_due(file))

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


async def test_what_follows_in_another_cluster_is_handed_over_once_though_anybody_is_killed(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    here, there, file = a_name("here"), a_name("there"), tmp_path / "followed"
    crontab = f"""
version: 1
clusters: {{{here}: , {there}: }}
defaults: {{cluster: {here}}}
jobs:
  - {{name: {here}-good, schedule: "@every 1s", command: "true", then: {there}-after}}
  - {{name: {here}-bad, schedule: "@every 2s", command: "exit 7", max_attempts: 2,
     backoff: {{first: 0s}}, then: {{discarded: {there}-alert}}}}
  - {{name: {there}-after, cluster: {there}, command: '{_NOTE}{file}', then: {here}-last}}
  - {{name: {there}-alert, cluster: {there}, command: '{_NOTE}{file}'}}
  - {{name: {here}-last, command: '{_NOTE}{file}'}}
"""
    scheduler = await start_worker(crontab=crontab)
    first, second, _, spare = await asyncio.gather(
        start_worker("--cluster", here),
        start_worker("--cluster", there),
        start_worker("--cluster", here, "--retry"),
        start_worker(waits=False),
    )
    await spare.said("healthy", within_s=90)
    await first.said(f"run {here}-last@", within_s=90)
    await second.said(f"run {there}-alert@", within_s=90)
    for _ in range(2):
        await scheduler.kill()
        await first.kill()
        scheduler, spare = spare, await start_worker(waits=False)
        first = await start_worker("--cluster", here, waits=False)
        await _followed_more(file, 8)
    due = await _what_followed(broker, (here, there), _last_due(file))

    assert {run["state"] for run in due if run["job"] == f"{there}-alert"} == {"succeeded"}
    assert await _audited(broker, here, there) == []


async def test_what_waits_without_a_scheduler_is_found_waiting_and_then_is_made(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    here, there, file = a_name("here"), a_name("there"), tmp_path / "followed"
    crontab = f"""
version: 1
clusters: {{{here}: , {there}: }}
jobs:
  - {{name: {here}-first, cluster: {here}, schedule: "@every 1h", then: {there}-after,
     command: 'until [ -e {tmp_path}/go ]; do sleep 0.2; done'}}
  - {{name: {there}-after, cluster: {there}, command: '{_NOTE}{file}'}}
"""
    scheduler = await start_worker(crontab=crontab)
    worker, _ = await asyncio.gather(
        start_worker("--cluster", here), start_worker("--cluster", there)
    )
    assert (await run_command(broker, "run-now", f"{here}-first"))[0] == 0
    await worker.said(f"run {here}-first@", within_s=90)
    await scheduler.kill()
    (tmp_path / "go").touch()
    await worker.said("succeeded", within_s=90)
    await asyncio.sleep(62)  # So long it may be on its way.

    [found] = await _audited(broker, here, there)
    assert (found["kind"], found["job"]) == ("waiting", f"{there}-after")
    assert "waiting to be handed over to its cluster since" in found["text"]
    await start_worker(waits=False)
    async with asyncio.timeout(90):
        while not file.exists():  # noqa: ASYNC110 - a file says nothing by itself
            await asyncio.sleep(0.3)
    assert await _audited(broker, here, there) == []


async def _audited(broker: str, *clusters: str) -> list[dict[str, Any]]:
    """Return what breaks a promise in these clusters."""
    _, out, _ = await run_command(broker, "audit", "--since", "10m", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    return [one for one in found if one.get("cluster") in clusters and one["kind"] in FAULTS]


async def _what_followed(
    broker: str, clusters: tuple[str, ...], until: str
) -> list[dict[str, Any]]:
    """Return the runs due by then, once each is followed that is to be.

    A verdict stands once what follows is on its way: a scheduler may just be taking over.
    """
    async with asyncio.timeout(90):
        while not (due := await _all_followed(broker, clusters, until)):
            pass  # Commands take as long as a pause would.
    return due


async def _all_followed(broker: str, clusters: tuple[str, ...], until: str) -> list[dict[str, Any]]:
    """Return the runs due by then if each is followed that is to be; each once, if at all."""
    runs = []
    for cluster in clusters:
        told = await run_command(broker, "runs", "--cluster", cluster, "--json", "--limit", "9999")
        runs += [json.loads(line) for line in told[1].splitlines()]
    due = [run for run in runs if run["scheduled_at"] <= until]
    followed = Counter(run["follows"] for run in due if run["follows"])
    wanted = {"good": "succeeded", "bad": "discarded", "after": "succeeded"}
    ended = [run for run in due if wanted.get(run["job"].rpartition("-")[2]) == run["state"]]
    for run in ended:
        assert followed[run["run"]] <= 1, run["run"]
    last = {run["state"] for run in due if run["job"].endswith("-alert")}
    is_over = last == {"succeeded"} and all(followed[run["run"]] for run in ended)
    return due if is_over else []


async def _followed_more(file: Path, than: int) -> None:
    before = len(_lines(file))
    async with asyncio.timeout(120):
        while len(_lines(file)) < before + than:  # noqa: ASYNC110 - a file says nothing by itself
            await asyncio.sleep(0.3)
