"""What a command writes, however much and whatever it is, hurts no other run."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cronstream.settings import Settings
from cronstream.topology.topics import cluster_topics
from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

KEPT = 262_144
#: What the topic takes after a while, which is less than what is told of such output.
MOST = 100_000
CUT = "its output was too large for a message, and is cut"


async def test_output_that_no_message_could_hold_is_cut_and_the_other_runs_go_on(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth = a_name("output"), Truth(tmp_path)
    control = r"""head -c 600000 /dev/zero | tr '\0' '\1'"""
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}}}
jobs:
  - {{name: normal, schedule: "@every 1s", command: '{truth.command}'}}
  - {{name: random, schedule: "@every 1s", command: head -c 600000 /dev/urandom}}
  - {{name: control, schedule: "@every 1s", command: {control}}}
"""
    kept = {"CRONSTREAM_OUTPUT_BYTES": str(KEPT)}
    options: list[list[str]] = [[], ["--cluster", cluster]]
    _, worker = await asyncio.gather(
        *(start_worker(*some, crontab=crontab, variables=kept) for some in options)
    )

    ends = [await _end(broker, worker, job) for job in ("random", "control")]
    await _take_no_more_than(MOST, broker, cluster)
    ends += [await _end(broker, worker, job, note=CUT) for job in ("random", "control")]

    for end in ends:
        assert end["output_head"]
        assert end["output_tail"]
        assert end["output_omitted"] > 600_000 - 2 * KEPT
    assert all(_bytes_of(end) == 600_000 for end in ends[1::2])
    await truth.wait(len(truth.lines()) + 2)
    assert not any("Traceback" in line or "Crashed" in line for line in worker.lines)


async def _end(
    broker: str, worker: StartedWorker, job: str, note: str | None = None
) -> dict[str, Any]:
    """Return the only attempt of the next run of a job that succeeds with such a note."""
    since = len(worker.lines)
    while True:
        line = await worker.said(": succeeded", since=since)
        since = worker.lines.index(line, since) + 1
        run = line.split("run ")[1].split(": ")[0]
        if run.startswith(f"{job}@"):
            _, out, _ = await run_command(broker, "show", run, "--json")
            [attempt] = json.loads(out)["attempts"]
            if attempt["note"] == note:
                return dict(attempt)


def _bytes_of(end: dict[str, Any]) -> int:
    """Return how many bytes were written, of which each is a character."""
    return len(end["output_head"]) + int(end["output_omitted"]) + len(end["output_tail"])


async def _take_no_more_than(size: int, broker: str, cluster: str) -> None:
    """Have the cluster's log take no larger messages from now on."""
    config = Settings(broker=f"kafka://{broker}")
    log = cluster_topics(cluster, config)[0]
    configs = {**log.full_config(config), "max.message.bytes": str(size)}
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, log.name, configs)
        await admin.alter_configs([resource])
    finally:
        await admin.close()
