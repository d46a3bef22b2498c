"""Looks at the topics of an installation for a person, and changes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cronstream.errors import BrokerError, TopologyError
from cronstream.settings import Settings
from cronstream.topology.client import new_admin
from cronstream.topology.shapes import copies_of
from cronstream.topology.topics import (
    TopicSpec,
    all_topics,
    configs_of,
    describe,
    look_at,
)


@dataclass(frozen=True, slots=True)
class KafkaFacts:
    """What Kafka says of itself, and of the topic of jobs as one of an installation's.

    Attributes:
        copies: Of each partition.
        copies_in_sync: Those that must have a message before it counts (``min.insync.replicas``).
        message_bytes: The largest message that is taken (``max.message.bytes``).
    """

    cluster_id: str
    brokers: int
    copies: int
    copies_in_sync: int
    message_bytes: int


async def kafka_facts(settings: Settings) -> KafkaFacts | None:
    """Return what Kafka says; None if there is no installation yet.

    Raises:
        KafkaError: If no broker answers; or it is an OSError.
        TopologyError: If this user may not ask.
    """
    admin = new_admin(settings)
    jobs = TopicSpec(settings.names.jobs, settings.shards, -1)
    try:
        await admin.start()
        [found] = await describe(admin, [jobs])
        if not found["partitions"]:
            return None
        about = await admin.describe_cluster()
        config = (await configs_of(admin, [jobs]))[jobs.name]
    finally:
        await admin.close()
    return KafkaFacts(
        about["cluster_id"],
        len(about["brokers"]),
        copies_of(found),
        int(config["min.insync.replicas"]),
        int(config["max.message.bytes"]),
    )


async def topic_faults(settings: Settings, clusters: Iterable[str]) -> list[str]:
    """Return a sentence for each topic that is missing, or not as it should be; change nothing.

    Raises:
        KafkaError: If no broker answers; or it is an OSError.
    """
    admin = new_admin(settings)
    try:
        await admin.start()
        wanted = all_topics(clusters, settings)
        there = {found["topic"] for found in await describe(admin, wanted) if found["partitions"]}
        found = [_missing(spec) for spec in wanted if spec.name not in there]
        for spec in wanted:
            if spec.name in there:
                found += await _faults(admin, spec, settings)
        return found
    finally:
        await admin.close()


def _missing(spec: TopicSpec) -> str:
    return f"topic {spec.name} is not there: 'cronstream topics --create' makes it"


async def _faults(admin: Any, spec: TopicSpec, settings: Settings) -> list[str]:
    try:
        notes, _ = await look_at(admin, [spec], settings)
    except (TopologyError, BrokerError) as error:
        return [str(error)]
    return notes
