"""An edit of the crontab takes effect while everything runs, whatever way it is made."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration


def _crontab(cluster: str, job: str, command: str) -> str:
    return f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: {job}, cluster: {cluster}, schedule: "@every 1s", command: '{command}'}}
"""


async def _in_force(scheduler: StartedWorker, job: str, since: int, began: float) -> None:
    await scheduler.said(f"job {job} added", since=since, within_s=30)
    assert time.monotonic() - began < 5.0, "it takes half a second; the machine may be busy"


async def test_an_edit_holds_within_two_seconds_however_it_is_made(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth, path = a_name("reload"), Truth(tmp_path), tmp_path / "crontab.yaml"
    scheduler, _ = await asyncio.gather(
        start_worker(crontab=_crontab(cluster, f"{cluster}-1", truth.command)),
        start_worker("--cluster", cluster, variables={"WORKER": "w"}),
    )
    await truth.wait(1, f"{cluster}-1")

    since, began = len(scheduler.lines), time.monotonic()
    path.write_text(_crontab(cluster, f"{cluster}-2", truth.command))
    await _in_force(scheduler, f"{cluster}-2", since, began)
    await truth.wait(2, f"{cluster}-2")
    ended = len(truth.lines(f"{cluster}-1"))

    renamed = tmp_path / "crontab.new"
    renamed.write_text(_crontab(cluster, f"{cluster}-3", truth.command))
    since, began = len(scheduler.lines), time.monotonic()
    renamed.rename(path)
    await _in_force(scheduler, f"{cluster}-3", since, began)

    (tmp_path / "elsewhere.yaml").write_text(_crontab(cluster, f"{cluster}-4", truth.command))
    link = tmp_path / "link"
    link.symlink_to("elsewhere.yaml")
    since, began = len(scheduler.lines), time.monotonic()
    link.rename(path)
    await _in_force(scheduler, f"{cluster}-4", since, began)
    await truth.wait(2, f"{cluster}-4")

    assert len(truth.lines(f"{cluster}-1")) == ended


async def test_a_broken_file_changes_nothing_and_says_why(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth, path = a_name("broken"), Truth(tmp_path), tmp_path / "crontab.yaml"
    good = _crontab(cluster, f"{cluster}-1", truth.command)
    scheduler, _ = await asyncio.gather(
        start_worker(crontab=good),
        start_worker("--cluster", cluster, variables={"WORKER": "w"}),
    )
    await truth.wait(1)

    path.write_text(good.replace("@every 1s", "61 * * * *").replace("command", "comand"))

    said = await scheduler.said("line 5, column", within_s=30)
    assert "crontab.yaml" in said
    await scheduler.said("stays in force")
    seen = len(truth.lines())
    await truth.wait(seen + 3, within_s=30)
