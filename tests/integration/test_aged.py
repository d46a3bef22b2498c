"""An installation of which Kafka has kept every row since it began."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import to_row
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.core.wire.pieces import LastRow
from cronstream.settings import Settings
from cronstream.topology.changelog import Changelog
from cronstream.topology.topics import TopicSpec, ensure_topics, group_topics, topics_of
from tests.builders import NAMES
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

_ROWS = 30_000


@pytest.fixture
async def producer(broker: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=900_000) as producer:
        yield producer


async def _fill(producer: AIOKafkaProducer, topic: str, partition: int, rows: list[bytes]) -> None:
    """Put rows of one key on a changelog, as many in a batch as it holds."""
    key, batch = orjson.dumps(str(partition)), producer.create_batch()
    for row in rows:
        if batch.append(key=key, value=row, timestamp=None) is None:
            await (await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=row, timestamp=None)
    await (await producer.send_batch(batch, topic, partition=partition))


async def test_whoever_takes_over_reads_no_more_of_a_table_than_its_end(
    start_worker: StartWorker, broker: str, producer: AIOKafkaProducer, tmp_path: Path
) -> None:
    cluster, truth = a_name("aged"), Truth(tmp_path)
    settings, role = Settings(broker=f"kafka://{broker}"), Role.of(cluster, retry=False)
    tables = {naming.LEDGERS: settings.partitions}
    await ensure_topics(topics_of(role, settings, tables), settings)
    ledger = Ledger(retry=False)
    ledger.book.now = datetime.now(UTC)
    row = orjson.dumps(to_row(ledger, 0))
    # Faust, which would read all of it, would not get over the last.
    changelog = NAMES.ledgers(role)
    await _fill(producer, changelog, 0, [*[row] * _ROWS, b"{"])

    worker = await start_worker("--cluster", cluster)
    await start_worker(
        crontab=f"""
version: 1
clusters: {{{cluster}: }}
jobs: [{{name: "{cluster}", cluster: {cluster}, schedule: "@every 1s", command: '{truth.command}'}}]
"""
    )

    await truth.wait(2)
    assert any(f"owns {settings.partitions} of" in line for line in worker.lines)


async def test_a_row_of_any_size_comes_back_from_a_topic_that_takes_only_small_messages(
    broker: str, producer: AIOKafkaProducer
) -> None:
    settings, table = Settings(broker=f"kafka://{broker}"), a_name("rows")
    [spec, _] = group_topics(table, {naming.LEDGERS: 2})
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        old = {
            **{k: v for k, v in spec.full_config(settings).items() if k not in spec.tidy},
            "max.message.bytes": "1000000",
        }
        await admin.create_topics([NewTopic(spec.name, 2, 1, topic_configs=old)])
        await until_there(admin, spec.name)
        notes = await ensure_topics([spec], settings)
        found = await _config_once(admin, spec)
    finally:
        await admin.close()

    assert notes == []
    assert found["max.message.bytes"] == "1000000"

    rows = [{"n": n, "text": random.Random(n).randbytes(3_000_000).hex()} for n in range(2)]
    for written in rows:  # Each by a process of its own, as after a failover.
        changelog = Changelog(settings)
        await changelog.start()
        before = await changelog.read(spec.name, [0, 1])
        changelog.put(spec.name, 1, b'"1"', orjson.dumps(written))
        await changelog.stop(30.0)
        assert values(before) == ({1: rows[0]} if written["n"] else {})
    # One that died while it wrote has left the last but one piece of another.
    await producer.send_and_wait(
        spec.name, b'{"piece":3,"of":5,"set":0,"digest":"x","part":"AA=="}', b'"1/0/3"', 1
    )
    assert values(await Changelog(settings).read(spec.name, [0, 1])) == {1: rows[1]}


def values(rows: dict[int, LastRow]) -> dict[int, Any]:
    """Return the rows' JSON values, by partition."""
    return {partition: orjson.loads(row.lines()[0]) for partition, row in rows.items()}


async def _config_once(admin: AIOKafkaAdminClient, spec: TopicSpec) -> dict[str, str]:
    """Return a topic's configuration once it is tidy: a broker hears of a change a moment later."""
    resource = ConfigResource(ConfigResourceType.TOPIC, spec.name)
    async with asyncio.timeout(20):
        while True:
            answers: list[Any] = await admin.describe_configs([resource])
            found = {entry[0]: entry[1] for entry in answers[0].resources[0][4]}
            if {name: found[name] for name in spec.tidy} == spec.tidy:
                return found
            await asyncio.sleep(0.1)


async def until_there(admin: AIOKafkaAdminClient, topic: str) -> None:
    """Wait until the broker tells of a new topic."""
    while True:
        [found] = await admin.describe_topics([topic])
        if not found["error_code"] and len(found["partitions"]) == 2:
            return
