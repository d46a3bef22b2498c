"""The cluster id of a Kafka: made at random, given to its data folder, and read there."""

import base64
import shutil
import uuid

from cronstream.broker.guard import Guard
from cronstream.broker.kafka_program import KafkaProgram, KafkasWords
from cronstream.broker.layout import Layout
from cronstream.errors import BrokerError


def new_cluster_id() -> str:
    """Return what tells a Kafka cluster from others: a random UUID, as Kafka writes it."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def is_formatted(layout: Layout) -> bool:
    """Whether its data has a cluster id."""
    return (layout.data / "meta.properties").is_file()


def cluster_id_of(layout: Layout) -> str:
    """Return what tells our Kafka from another that was quicker to take the port."""
    lines = (layout.data / "meta.properties").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))


async def format_data(
    kafka: KafkaProgram, lock: int, guard: Guard, cluster_id: str, *further: str
) -> None:
    """Give the data folder its cluster id; one that is half done is removed first.

    Raises:
        BrokerError: If Kafka's tool fails; nothing is left of the data then.
    """
    data = kafka.layout.data
    shutil.rmtree(data, ignore_errors=True)
    properties = str(kafka.layout.properties)
    process = await kafka.format(lock, f"--cluster-id={cluster_id}", "-c", properties, *further)
    guard.add(process.pid)
    try:
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        guard.remove(process.pid)
    if status != 0:
        shutil.rmtree(data, ignore_errors=True)
        words = KafkasWords(kafka.layout)
        raise BrokerError(words.failure(f"could not format its data (status {status})"))
