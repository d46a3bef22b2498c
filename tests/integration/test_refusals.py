"""What a real Kafka refuses: each process ends by itself, and says what is to be done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest

from cronstream.broker import embedded
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.layout import server_properties
from cronstream.broker.ports import free_port
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.settings import Settings, settings
from cronstream.topology.topics import ensure_topics, topics_of
from tests.builders import NAMES
from tests.integration.conftest import StartWorker
from tests.integration.watched import start_watched

pytestmark = pytest.mark.integration

_AUTHORIZER = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
_TOPIC, _CLUSTER = 2, 4
_ALL, _READ, _CREATE, _DESCRIBE, _DESCRIBE_CONFIGS = 2, 3, 5, 8, 10
_DENY, _ALLOW = 2, 3
_LITERAL = 3

#: For each cluster what its worker is denied, and the sentence that it ends with.
REFUSED = {
    "uncreated": (_TOPIC, "cronstream.uncreated", _CREATE, "--operation Create --topic"),
    "unseen": (_TOPIC, "cronstream.unseen", _DESCRIBE, "topic cronstream.unseen"),
    "unfolded": (_TOPIC, "cronstream.unfolded", _READ, "to Read topic cronstream.unfolded: grant"),
    "unrecovered": (
        _TOPIC,
        NAMES.ledgers(Role.of("unrecovered", retry=False)),
        _READ,
        "to Read topic cronstream-unrecovered-ledgers-changelog: grant",
    ),
    "unread": (
        _TOPIC,
        "cronstream.unread",
        _DESCRIBE_CONFIGS,
        "to DescribeConfigs topic cronstream.unread",
    ),
}


@pytest.fixture
async def strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Address of a Kafka that knows rights, and has denied those of `REFUSED`."""
    monkeypatch.setattr(
        embedded, "server_properties", lambda *said: server_properties(*said) + _AUTHORIZER
    )
    with closing(Guard()) as guard:
        broker = EmbeddedBroker(
            tmp_path / "kafka",
            free_port(),
            guard=guard,
            say=print,
            jar_cache=settings().jars,
        )
        await broker.start()
        try:
            await _deny(broker.address)
            yield broker.address
        finally:
            await broker.kill()


async def _deny(address: str) -> None:
    config = Settings(broker=address)
    tables = {naming.LEDGERS: config.partitions}
    roles = [Role.of(name, retry=False) for name in REFUSED if name != "uncreated"]
    await ensure_topics(
        [spec for role in roles for spec in topics_of(role, config, tables)], config
    )
    await _write_a_row(address)
    client = AIOKafkaClient(bootstrap_servers=address)
    await client.bootstrap()
    rules = [(kind, name, operation) for kind, name, operation, _ in REFUSED.values()]
    for kind, name, operation in [*rules, (_CLUSTER, "kafka-cluster", _CREATE)]:
        for what, permission in ((_ALL, _ALLOW), (operation, _DENY)):
            rule = CreateAclsRequest(kind, name, _LITERAL, "User:ANONYMOUS", "*", what, permission)
            answer = await client.send(client.get_random_node(), rule)
            assert answer.creation_responses[0][0] == 0
    await client.close()


async def _write_a_row(address: str) -> None:
    """A changelog has to have something, or nobody reads it."""
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait(REFUSED["unrecovered"][1], b"{}", key=b'"0"', partition=0)


async def test_what_kafka_refuses_ends_a_process_with_a_sentence_of_its_own(
    strict: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "crontab.yaml").write_text(
        "version: 1\nclusters: {copied: , "
        + ", ".join(f"{name}: " for name in REFUSED)
        + "}\njobs: []\n"
    )
    variables = {"CRONSTREAM_BROKER": f"kafka://{strict}"}
    async with asyncio.TaskGroup() as all_at_once:
        for cluster, (*_, sentence) in REFUSED.items():
            all_at_once.create_task(_see_end(start_worker, cluster, sentence, variables))
        all_at_once.create_task(_see_wait(start_worker, variables))


async def _see_end(
    start: StartWorker, cluster: str, sentence: str, variables: dict[str, str]
) -> None:
    worker = await start("--cluster", cluster, variables=variables, waits=False)
    line = await worker.said("this process ends", within_s=90)
    async with asyncio.timeout(60):
        status = await worker.child.wait()

    assert sentence in line
    assert status == 1
    assert not any("Traceback" in x or "Consumer]" in x for x in worker.lines)


async def _see_wait(start: StartWorker, variables: dict[str, str]) -> None:
    """Brokers that are missing may be starting: they are waited for, and ``/health`` says so."""
    two = {**variables, "CRONSTREAM_REPLICATION_FACTOR": "2"}
    worker = await start_watched(start, "--cluster", "copied", variables=two, waits=False)
    await worker.worker.said("waiting for it")
    async with asyncio.timeout(30):
        answer = await worker.becomes(503, within_s=90)
        while "copies" not in answer["reason"]:
            answer = await worker.becomes(503, within_s=90)
            await asyncio.sleep(0.3)

    assert "set CRONSTREAM_REPLICATION_FACTOR" in answer["reason"]
    assert answer["ends_if_it_lasts"] is False
