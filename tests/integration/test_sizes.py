"""A Kafka that takes messages of 1,048,588 bytes, which is its default, and what is larger."""

import asyncio
import json
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cronstream.core.wire.naming import Role
from cronstream.settings import Settings
from cronstream.topology.changelog import Changelog
from tests.builders import NAMES
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.hands import admin, until
from tests.integration.truth import Truth, a_name

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_LIMIT = 1_048_588
#: Runs that wait in a line, and how large each of two variables is that each of them carries.
_RUNS, _BYTES = 12, 120_000


async def test_a_ledger_that_is_larger_than_a_message_goes_to_who_takes_over(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth = a_name("large"), Truth(tmp_path)
    job = f"{cluster}-job"
    large = json.dumps({name: token_urlsafe(_BYTES * 3 // 4) for name in ("ONE", "TWO")})
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - name: {job}
    cluster: {cluster}
    schedule: "0 0 1 1 *"
    overlap: queue
    env: {large}
    command: '{truth.command}; sleep ${{PAUSE:-0}}'
"""
    slow = {"WORKER": "first", "PAUSE": "600", "CRONSTREAM_PASS_ENV": "PATH,WORKER,PAUSE"}
    scheduler, first = await asyncio.gather(
        start_worker(crontab=crontab),
        start_worker("--cluster", cluster, crontab=crontab, variables=slow),
    )
    await scheduler.said("jobs 1 added")
    at = f"kafka://{broker}"
    for _ in range(_RUNS):
        status, _, err = await run_command(at, "run-now", job)
        assert status == 0, err
    await truth.wait(1, job)
    assert await _kept_bytes(broker, cluster) > _LIMIT

    await first.kill()
    second = await start_worker("--cluster", cluster, variables={"WORKER": "second"})
    await until(lambda: len({line.run for line in truth.lines(job)}) == _RUNS)

    assert not any("too large" in line or "TooLarge" in line for line in second.lines)
    await _no_topic_takes_more(broker, cluster)


async def _kept_bytes(broker: str, cluster: str) -> int:
    """Return how large the largest row of the cluster's ledgers gets, compressed as it is."""
    topic = NAMES.ledgers(Role.of(cluster, retry=False))
    changelog, largest = Changelog(Settings(broker=f"kafka://{broker}")), 0
    async with asyncio.timeout(60):
        while largest <= _LIMIT:
            rows = await changelog.read(topic, range(Settings().partitions))
            largest = max((len(row.text or b"") for row in rows.values()), default=0)
            await asyncio.sleep(0.5)
    return largest


async def _no_topic_takes_more(broker: str, cluster: str) -> None:
    """Every topic has the broker's limit, and the broker has Kafka's."""
    async with admin(broker) as client:
        topics = [name for name in await client.list_topics() if cluster in name]
        answers: list[Any] = await client.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        )
    found = {
        entry[1]
        for answer in answers
        for each in answer.resources
        for entry in each[4]
        if entry[0] == "max.message.bytes"
    }
    assert found == {str(_LIMIT)}
