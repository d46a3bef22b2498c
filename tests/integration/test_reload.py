"""An edit of the crontab takes effect while everything runs, whatever way it is made."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.truth import Truth, a_name
from tests.integration.watched import start_watched

pytestmark = pytest.mark.integration


def _crontab(cluster: str, command: str, *jobs: str) -> str:
    head = f"version: 1\nclusters: [{cluster}]\njobs:\n"
    lines = f"    cluster: {cluster}\n    schedule: '@every 1s'\n    command: '{command}'\n"
    return head + "".join(f"  - name: {cluster}-{job}\n{lines}" for job in jobs)


async def _in_force(scheduler: StartedWorker, job: str, since: int, began: float) -> None:
    await scheduler.said(f"job {job} added", since=since, within_s=90)
    assert time.monotonic() - began < 5.0, "it takes half a second; the machine may be busy"


async def test_an_edit_holds_within_two_seconds_however_it_is_made(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth, path = a_name("reload"), Truth(tmp_path), tmp_path / "crontab.yaml"

    def crontab(*jobs: str) -> str:
        return _crontab(cluster, truth.command, *jobs)

    scheduler, _ = await asyncio.gather(
        start_worker(crontab=crontab("1")),
        start_worker("--cluster", cluster, variables={"WORKER": "w"}),
    )
    await truth.wait(1, f"{cluster}-1")

    since, began = len(scheduler.lines), time.monotonic()
    path.write_text(crontab("1", "2"))
    await _in_force(scheduler, f"{cluster}-2", since, began)
    await truth.wait(2, f"{cluster}-2")

    since = len(scheduler.lines)
    path.write_text(crontab("2"))  # Half of it: its writer pauses.
    await scheduler.said("was written in place without 1 of its jobs", since=since, within_s=90)
    ended = len(truth.lines(f"{cluster}-1"))
    await truth.wait(ended + 2, f"{cluster}-1")

    renamed = tmp_path / "crontab.new"
    renamed.write_text(crontab("3"))
    since, began = len(scheduler.lines), time.monotonic()
    renamed.rename(path)
    await _in_force(scheduler, f"{cluster}-3", since, began)
    await truth.wait(1, f"{cluster}-3")
    ended = len(truth.lines(f"{cluster}-1"))

    (tmp_path / "elsewhere.yaml").write_text(crontab("4"))
    link = tmp_path / "link"
    link.symlink_to("elsewhere.yaml")
    since, began = len(scheduler.lines), time.monotonic()
    link.rename(path)
    await _in_force(scheduler, f"{cluster}-4", since, began)
    await truth.wait(2, f"{cluster}-4")

    assert len(truth.lines(f"{cluster}-1")) == ended
    await _a_great_removal_is_held_back(broker, scheduler, path, cluster, crontab)


async def _a_great_removal_is_held_back(
    broker: str,
    scheduler: StartedWorker,
    path: Path,
    cluster: str,
    crontab: Callable[..., str],
) -> None:
    """See that it is in force once the file has the mark that ``plan`` gives."""

    async def replace(text: str, said: str) -> None:
        new, since = path.with_name("new.yaml"), len(scheduler.lines)
        new.write_text(text)
        new.rename(path)
        await scheduler.said(said, since=since, within_s=90)

    await replace(crontab(*"45678"), f"job {cluster}-8 added")
    await replace(crontab("4"), "crontab.yaml is held back: it would take out 4 of the 5 jobs")
    status, out, err = await run_command(f"kafka://{broker}", "plan", str(path))
    assert (status, "held back" in out) == (3, True), err
    [mark] = re.findall(r"'allow_removals: (\S+)'", err)

    meant = f"allow_removals: {mark}\n{crontab('4')}"
    await replace(meant, f"job {cluster}-8 removed")
    status, out, _ = await run_command(f"kafka://{broker}", "plan", str(path))
    assert (status, "nothing would change" in out) == (0, True)
    status, out, _ = await run_command(f"kafka://{broker}", "history", f"{cluster}-8", "--json")
    added, removed = map(json.loads, out.splitlines())
    assert (added["change"], removed["change"]) == ("added", "removed")
    assert added["by"] != removed["by"]
    assert removed["by"].endswith(hashlib.sha256(meant.encode()).hexdigest()[:12])


async def test_a_broken_file_changes_nothing_and_says_why(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth, path = a_name("broken"), Truth(tmp_path), tmp_path / "crontab.yaml"
    good = _crontab(cluster, truth.command, "1")
    scheduler, _ = await asyncio.gather(
        start_worker(crontab=good),
        start_worker("--cluster", cluster, variables={"WORKER": "w"}),
    )
    await truth.wait(1)

    path.write_text(good.replace("@every 1s", "61 * * * *").replace("command", "comand"))

    said = await scheduler.said("line 6, column", within_s=90)
    assert "crontab.yaml" in said
    await scheduler.said("stays in force")
    seen = len(truth.lines())
    await truth.wait(seen + 3, within_s=90)


async def test_a_second_installation_on_the_same_kafka_takes_no_jobs_out(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    """Its scheduler is alone in the end, and fires what is in force; its own file only if told."""
    cluster, truth = a_name("prod"), Truth(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(_crontab(a_name("other"), truth.command, "1"))
    soon = {"CRONSTREAM_LOOK_AHEAD_S": "7", "CRONSTREAM_ADOPT": "0"}
    elsewhere = {"CRONSTREAM_CRONTAB": str(other), "CRONSTREAM_DATA_DIR": str(tmp_path / "else")}
    prod, _ = await asyncio.gather(
        start_worker("--adopt", crontab=_crontab(cluster, truth.command, "1"), variables=soon),
        start_worker("--cluster", cluster, variables={"WORKER": "w"}),
    )
    await truth.wait(1, f"{cluster}-1")
    watched = await start_watched(start_worker, variables=elsewhere | soon, waits=False)
    stranger = watched.worker
    await stranger.said("healthy")
    await prod.stop()
    said = await stranger.said("other.yaml is not put in force")
    assert "--adopt" in said
    assert not [line for line in stranger.lines if "removed" in line]
    await watched.warns("other.yaml is not put in force")
    await truth.wait(len(truth.lines(f"{cluster}-1")) + 10, f"{cluster}-1", within_s=90)
    await stranger.stop()
    adopting = await start_worker("--adopt", variables=elsewhere | soon)
    await adopting.said(f"job {cluster}-1 removed", within_s=60)
