"""Somebody gives topics more partitions than are set: while all runs, and before a start."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from cronstream import clock
from cronstream.core.wire import naming
from cronstream.core.wire.naming import SCHEDULER
from tests.builders import NAMES
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker, a_broker
from tests.integration.truth import Line, Truth, a_name

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Kafka of its own: topics that all tests share would keep what is done to them here."""
    with a_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


#: So that a process hears of new partitions while the test waits, not five minutes later.
_SOON = {"CRONSTREAM_FAUST_CONSUMER_METADATA_MAX_AGE_MS": "1000", "WORKER": "w"}


def _crontab(cluster: str, truth: Truth, *jobs: str) -> str:
    head = f"version: 1\nclusters: {{{cluster}: }}\njobs:\n"
    return head + "".join(
        f"  - {{name: {cluster}-{job}, cluster: {cluster}, schedule: '@every 1s', "
        f"command: '{truth.command}'}}\n"
        for job in jobs
    )


async def _add_partitions(broker: str, cluster: str) -> None:
    scheduler = NAMES.group(SCHEDULER)
    counts = {
        NAMES.log(cluster): 15,
        NAMES.discarded(cluster): 14,
        naming.changelog(f"cronstream-{cluster}", "ledgers"): 13,
        NAMES.jobs: 3,
        NAMES.ticks: 2,
        naming.changelog(scheduler, naming.CURSORS): 2,
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        wanted = {topic: NewPartitions(count) for topic, count in counts.items()}
        answer: Any = await admin.create_partitions(wanted)
    finally:
        await admin.close()
    assert not any(code for _, code, *_ in answer.topic_errors), answer


def _due(line: Line) -> datetime:
    return datetime.fromisoformat(line.run.partition("@")[2])


async def test_added_partitions_delay_no_run_and_no_edit_and_the_audit_is_clean(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    since, cluster, truth = clock.now(), a_name("grown"), Truth(tmp_path)
    one, other = f"{cluster}-one", f"{cluster}-other"
    scheduler, worker = await asyncio.gather(
        start_worker(crontab=_crontab(cluster, truth, "one"), variables=_SOON),
        start_worker("--cluster", cluster, variables=_SOON),
    )
    await truth.wait(2, one)

    await _add_partitions(broker, cluster)
    await truth.wait(len(truth.lines(one)) + 8, one)  # all have heard of it by then
    await asyncio.gather(scheduler.stop(), worker.stop())
    scheduler, worker = await asyncio.gather(
        start_worker(crontab=_crontab(cluster, truth, "one", "other"), variables=_SOON),
        start_worker("--cluster", cluster, variables=_SOON),
    )
    runs = await truth.wait(3, other)
    await asyncio.sleep(3)  # what was due is over
    until = clock.now() - timedelta(seconds=3)
    window = ("--since", since.isoformat(), "--until", until.isoformat())
    status, out, err = await run_command(
        f"kafka://{broker}", "audit", "--cluster", cluster, *window
    )

    assert status == 0, out + err
    assert [_due(line) for line in runs] == sorted({_due(line) for line in runs})
    assert any(
        f"{NAMES.log(cluster)} has 15 partitions where 12 are set" in x for x in worker.lines
    )
    assert any(f"{NAMES.jobs} has 3 partitions where 1 are set" in x for x in scheduler.lines)
