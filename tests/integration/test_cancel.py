"""Commands that hang take all slots of a worker; that is told, and they are cancelled."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

SLOTS = 2


class Installation:
    """What the commands of a person say about it."""

    def __init__(self, broker: str, folder: Path, cluster: str, truth: Truth) -> None:
        self.broker, self.folder, self.cluster, self.truth = broker, folder, cluster, truth

    def crontab(self, *names: str) -> str:
        jobs = {
            "hung": "{name: hung, schedule: '@every 1s', command: sleep infinity}",
            "other": f"{{name: other, schedule: '@every 2s', command: '{self.truth.command}'}}",
            "broken": "{name: broken, schedule: '@every 5s', command: exit 3, max_attempts: 2}",
        }
        return f"""
version: 1
clusters: {{{self.cluster}: }}
defaults: {{cluster: {self.cluster}, grace: 2s, backoff: {{first: 1h}}}}
jobs: [{", ".join(jobs[name] for name in names)}]
"""

    async def runs(self, job: str, *states: str) -> list[dict[str, Any]]:
        """Return the runs of a job that are in one of these states."""
        chosen = "--job", job, "--cluster", self.cluster, "--limit", "1000"
        status, out, err = await run_command(self.broker, "runs", *chosen, "--json")
        assert status == 0, err
        found = [json.loads(line) for line in out.splitlines()]
        return [run for run in found if run["state"] in states]

    async def until(self, count: int, job: str, *states: str) -> list[dict[str, Any]]:
        """Return the runs of a job in these states once there are so many; or none, for 0."""
        async with asyncio.timeout(60):
            while True:
                found = await self.runs(job, *states)
                if (len(found) >= count) if count else not found:
                    return found

    async def cancel(self, *arguments: str) -> list[dict[str, Any]]:
        status, out, err = await run_command(
            self.broker, "cancel", *arguments, "--cluster", self.cluster, "--by", "ada", "--json"
        )
        assert status == 0, err + out
        return [json.loads(line) for line in out.splitlines()]


async def test_hung_jobs_that_fill_the_slots_are_told_and_cancelled(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster = a_name("hung")
    there = Installation(broker, tmp_path, cluster, Truth(tmp_path))
    options: list[list[str]] = [[], ["--cluster", cluster], ["--cluster", cluster, "--retry"]]
    slots = {
        "CRONSTREAM_SLOTS": str(SLOTS),
        "CRONSTREAM_DRAIN_S": "0.5",
        # A busy machine takes its time over a command: the run has to be ahead of it.
        "CRONSTREAM_LOOK_AHEAD_S": "60",
    }
    crontab = there.crontab("hung", "other", "broken")
    _, worker, _ = await asyncio.gather(
        *(start_worker(*some, crontab=crontab, variables=slots) for some in options)
    )

    # While it lasts it is told: in the log, and run by run.
    late = await worker.said("runs are late, the oldest by")
    assert "all 2 slots are taken, by hung (2, the longest for " in late
    assert any(run["waits_for"] == "a slot" for run in await there.runs("other", "claimed"))

    # What has not begun goes with its job, and what has begun stays.
    (tmp_path / "crontab.yaml").write_text(there.crontab("other", "broken"))
    await there.until(0, "hung", "queued", "claimed")
    assert len(await there.runs("hung", "running")) == SLOTS

    before = len(there.truth.lines("other"))
    ended = await there.cancel("--job", "hung")
    assert [(run["before"], run["reason"]) for run in ended] == [("running", "cancelled")] * SLOTS
    await there.truth.wait(before + 1, "other")
    await worker.said("no run is late any more")

    # A run that has not begun is given back by its executor, and one that waits for its retry is
    # not made again.
    [retried, *_] = await there.until(1, "broken", "retryable")
    [*_, ahead] = await there.until(1, "other", "claimed")
    [dropped] = await there.cancel(ahead["run"])
    [given_up] = await there.cancel(retried["run"])
    assert (dropped["before"], dropped["reason"]) == ("claimed", "cancelled")
    assert (given_up["before"], given_up["reason"]) == ("retryable", "cancelled")
    status, out, err = await run_command(broker, "audit", "--cluster", cluster)
    assert status == 0, out + err
