"""Jobs that hang in all slots, or write more than a message holds, hold up no others for good."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cronstream import clock
from cronstream.history.loading import load
from cronstream.history.scope import Scope
from cronstream.history.story import AttemptStory, RunState, RunStory
from cronstream.settings import Settings
from cronstream.topology.reading import Reader
from cronstream.topology.topics import cluster_topics
from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

SLOTS = 2
HUNG = {
    "CRONSTREAM_SLOTS": str(SLOTS),
    "CRONSTREAM_DRAIN_S": "0.5",
    # A busy machine takes its time over a command: the run has to be ahead of it.
    "CRONSTREAM_LOOK_AHEAD_S": "60",
}
KEPT = 262_144
#: What a log takes after a while, which is less than what is told of such output.
MOST = 100_000
CUT = "its output was too large for a message, and is cut"


@dataclass
class Cluster:
    """One of the clusters, as the ledgers tell of it."""

    name: str
    broker: str
    truth: Truth

    async def runs(self, job: str, *states: RunState) -> list[RunStory]:
        """Return the runs of a job that are in one of these states."""
        scope = Scope(clusters=frozenset({self.name}), job=job)
        async with Reader(Settings(broker=f"kafka://{self.broker}")) as reader:
            found = (await load(reader, scope)).runs()
        return [story for story in found if story.state in states]

    async def until(self, count: int, job: str, *states: RunState) -> list[RunStory]:
        """Return the runs of a job in these states once there are so many; or none, for 0."""
        found: list[RunStory] = []
        try:
            async with asyncio.timeout(60):
                while True:
                    found = await self.runs(job, *states)
                    if (len(found) >= count) if count else not found:
                        return found
                    await asyncio.sleep(0.3)
        except TimeoutError:
            still = "\n".join(f"{story.id} {story.state}" for story in found)
            pytest.fail(f"{job}: not {count} of {states} within 60 s, but:\n{still}")

    async def cancel(self, *chosen: str) -> list[dict[str, Any]]:
        """Cancel runs as a person does; return what is said of each."""
        status, out, err = await run_command(
            self.broker, "cancel", *chosen, "--cluster", self.name, "--by", "ada", "--json"
        )
        assert status == 0, err + out
        return [json.loads(line) for line in out.splitlines()]


def a_crontab(hung: Cluster, loud: Cluster, *, with_hung: bool = True) -> str:
    control = r"""head -c 600000 /dev/zero | tr '\0' '\1'"""
    line = "{name: hung, schedule: '@every 1s', command: sleep infinity}" if with_hung else ""
    return f"""
version: 1
clusters: {{{hung.name}: , {loud.name}: }}
defaults: {{cluster: {hung.name}, grace: 2s, backoff: {{first: 1h}}}}
jobs:
  - {{name: other, schedule: "@every 2s", command: '{hung.truth.command}'}}
  - {{name: broken, schedule: "@every 5s", command: exit 3, max_attempts: 2}}
  - {{name: normal, cluster: {loud.name}, schedule: "@every 1s", command: '{loud.truth.command}'}}
  - {{name: random, cluster: {loud.name}, schedule: "@every 1s",
     command: head -c 600000 /dev/urandom}}
  - {{name: control, cluster: {loud.name}, schedule: "@every 1s", command: {control}}}
{f"  - {line}" if line else ""}
"""


async def test_jobs_that_hang_or_write_too_much_hold_up_no_others_for_good(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    hung = Cluster(a_name("hung"), broker, Truth(tmp_path))
    loud = Cluster(a_name("loud"), broker, Truth(tmp_path))
    crontab = a_crontab(hung, loud)
    scheduler, hung_worker, _, loud_worker = await asyncio.gather(
        start_worker(crontab=crontab, variables=HUNG),
        start_worker("--cluster", hung.name, crontab=crontab, variables=HUNG),
        start_worker("--cluster", hung.name, "--retry", crontab=crontab, variables=HUNG),
        start_worker(
            "--cluster",
            loud.name,
            crontab=crontab,
            variables={"CRONSTREAM_OUTPUT_BYTES": str(KEPT), "CRONSTREAM_LOOK_AHEAD_S": "60"},
        ),
    )
    (tmp_path / "next.yaml").write_text(a_crontab(hung, loud, with_hung=False))
    async with asyncio.TaskGroup() as both:
        both.create_task(_see_that_it_is_told_and_cancelled(hung, hung_worker, tmp_path))
        both.create_task(_see_that_output_is_cut(loud, loud_worker, scheduler))

    audits = (run_command(broker, "audit", "--cluster", each.name) for each in (hung, loud))
    for status, out, err in await asyncio.gather(*audits):
        assert status == 0, out + err


async def _see_that_it_is_told_and_cancelled(
    cluster: Cluster, worker: StartedWorker, folder: Path
) -> None:
    # While it lasts it is told: in the log, and run by run.
    late = await worker.said("runs are late, the oldest by")
    assert f"all {SLOTS} slots are taken, by hung ({SLOTS}, the longest for " in late
    claimed = await cluster.runs("other", RunState.CLAIMED)
    assert claimed[0].late_s(clock.now())
    assert claimed[0].waits_for(clock.now()) == "a slot"

    # What has not begun goes with its job, and what has begun stays.
    (folder / "next.yaml").replace(folder / "crontab.yaml")
    await cluster.until(0, "hung", RunState.QUEUED, RunState.CLAIMED)
    assert len(await cluster.runs("hung", RunState.RUNNING)) == SLOTS

    before = len(cluster.truth.lines("other"))
    ended = await cluster.cancel("--job", "hung")
    assert [(run["before"], run["reason"]) for run in ended] == [("running", "cancelled")] * SLOTS
    await cluster.truth.wait(before + 1, "other")
    await worker.said("no run is late any more")

    # A run that has not begun is given back by its executor, and one that waits for its retry is
    # not made again.
    [retried, *_] = await cluster.until(1, "broken", RunState.RETRYABLE)
    [*_, ahead] = await cluster.until(1, "other", RunState.CLAIMED)
    dropped, given_up = sorted(await cluster.cancel(ahead.id, retried.id), key=_before)
    assert (dropped["before"], dropped["reason"]) == ("claimed", "cancelled")
    assert (given_up["before"], given_up["reason"]) == ("retryable", "cancelled")


def _before(told: dict[str, Any]) -> str:
    return str(told["before"])


async def _see_that_output_is_cut(
    cluster: Cluster, worker: StartedWorker, scheduler: StartedWorker
) -> None:
    ends = [await _end(cluster, job, None) for job in ("random", "control")]
    # A scheduler puts no edit in force while a log takes less than is set.
    await scheduler.said("job hung removed")
    await _take_no_more_than(MOST, cluster)
    ends += [await _end(cluster, job, CUT) for job in ("random", "control")]

    for end in ends:
        assert end.head
        assert end.tail
        assert end.omitted > 600_000 - 2 * KEPT
    # Of these each byte is a character.
    assert {len(e.head) + e.omitted + len(e.tail) for e in ends[1::2]} == {600_000}
    await cluster.truth.wait(len(cluster.truth.lines("normal")) + 2, "normal")
    assert not any("Traceback" in line or "Crashed" in line for line in worker.lines)


async def _end(cluster: Cluster, job: str, note: str | None) -> AttemptStory:
    """Return the only attempt of a run of a job that has succeeded with such a note."""
    async with asyncio.timeout(60):
        while True:
            for story in await cluster.runs(job, RunState.SUCCEEDED):
                [attempt] = story.attempts
                if attempt.note == note:
                    return attempt
            await asyncio.sleep(0.5)


async def _take_no_more_than(size: int, cluster: Cluster) -> None:
    """Have a cluster's log take no larger messages from now on."""
    config = Settings(broker=f"kafka://{cluster.broker}")
    log = cluster_topics(cluster.name, config)[0]
    configs = {**log.full_config(config), "max.message.bytes": str(size)}
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.broker)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, log.name, configs)
        await admin.alter_configs([resource])
    finally:
        await admin.close()
