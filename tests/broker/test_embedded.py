"""The embedded Kafka itself: each test starts a JVM or two."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.formatting import cluster_id_of
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port, is_free
from cronstream.broker.probe import answers_as
from cronstream.errors import BrokerError
from cronstream.settings import settings

pytestmark = pytest.mark.integration

#: Starts a Kafka, prints its JVM's pid, and waits to be killed.
OWNER = """
import asyncio, sys
from pathlib import Path
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.formatting import cluster_id_of
from cronstream.broker.guard import Guard
async def main():
    broker = EmbeddedBroker(Path(sys.argv[1]), int(sys.argv[2]), guard=Guard(),
                            say=lambda line: None, jar_cache=Path(sys.argv[3]))
    await broker.start()
    print(broker.pid, flush=True)
    await broker.wait()
asyncio.run(main())
"""


def jar_cache() -> Path:
    return settings().jars


@pytest.fixture
def guard() -> Iterator[Guard]:
    with closing(Guard()) as guard:
        yield guard


def a_broker(data_dir: Path, guard: Guard, port: int | None = None) -> EmbeddedBroker:
    return EmbeddedBroker(
        data_dir,
        port or free_port(),
        guard=guard,
        say=lambda _line: None,
        jar_cache=jar_cache(),
    )


@asynccontextmanager
async def running(broker: EmbeddedBroker) -> AsyncIterator[EmbeddedBroker]:
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def make_file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()


def remove(path: Path) -> None:
    path.unlink()


async def publish(broker: EmbeddedBroker, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("kept", 1, 1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker.address, acks="all") as producer:
        await producer.send_and_wait("kept", value)


async def read(broker: EmbeddedBroker) -> bytes:
    async with AIOKafkaConsumer(
        "kept", bootstrap_servers=broker.address, auto_offset_reset="earliest"
    ) as consumer:
        value: bytes = (await consumer.getone()).value
        return value


async def test_data_is_kept_from_start_to_start_also_when_the_ports_change(
    tmp_path: Path, guard: Guard
) -> None:
    async with running(a_broker(tmp_path, guard)) as broker:
        await publish(broker, b"first")
        assert not is_free(broker.port)
    assert broker.pid is None
    assert is_free(broker.port)
    async with running(a_broker(tmp_path, guard)) as again:
        assert again.port != broker.port
        assert await read(again) == b"first"


async def test_a_kafka_that_was_killed_has_its_data_at_the_next_start(
    tmp_path: Path, guard: Guard
) -> None:
    broker = a_broker(tmp_path, guard)
    await broker.start()
    await publish(broker, b"acknowledged")
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    assert await broker.wait() == -signal.SIGKILL
    async with running(broker):
        assert await read(broker) == b"acknowledged"


async def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path, guard: Guard) -> None:
    async with running(a_broker(tmp_path / "one", guard)) as first:
        second = a_broker(tmp_path / "two", guard, first.port)
        with pytest.raises(BrokerError) as caught:
            await second.start()
        assert f"port {first.port}" in str(caught.value)
        assert f"--broker kafka://127.0.0.1:{first.port}" in str(caught.value)
        third = a_broker(tmp_path / "one", guard)
        with pytest.raises(BrokerError, match=f"already running.*on port {first.port}"):
            await third.start()


async def test_a_kafka_that_cannot_start_says_what_it_logged_and_leaves_nothing(
    tmp_path: Path, guard: Guard
) -> None:
    async with running(a_broker(tmp_path, guard)):
        pass
    properties = tmp_path / "kafka" / "data" / "meta.properties"
    properties.write_text(properties.read_text().replace("node.id=1", "node.id=7"))
    broker = a_broker(tmp_path, guard)
    with pytest.raises(BrokerError, match=r"ended with status 1; it said: .*7"):
        await broker.start()
    assert broker.pid is None


async def test_data_that_cannot_be_formatted_is_told_of_and_the_lock_let_go(
    tmp_path: Path, guard: Guard
) -> None:
    in_the_way = tmp_path / "kafka" / "data"
    make_file(in_the_way)
    broker = a_broker(tmp_path, guard)
    with pytest.raises(BrokerError, match="could not format its data"):
        await broker.start()
    remove(in_the_way)
    async with running(broker):
        assert broker.pid is not None


async def test_a_start_that_is_given_up_leaves_no_jvm(tmp_path: Path, guard: Guard) -> None:
    broker = a_broker(tmp_path, guard)
    await broker.prepare()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await broker.start()
    assert broker.pid is None
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert [command for command in commands if str(tmp_path) in command] == []


@contextmanager
def an_owner(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run another process that has started a Kafka."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments], stdout=subprocess.PIPE, text=True
    ) as owner:
        yield owner
        owner.kill()


async def test_the_jvm_ends_with_an_owner_that_is_killed(tmp_path: Path, guard: Guard) -> None:
    port = free_port()
    with an_owner(str(tmp_path), str(port), str(jar_cache())) as owner:
        assert owner.stdout is not None
        jvm = psutil.Process(int(owner.stdout.readline()))
    # Started at once, it waits for the end of the one that has lost its owner.
    async with running(a_broker(tmp_path, guard, port)):
        assert not jvm.is_running() or jvm.status() == "zombie"


async def test_a_port_that_nobody_asked_for_and_that_is_taken_is_changed_for_another(
    tmp_path: Path, guard: Guard
) -> None:
    first, second = a_broker(tmp_path / "a", guard), a_broker(tmp_path / "b", guard)
    second.port = first.port
    first.is_port_asked_for = second.is_port_asked_for = False
    try:
        # Both find it free, and whoever is quicker has it.
        await asyncio.gather(first.start(), second.start())
        assert first.port != second.port
        assert await answers_as(first.port, cluster_id_of(first._layout))
        assert await answers_as(second.port, cluster_id_of(second._layout))
    finally:
        await asyncio.gather(first.kill(), second.kill())
