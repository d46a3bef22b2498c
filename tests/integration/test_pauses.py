"""Jobs that are paused: by a person, through edit and takeover, and by their discarded runs."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration


def crontab(cluster: str, command: str, *, job: str = "") -> str:
    return f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - name: {cluster}-tick
    cluster: {cluster}
    schedule: "@every 1s"
    command: '{command}'
    {job}
"""


def starts(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


async def started_more(file: Path, than: int) -> None:
    async with asyncio.timeout(60):
        while starts(file) <= than:  # noqa: ASYNC110 - a file says nothing by itself
            await asyncio.sleep(0.5)


async def test_a_paused_job_begins_nothing_through_an_edit_and_a_takeover_until_it_is_resumed(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth, file = a_name("pause"), Truth(tmp_path), tmp_path / "starts"
    job, command = f"{cluster}-tick", f"echo x >> {file}; {truth.command}"
    scheduler = await start_worker(crontab=crontab(cluster, command))
    worker = await start_worker("--cluster", cluster)
    await worker.said("succeeded")

    status, out, err = await run_command(broker, "pause", job, "--reason", "night", "--by", "ada")
    assert (status, out[:24]) == (0, f"job {job} is paused by ada"[:24]), err
    await worker.said("skipped (paused)")
    await asyncio.sleep(2)
    paused_at = starts(file)
    await scheduler.kill()
    again = await start_worker(crontab=crontab(cluster, command, job="timeout: 9s"))
    await again.said(f"job {job}: timeout")
    await asyncio.sleep(3)
    assert starts(file) == paused_at, "nothing begins while it is paused"

    status, out, _ = await run_command(broker, "jobs", "--paused", "--json")
    [told] = [one for one in map(json.loads, out.splitlines()) if one["job"] == job]
    assert (told["by"], told["reason"]) == ("ada", "night")
    status, _, err = await run_command(broker, "run-now", job, "--wait")
    assert status == 0, err
    assert starts(file) == paused_at + 1

    status, out, err = await run_command(broker, "resume", job, "--by", "bob")
    assert (status, out) == (0, f"job {job} goes on\n"), err
    await started_more(file, paused_at + 3)
    audit = ("audit", "--cluster", cluster, "--since", "10m", "--json")
    status, out, _ = await run_command(broker, *audit)
    assert status == 0, out
    assert '"paused":' in out


async def test_what_a_killed_worker_had_claimed_ahead_is_skipped_if_its_job_is_paused_then(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, file = a_name("ahead"), tmp_path / "starts"
    await start_worker(crontab=crontab(cluster, f"echo x >> {file}"))
    worker = await start_worker("--cluster", cluster)
    await worker.said("succeeded")
    await asyncio.sleep(2)  # By now it has claimed half a minute ahead.
    await worker.kill()
    other = await start_worker("--cluster", cluster)
    await other.said("succeeded")

    status, _, err = await run_command(broker, "pause", f"{cluster}-tick")
    assert status == 0, err
    await other.said("skipped (paused)")
    await asyncio.sleep(2)
    before = starts(file)
    await asyncio.sleep(12)
    assert starts(file) == before
    audit = ("audit", "--cluster", cluster, "--since", "10m")
    status, out, _ = await run_command(broker, *audit)
    assert status == 0, out


async def test_discarded_runs_in_a_row_pause_their_job_until_it_is_resumed(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, file = a_name("halt"), tmp_path / "starts"
    job = f"{cluster}-tick"
    await start_worker(crontab=crontab(cluster, f"echo x >> {file}; exit 3", job="pause_after: 2"))
    worker = await start_worker("--cluster", cluster)
    await worker.said("skipped (paused)")
    await asyncio.sleep(3)
    before = starts(file)
    await asyncio.sleep(4)

    assert starts(file) == before
    status, out, _ = await run_command(broker, "jobs", "--paused", "--json")
    [told] = [one for one in map(json.loads, out.splitlines()) if one["job"] == job]
    assert told["by"] == "its discarded runs"
    status, out, err = await run_command(broker, "resume", job)
    assert status == 0, err
    await started_more(file, before)
    status, out, _ = await run_command(broker, "audit", "--cluster", cluster, "--since", "10m")
    assert status == 0, out


async def test_what_follows_another_job_is_skipped_while_its_own_is_paused(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, file, never = a_name("behind"), tmp_path / "starts", tmp_path / "never"
    after = f"{cluster}-after"
    more = f"""then: [{after}, {cluster}-off]
  - {{name: {after}, cluster: {cluster}, command: 'echo x >> {file}'}}
  - {{name: {cluster}-off, cluster: {cluster}, command: 'touch {never}', enabled: false}}
"""
    await start_worker(crontab=crontab(cluster, "true", job=more))
    worker = await start_worker("--cluster", cluster)
    await started_more(file, 1)

    status, _, err = await run_command(broker, "pause", after, "--by", "ada")
    assert status == 0, err
    await runs_of(broker, after, "skipped")
    await worker.kill()
    before = starts(file)
    again = await start_worker("--cluster", cluster)
    await again.said("skipped (paused)", within_s=90)
    assert starts(file) == before, "nothing begins while it is paused, whoever takes over"
    status, _, err = await run_command(broker, "run-now", after, "--wait")
    assert (status, starts(file)) == (0, before + 1), err

    status, _, err = await run_command(broker, "resume", after)
    assert status == 0, err
    await started_more(file, before + 2)
    assert {run["reason"] for run in await runs_of(broker, f"{cluster}-off", "skipped")} == {
        "paused"
    }
    assert not never.exists()
    status, out, _ = await run_command(broker, "audit", "--cluster", cluster, "--since", "10m")
    assert status == 0, out


async def runs_of(broker: str, job: str, state: str) -> list[dict[str, str]]:
    """Return the runs of a job in a state, once there are any."""
    async with asyncio.timeout(60):
        while True:
            _, out, _ = await run_command(broker, "runs", "--job", job, "--json")
            runs = [json.loads(line) for line in out.splitlines()]
            if found := [run for run in runs if run["state"] == state]:
                return found
