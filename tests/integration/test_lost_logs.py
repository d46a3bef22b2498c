"""A cluster's topics are deleted, or set wrongly, under a running scheduler: the others go on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiokafka.admin import AIOKafkaAdminClient

from cronstream.broker.ports import free_port
from cronstream.core import naming
from tests.integration.conftest import StartWorker, a_broker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Kafka of its own: what is deleted here would be missed elsewhere."""
    with a_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


def _crontab(truth: Truth, *jobs: tuple[str, str]) -> str:
    names = ", ".join(f"{cluster}: " for _, cluster in dict.fromkeys(jobs))
    return f"version: 1\nclusters: {{{names}}}\njobs:\n" + "".join(
        f"  - {{name: {job}, cluster: {cluster}, schedule: '@every 1s', "
        f"command: '{truth.command}'}}\n"
        for job, cluster in jobs
    )


async def _delete(broker: str, cluster: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        theirs = [topic for topic in await admin.list_topics() if cluster in topic]
        await admin.delete_topics(theirs)
    finally:
        await admin.close()


async def test_a_log_that_was_deleted_holds_up_no_other_and_is_written_when_it_is_there_again(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    lost, kept, truth = a_name("lost"), a_name("kept"), Truth(tmp_path)
    port = free_port()
    soon = {"CRONSTREAM_LOOK_AHEAD_S": "20", "WORKER": "w"}
    scheduler, worker, _ = await asyncio.gather(
        start_worker(
            "--web-port",
            str(port),
            crontab=_crontab(truth, ("away", lost), ("here", kept)),
            variables=soon,
        ),
        start_worker("--cluster", lost, variables=soon),
        start_worker("--cluster", kept, variables=soon),
    )
    await asyncio.gather(truth.wait(1, "away"), truth.wait(1, "here"))
    await worker.stop()

    await _delete(broker, lost)
    told = await scheduler.said("takes nothing on partition", within_s=60)
    seen = len(truth.lines("here"))
    lines = await truth.wait(seen + 25, "here", within_s=90)
    assert naming.log(lost) in told
    due = [line.run for line in lines]
    assert len(due) == len(set(due))
    async with ClientSession() as web, web.get(f"http://127.0.0.1:{port}/health") as answer:
        health = await answer.json()
        assert answer.status == 200, health
    assert any("start a worker of cluster" in warning for warning in health["warnings"]), health

    ended = len(truth.lines("away"))
    await start_worker("--cluster", lost, variables=soon)
    await scheduler.said("all that was set aside has been published", within_s=60)
    await truth.wait(ended + 5, "away", within_s=60)
    away = [line.run for line in truth.lines("away")]
    assert len(away) == len(set(away))
