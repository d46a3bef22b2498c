"""A cluster's topics are deleted, or set wrongly, under a running scheduler: the others go on."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from cronstream.core.wire.job_messages import decode_level
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Job
from cronstream.settings import Settings
from cronstream.topology.jobs import KEEP_EVERY, JobsLog
from cronstream.topology.last_rows import rows_on
from cronstream.topology.publish import Publisher
from cronstream.topology.reading import Reader
from cronstream.topology.topics import cluster_topics, ensure_topics, installation_topics
from tests.builders import NAMES
from tests.integration.conftest import StartWorker, a_broker
from tests.integration.truth import Truth, a_name
from tests.integration.watched import start_watched

#: More than are read again rather than kept.
_EDITS = 2 * KEEP_EVERY

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Kafka for each test: what is deleted in one would be missed in another."""
    with a_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


def _crontab(truth: Truth, *jobs: tuple[str, str]) -> str:
    names = ", ".join(f"{cluster}: " for _, cluster in dict.fromkeys(jobs))
    return f"version: 1\nclusters: {{{names}}}\njobs:\n" + "".join(
        f"  - {{name: {job}, cluster: {cluster}, schedule: '@every 1s', "
        f"command: '{truth.command}'}}\n"
        for job, cluster in jobs
    )


async def _delete(broker: str, name: str) -> None:
    """Delete the topics with a name in theirs; return when they are gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        theirs = {topic for topic in await admin.list_topics() if name in topic}
        await admin.delete_topics(list(theirs))
        async with asyncio.timeout(20):
            while True:
                if not theirs & set(await admin.list_topics()):
                    return
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def test_a_log_that_was_deleted_holds_up_no_other_and_is_written_when_it_is_there_again(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    lost, kept, truth = a_name("lost"), a_name("kept"), Truth(tmp_path)
    soon = {"CRONSTREAM_LOOK_AHEAD_S": "20", "WORKER": "w"}
    crontab = _crontab(truth, ("away", lost), ("here", kept))
    watched, worker, _ = await asyncio.gather(
        start_watched(start_worker, crontab=crontab, variables=soon),
        start_worker("--cluster", lost, variables=soon),
        start_worker("--cluster", kept, variables=soon),
    )
    scheduler = watched.worker
    await asyncio.gather(truth.wait(1, "away"), truth.wait(1, "here"))
    await worker.stop()

    await _delete(broker, lost)
    told = await scheduler.said("takes nothing on partition", within_s=60)
    seen = len(truth.lines("here"))
    lines = await truth.wait(seen + 25, "here", within_s=90)
    assert NAMES.log(lost) in told
    due = [line.run for line in lines]
    assert len(due) == len(set(due))
    await watched.warns("start a worker of cluster", within_s=60)
    await watched.becomes(200, within_s=60)

    ended = len(truth.lines("away"))
    await start_worker("--cluster", lost, variables=soon)
    await scheduler.said("all that was set aside has been published", within_s=60)
    await truth.wait(ended + 5, "away", within_s=60)
    away = [line.run for line in truth.lines("away")]
    assert len(away) == len(set(away))


async def test_topics_that_were_made_anew_within_a_moment_are_noticed(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth = a_name("anew"), Truth(tmp_path)
    settings = Settings(broker=f"kafka://{broker}")
    soon = {"CRONSTREAM_LOOK_AHEAD_S": "20", "WORKER": "w"}
    await ensure_topics(installation_topics(settings), settings)
    await _define(settings, cluster, _EDITS)
    scheduler, worker = await asyncio.gather(
        start_worker(crontab=_crontab(truth, ("renewed", cluster)), variables=soon),
        start_worker("--cluster", cluster, variables=soon),
    )
    await truth.wait(1, "renewed")
    await worker.stop()

    await _delete(broker, cluster)
    await ensure_topics(cluster_topics(cluster, settings), settings)
    ended = len(truth.lines("renewed"))
    said = await scheduler.said("was deleted and recreated", within_s=60)
    assert NAMES.log(cluster) in said
    await start_worker("--cluster", cluster, variables=soon)
    lines = await truth.wait(ended + 5, "renewed", within_s=60)
    assert len(lines) == len({line.run for line in lines})
    told = await _on(settings, NAMES.log(cluster), settings.partitions)
    assert max(map(decode_level, told)) == LEVEL
    assert any(b"cronstream.Withdrawal" in (raw or b"") for raw in told)

    assert await _read_by_who_begins(settings) < _EDITS / 2
    await scheduler.stop()
    revisions = len(await _on(settings, NAMES.jobs, 1))
    await _delete(broker, NAMES.jobs)
    await ensure_topics(installation_topics(settings), settings)
    await _define(settings, cluster, revisions + 3)
    scheduler = await start_worker(variables=soon, waits=False)
    said = await scheduler.said("is not the topic that was read before", within_s=60)
    assert "docs/troubleshooting.md" in said


async def _on(settings: Settings, topic: str, partitions: int) -> list[bytes | None]:
    async with Reader(settings) as reader:
        ends = await reader.ends(topic, range(partitions))
        starts = dict.fromkeys(ends, 0)
        return [message.value async for message in reader.read(topic, starts, ends)]


async def _read_by_who_begins(settings: Settings) -> int:
    """Return how many messages of ``jobs`` a process reads that has just begun."""
    read = list[int]()
    async with Reader(settings) as reader:
        log = JobsLog(reader, partial(rows_on, reader, NAMES.kept_jobs), [0])
        log.on_move = read.append
        await log.read_on()
    assert [job.name for job in log.known.jobs] == ["renewed"]
    return len(read)


async def _define(settings: Settings, cluster: str, count: int) -> None:
    publisher = Publisher(settings)
    await publisher.start()
    try:
        now = datetime.now(UTC)
        job = Job(name="other", cluster=cluster, schedule="@daily", timezone="UTC", command="true")
        for _ in range(count):
            await publisher.append(NAMES.jobs, 0, job.derive(effective_from=now))
    finally:
        await publisher.stop()
