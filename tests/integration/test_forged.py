"""What somebody who can write to a topic, and should not, can do: nothing that lasts."""

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from cronstream import clock
from cronstream.core.wire.codec import encode
from cronstream.core.wire.naming import Role
from cronstream.core.wire.pieces import cut
from cronstream.core.wire.runs import Job
from cronstream.settings import Settings
from cronstream.topology.client import new_admin, new_producer
from cronstream.topology.publish import Publisher, partition_of
from cronstream.topology.reading import Reader
from tests.builders import NAMES, a_run
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration


async def test_a_message_that_asks_for_a_reply_is_folded_and_answered_to_nobody(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth, victim = a_name("asking"), Truth(tmp_path), a_name("victim")
    config = Settings(broker=f"kafka://{broker}")
    await _create(config, victim)
    crontab = f"version: 1\nclusters: {{{cluster}: }}\njobs: []\n"
    await start_worker("--cluster", cluster, crontab=crontab)
    publisher, log = Publisher(config), NAMES.log(cluster)
    await publisher.start()

    for number, topic in enumerate([victim, a_name("nowhere"), victim]):
        run = a_run(cluster=cluster, command=truth.command, revision=None, number=number)
        headers = {"Faust-Ag-ReplyTo": topic, "Faust-Ag-CorrelationId": "7"}
        await publisher.put_raw(log, partition_of(run.job, config.partitions), encode(run), headers)
        async with asyncio.timeout(20):
            await truth.wait(number + 1)
    await publisher.stop()

    async with Reader(config) as reader:
        assert await reader.ends(victim, [0]) == {0: 0}


async def test_a_run_that_may_fail_for_ever_is_put_aside_and_never_made(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth = a_name("endless"), Truth(tmp_path)
    config = Settings(broker=f"kafka://{broker}")
    job = f"name: {cluster}, cluster: {cluster}, schedule: '@every 1s'"
    crontab = (
        f"version: 1\nclusters: {{{cluster}: }}\njobs: [{{{job}, command: '{truth.command}'}}]\n"
    )
    worker = await start_worker("--cluster", cluster, crontab=crontab)
    await start_worker()
    await truth.wait(1)  # Its level is announced on the log.
    forged = a_run(cluster=cluster, command=truth.command, revision=None, max_attempts=2**53)
    publisher = Publisher(config)
    await publisher.start()

    await publisher.publish(NAMES.log(cluster), forged.job, forged)
    line = await worker.said("refused")
    await truth.wait(len(truth.lines()) + 2)
    await publisher.stop()

    assert "max_attempts is 9,007,199,254,740,992, and 100 is the most" in line
    assert truth.lines(forged.job) == []


async def test_a_job_that_somebody_else_puts_on_the_topic_is_put_right_within_seconds(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth, forged = a_name("foreign"), Truth(tmp_path), tmp_path / "forged"
    config = Settings(broker=f"kafka://{broker}")
    job = f"name: {cluster}, cluster: {cluster}, schedule: '@every 1s'"
    jobs = f"jobs: [{{{job}, command: '{truth.command}'}}]"
    crontab = f"version: 1\nclusters: {{{cluster}: }}\n{jobs}\n"
    await start_worker("--cluster", cluster, crontab=crontab)
    scheduler = await start_worker()
    await truth.wait(2)
    publisher = Publisher(config)
    await publisher.start()
    for name in (cluster, f"{cluster}-miner"):
        theirs = Job(
            name=name,
            cluster=cluster,
            schedule="@every 1s",
            timezone="UTC",
            command=f"echo {name} >> {forged}",
            effective_from=clock.now(),
        )
        await publisher.publish(config.names.jobs, name, theirs, partitions=1)
    await publisher.stop()

    await scheduler.said("somebody else has put jobs on", within_s=60)
    await scheduler.said(f"job {cluster}: command 'echo", within_s=60)
    await scheduler.said(f"job {cluster}-miner removed", within_s=60)
    await truth.wait(len(truth.lines()) + 3)
    before = forged.read_text() if forged.exists() else ""
    await truth.wait(len(truth.lines()) + 3)
    assert (forged.read_text() if forged.exists() else "") == before
    assert before.count("\n") <= 10


def _rows_that_are_none() -> list[dict[bytes, bytes | None]]:
    """Return what may stand last on a partition of a changelog, each as messages by their keys."""
    key, many = b'"0"', 100_000
    return [
        {key: b"\xff no JSON"},
        {key: b"{}"},
        {key: None},
        {key: b'{"format":2,"next_offset":"x","live":7}'},
        {key: b'{"format":99}'},
        {key: b'{"jobs":7,"shards":"x"}'},
        dict(cut(key, b"[" + b"1," * many + b"1]", 0)),
        dict(cut(key, b"{" + b" " * many, 1)),
        {b'"0/0/0"': b'{"piece":0,"of":1,"set":0,"digest":[],"part":7}', key: b"7"},
    ]


async def test_rows_that_are_none_end_no_process_and_all_goes_on(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth = a_name("rows"), Truth(tmp_path)
    config = Settings(broker=f"kafka://{broker}")
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs: [{{name: {a_name("job")}, schedule: "@every 1s", cluster: {cluster},
  command: {json.dumps(truth.command)}}}]
"""
    for options in (("--cluster", cluster), ()):
        started = await start_worker(*options, crontab=crontab)
        await started.stop()
    ledgers = NAMES.ledgers(Role.of(cluster, retry=False))
    cursors = NAMES.cursors
    producer = new_producer(config)
    await producer.start()
    kinds = _rows_that_are_none()
    for first in (2, 5, 6):  # Of the cursors, which have one partition, each a kind of its own.
        for topic, partitions in ((ledgers, config.partitions), (cursors, 1)):
            for number in range(partitions):
                for key, row in kinds[(first + number) % len(kinds)].items():
                    name = key.replace(b'"0', b'"%d' % number)
                    await producer.send_and_wait(topic, row, key=name, partition=number)
        before = len(truth.lines())
        worker = await start_worker("--cluster", cluster)
        scheduler = await start_worker()

        await truth.wait(before + 2)
        assert [await one.stop() for one in (worker, scheduler)] == [0, 0]
        assert any("folded from the start" in line for line in worker.lines)
        assert not any("Traceback" in line for line in [*worker.lines, *scheduler.lines])
    await producer.stop()


async def _create(config: Settings, topic: str) -> None:
    admin = new_admin(config)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
