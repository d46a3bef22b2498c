"""After an outage of schedulers: what was missed, and what a person wants run after all."""

import asyncio
import json
import re
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from cronstream import clock
from cronstream.core.wire.times import format_time
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.hands import AHEAD, LOOK_AHEAD_S, until
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration

#: Longer than what a scheduler of another test on the same Kafka has published ahead.
_OUTAGE_S = 30 + LOOK_AHEAD_S + 4


async def test_after_an_outage_once_is_run_once_and_all_one_after_another(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, file = a_name("missed"), tmp_path / "starts"
    command = f"echo $CRONSTREAM_RUN_ID $(date +%s.%N) >> {file}"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, missed_grace: 0s}}
jobs:
"""
    for missed in ("skip", "once", "all"):
        crontab += (
            f"  - {{name: {cluster}-{missed}, schedule: '@every 2s', missed: {missed}, "
            f"command: '{command}'}}\n"
        )
    worker = await start_worker("--cluster", cluster, variables=AHEAD, waits=False)
    scheduler = await start_worker(crontab=crontab, variables=AHEAD)
    await worker.said("owns ")
    await until(lambda: file.exists() and f"{cluster}-all" in file.read_text())
    await scheduler.kill()
    await asyncio.sleep(_OUTAGE_S)
    back = await start_worker(crontab=crontab, variables=AHEAD)
    await back.said("missed due times of")
    back_at = clock.now()
    await asyncio.sleep(15)

    await _see_what_was_made_up_for(broker, cluster, file, back_at)
    await _see_that_a_backfill_is_run_once(broker, f"{cluster}-skip", file, back_at)
    status, out, _ = await run_command(broker, "audit", "--cluster", cluster, "--since", "5m")
    assert status == 0, out


async def _see_what_was_made_up_for(
    broker: str, cluster: str, file: Path, back_at: datetime
) -> None:
    assert sum(await _skipped(broker, f"{cluster}-skip", "missed")) >= 4
    assert sum(await _skipped(broker, f"{cluster}-once", "coalesced")) >= 3
    assert await _skipped(broker, f"{cluster}-all", "missed") == []
    starts = _starts(file)
    late = {
        job: sorted(
            at
            for run, at in starts.items()
            if run.startswith(f"{cluster}-{job}@") and _due(run) < back_at.timestamp() - 2 < at
        )
        for job in ("skip", "once", "all")
    }
    assert late["skip"] == []
    assert len(late["once"]) <= 1
    assert len(late["all"]) >= 4
    # One in a second; how late each then starts differs where the machine is busy.
    assert min(b - a for a, b in pairwise(late["all"])) > 0.5
    on_time = [
        at - _due(run)
        for run, at in starts.items()
        if _due(run) > back_at.timestamp() + 3 and "-all@" in run
    ]
    assert on_time
    assert max(on_time) < 1.5, "what is due meanwhile stands behind none of them"


async def _skipped(broker: str, job: str, reason: str) -> list[int]:
    """Return how many due times were skipped in each span."""
    status, out, err = await run_command(broker, "runs", "--job", job, "--limit", "500", "--json")
    assert status == 0, err
    found = map(json.loads, out.splitlines())
    return [run["count"] for run in found if run["reason"] == reason]


async def _see_that_a_backfill_is_run_once(
    broker: str, job: str, file: Path, back_at: datetime
) -> None:
    span = ("--from", "2m", "--to", format_time(back_at), "--rate", "10/s", "--by", "ada")
    answers = await asyncio.gather(*(run_command(broker, "backfill", job, *span) for _ in range(2)))
    assert [status for status, _, _ in answers] == [0, 0], answers
    asked = {line for _, out, _ in answers for line in out.splitlines()}
    assert len(asked) >= 4
    await until(lambda: all(run in file.read_text() for run in asked))
    made = _backfilled(file)
    assert sorted(made) == sorted(asked), "each once, though two have asked for it"
    status, out, err = await run_command(broker, "backfill", job, *span)
    assert (status, out) == (0, ""), err
    assert "backfilled before" in err


def _starts(file: Path) -> dict[str, float]:
    return {run: float(at) for run, at in map(str.split, file.read_text().splitlines())}


def _backfilled(file: Path) -> list[str]:
    return re.findall(r"^(\S+!backfill-0) ", file.read_text(), re.MULTILINE)


def _due(run: str) -> float:
    return datetime.fromisoformat(run.partition("@")[2].partition("!")[0]).timestamp()
