"""Runs that come due while another of their job is under way, and fenced ones, on a real Kafka."""

import asyncio
import os
import signal
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration

#: For workers whose commands would not end for long.
IMPATIENT = {"CRONSTREAM_DRAIN_S": "0.5"}
#: Notes when it begins and ends, also when it is ended: ``SECONDS STATUS`` are its arguments.
SCRIPT = """\
note() { echo "$1 $CRONSTREAM_RUN_ID $CRONSTREAM_ATTEMPT $(date +%s.%N)" >> truth; }
trap 'note end; exit 1' TERM
note begin
sleep "$1" &
wait
note end
exit "$2"
"""


@dataclass
class Stay:
    """One attempt, from when its command began to when it ended (seconds since the epoch)."""

    run: str
    attempt: int
    begin: float
    end: float = float("inf")


class Witness:
    """The script that the jobs run, and what it has noted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "witness.sh").write_text(SCRIPT)

    def command(self, seconds: float, status: int = 0) -> str:
        """Return a job's ``command`` and ``cwd``."""
        return f"command: [sh, witness.sh, '{seconds}', '{status}'], cwd: {self._folder}"

    def stays(self, job: str) -> list[Stay]:
        """Return the attempts of a job so far, in the order in which they began."""
        file = self._folder / "truth"
        stays: dict[tuple[str, str], Stay] = {}
        for line in file.read_text().splitlines() if file.exists() else ():
            what, run, attempt, at = line.split(" ")
            if what == "begin":
                stays[run, attempt] = Stay(run, int(attempt), float(at))
            else:
                stays[run, attempt].end = float(at)
        return [stay for stay in stays.values() if stay.run.startswith(f"{job}@")]

    async def begun(self, job: str, count: int) -> list[Stay]:
        """Return the attempts of a job once so many have begun."""
        async with asyncio.timeout(60):
            while len(self.stays(job)) < count:  # noqa: ASYNC110 - other processes write it
                await asyncio.sleep(0.1)
        return self.stays(job)


async def test_each_policy_does_to_runs_that_come_due_too_soon_what_it_says(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, witness = a_name("o"), Witness(tmp_path)
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: skip, schedule: "@every 2s", overlap: skip, {witness.command(5)}}}
  - {{name: queue, schedule: "@every 2s", overlap: queue, {witness.command(3)}}}
  - {{name: replace, schedule: "@every 3s", overlap: replace, {witness.command(60)}}}
  - {{name: retried, schedule: "@every 3s", overlap: replace, {witness.command(0.2, 3)},
     max_attempts: 2, backoff: {{first: 60s}}}}
  - {{name: again, schedule: "@every 3s", overlap: queue, {witness.command(0.5, 3)},
     max_attempts: 2, backoff: {{first: 1s, jitter: 0}}}}
defaults: {{cluster: {cluster}, grace: 2s}}
"""
    options: list[list[str]] = [[], ["--cluster", cluster], ["--cluster", cluster, "--retry"]]
    _, worker, retry_worker = await asyncio.gather(
        *(start_worker(*some, crontab=crontab, variables=IMPATIENT) for some in options)
    )
    counts = {"skip": 3, "queue": 4, "replace": 4, "retried": 4, "again": 4}
    await asyncio.gather(*(witness.begun(job, count) for job, count in counts.items()))
    await retry_worker.said(f"run {witness.stays('retried')[1].run}: skipped (overlap)")

    skipped = defaultdict(set)
    for line in (*worker.lines, *retry_worker.lines):
        if "skipped (overlap)" in line:
            run = line.partition("run ")[2].partition(": ")[0]
            skipped[run.partition("@")[0]].add(run)
    for job in counts:
        for before, after in pairwise(witness.stays(job)):
            assert before.end <= after.begin, f"{before} and {after} at once"
    begun = {job: [stay.run for stay in witness.stays(job)] for job in skipped}
    assert len(skipped["skip"]) >= 2
    assert skipped["skip"].isdisjoint(begun["skip"])
    assert begun["replace"][:3] == sorted(begun["replace"][:3])
    assert set(begun["replace"][:3]) <= skipped["replace"]
    assert set(begun["retried"][:2]) <= skipped["retried"]
    assert {stay.attempt for stay in witness.stays("retried")} == {1}
    assert not skipped["queue"]
    queued = [stay.run for stay in witness.stays("queue")]
    assert queued == sorted(queued)
    again = [(stay.run, stay.attempt) for stay in witness.stays("again")]
    assert again == sorted(again)
    assert [attempt for _, attempt in again[:4]] == [1, 2, 1, 2]


async def test_a_fenced_command_is_ended_when_its_worker_falls_silent(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, witness = a_name("f"), Witness(tmp_path)
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, grace: 1s}}
jobs:
  - {{name: fenced, schedule: "@every 3s", overlap: skip, fence: true, {witness.command(60)}}}
  - {{name: loose, schedule: "@every 3s", overlap: skip, {witness.command(60)}}}
"""
    _, worker = await asyncio.gather(
        start_worker(crontab=crontab),
        start_worker("--cluster", cluster, variables=IMPATIENT),
    )
    await asyncio.gather(witness.begun("fenced", 1), witness.begun("loose", 1))
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(6)
        fenced, loose = witness.stays("fenced")[0], witness.stays("loose")[0]
    finally:
        os.kill(worker.pid, signal.SIGCONT)

    assert fenced.end < float("inf")
    assert loose.end == float("inf")
    again = (await witness.begun("fenced", 2))[1]
    assert (again.run, again.attempt) == (fenced.run, 2)
