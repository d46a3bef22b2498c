"""After an outage of schedulers: what was missed, and what a person wants run after all."""

import asyncio
import json
import re
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

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
    paced = await _made_up_for(broker, f"{cluster}-all")
    # One in a second, whatever the machine then makes of it.
    assert min((b - a).total_seconds() for a, b in pairwise(sorted(paced.values()))) >= 1
    on_time_since = back_at.timestamp() + 3
    await until(lambda: paced.keys() <= _starts(file).keys())
    await until(lambda: len(_delays(file, f"{cluster}-all", on_time_since)) >= 4)

    starts = _starts(file)
    assert all(starts[run] > at.timestamp() - 0.1 for run, at in paced.items())
    await _see_what_was_made_up_for(broker, cluster, starts)
    # Behind all that is made up for it would start later than that by far.
    assert max(_delays(file, f"{cluster}-all", on_time_since)) < 5
    await _see_that_a_backfill_is_run_once(broker, f"{cluster}-skip", file, back_at)
    status, out, _ = await run_command(broker, "audit", "--cluster", cluster, "--since", "5m")
    assert status == 0, out


async def _made_up_for(broker: str, job: str) -> dict[str, datetime]:
    """Return runs that wait to be made up for, once there are some, each with when it may start."""
    async with asyncio.timeout(30):
        while True:
            waiting = {
                run["run"]: datetime.fromisoformat(run["not_before"])
                for run in await _runs(broker, job)
                if run["not_before"] and _time(run["not_before"]) > _time(run["scheduled_at"])
            }
            if len(waiting) >= 4:
                return waiting


async def _see_what_was_made_up_for(broker: str, cluster: str, starts: dict[str, float]) -> None:
    skipped = await _skipped(broker, f"{cluster}-skip", "missed")
    outage = max(skipped, key=lambda span: int(span["count"]))
    assert outage["count"] >= 4
    begin, end = (_time(outage[name]) for name in ("scheduled_at", "to_at"))
    assert sum(span["count"] for span in await _skipped(broker, f"{cluster}-once", "coalesced")) > 2
    assert await _skipped(broker, f"{cluster}-all", "missed") == []
    made = Counter(
        run.partition("@")[0].rpartition("-")[2] for run in starts if begin <= _due(run) <= end
    )
    assert made["skip"] == 0
    assert made["once"] <= 1
    assert made["all"] >= 4


async def _skipped(broker: str, job: str, reason: str) -> list[dict[str, Any]]:
    """Return the spans of due times that were skipped for a reason."""
    return [run for run in await _runs(broker, job) if run["reason"] == reason]


async def _runs(broker: str, job: str) -> list[dict[str, Any]]:
    status, out, err = await run_command(broker, "runs", "--job", job, "--limit", "500", "--json")
    assert status == 0, err
    return [json.loads(line) for line in out.splitlines()]


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


def _delays(file: Path, job: str, since: float) -> list[float]:
    """Return how late each run of a job began that was due since then."""
    starts = _starts(file).items()
    return [at - _due(run) for run, at in starts if run.startswith(f"{job}@") and _due(run) > since]


def _backfilled(file: Path) -> list[str]:
    return re.findall(r"^(\S+!backfill-0) ", file.read_text(), re.MULTILINE)


def _due(run: str) -> float:
    return _time(run.partition("@")[2].partition("!")[0])


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
