"""What tests do to a Kafka by hand, and how they wait."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from cronstream.settings import Settings
from cronstream.topology.publish import Publisher
from cronstream.topology.reading import Reader
from tests.integration.conftest import StartedWorker

#: Shorter than what is shipped, so that less time passes before a fault is felt.
LOOK_AHEAD_S = 8
AHEAD = {"CRONSTREAM_LOOK_AHEAD_S": str(LOOK_AHEAD_S)}


@asynccontextmanager
async def admin(address: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def publisher(address: str) -> AsyncIterator[Publisher]:
    found = Publisher(Settings(broker=f"kafka://{address}"))
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def await_names(
    address: str, topic: str, partitions: Sequence[int], names: Iterable[str]
) -> None:
    """Wait until all these names are on a topic."""
    async with Reader(Settings(broker=f"kafka://{address}")) as reader, asyncio.timeout(30):
        while await _lacks(reader, topic, partitions, names):  # noqa: ASYNC110 - of Kafka's
            await asyncio.sleep(0.2)


async def delete_records(
    address: str, topic: str, partitions: Sequence[int], names: Iterable[str]
) -> None:
    """Have Kafka delete all that is on a topic, once all these names are on it."""
    everything = {TopicPartition(topic, p): RecordsToDelete(-1) for p in partitions}
    await await_names(address, topic, partitions, names)
    async with admin(address) as client, Reader(Settings(broker=f"kafka://{address}")) as reader:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(KafkaError):  # It may not have heard of its own topic yet.
                    await client.delete_records(everything)
                    break
                await asyncio.sleep(0.2)
        assert any((await reader.beginnings(topic, partitions)).values())


async def _lacks(
    reader: Reader, topic: str, partitions: Sequence[int], names: Iterable[str]
) -> bool:
    """Whether any of these names is not on a topic yet."""
    begins, ends = await reader.beginnings(topic, partitions), await reader.ends(topic, partitions)
    text = b"\n".join([m.value or b"" async for m in reader.read(topic, begins, ends)])
    return not all(name.encode() in text for name in names)


async def configure(address: str, topic: str, config: dict[str, str]) -> None:
    """Set what a topic has; what is not named is left to Kafka's defaults, but for timestamps."""
    config = {"message.timestamp.type": "LogAppendTime", "retention.ms": "2592000000", **config}
    async with admin(address) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])


async def delete_topic(address: str, topic: str) -> None:
    async with admin(address) as client:
        await client.delete_topics([topic])


async def end_of(worker: StartedWorker) -> int:
    async with asyncio.timeout(60):
        return await worker.child.wait()


async def until(is_so: Callable[[], object], within_s: float = 90.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():  # noqa: ASYNC110 - other processes see to it
            await asyncio.sleep(0.1)
