"""Declares the topics, and refuses those that are there in another shape."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from cronstream.core import naming
from cronstream.errors import BrokerError, TopologyError
from cronstream.settings import Settings

#: A row of a table may be this large: a ledger's snapshot is one row.
MAX_ROW_BYTES = 32 * 1024 * 1024
#: How long a broker may take from creating topics to telling of them.
_SEEN_WITHIN_S = 15.0
_LOOK_AGAIN_S = 0.05
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

#: The fold's only clock is the log's, so that every fold of a log says the same (rule 1).
_TIMESTAMPS = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as this installation needs it."""

    name: str
    partitions: int
    retention_ms: int
    config: dict[str, str] = field(default_factory=dict)

    def full_config(self, settings: Settings) -> dict[str, str]:
        """Return the topic's configuration, in Kafka's words."""
        return {
            **_TIMESTAMPS,
            "retention.ms": str(self.retention_ms),
            "min.insync.replicas": str(settings.min_insync_replicas),
            **self.config,
        }


def installation_topics(settings: Settings) -> list[TopicSpec]:
    """Return the topics that belong to no cluster."""
    return [
        TopicSpec(naming.JOBS, settings.shards, -1),
        TopicSpec(naming.TICKS, settings.shards, _HOUR_MS),
        TopicSpec(naming.QUARANTINE, 1, 90 * _DAY_MS),
    ]


def cluster_topics(cluster: str, settings: Settings) -> list[TopicSpec]:
    """Return the topics of one cluster: both its logs, and what was discarded."""
    return [
        TopicSpec(naming.log(cluster), settings.partitions, 30 * _DAY_MS),
        TopicSpec(naming.retry_log(cluster), settings.partitions, 30 * _DAY_MS),
        TopicSpec(naming.discarded(cluster), settings.partitions, 90 * _DAY_MS),
    ]


def group_topics(group: str, tables: dict[str, int]) -> list[TopicSpec]:
    """Return the topics that Faust itself keeps for a consumer group.

    Faust would declare them too, but only while it joins: a group whose first assignment lacks a
    table's topic has to rebalance once more, and may not come back from that.

    Args:
        group: The consumer group, which is the app's id.
        tables: Partitions of each table, by its name.
    """
    compact = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_ROW_BYTES)}
    changelogs = [
        TopicSpec(naming.changelog(group, name), partitions, -1, compact)
        for name, partitions in tables.items()
    ]
    return [*changelogs, TopicSpec(f"{group}-__assignor-__leader", 1, -1)]


async def ensure_topics(specs: Iterable[TopicSpec], settings: Settings) -> None:
    """Create the topics that are missing, and check those that are there.

    Raises:
        TopologyError: If one is there with other partitions or another timestamp type.
        BrokerError: If the broker refuses to create one.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [spec for name, spec in wanted.items() if name not in there]
        if missing:
            await _create(admin, missing, settings)
            await _wait_until_seen(admin, missing)
        present = [spec for name, spec in wanted.items() if name in there]
        if present:
            await _check(admin, present)
    finally:
        await admin.close()


async def _create(admin: Any, specs: list[TopicSpec], settings: Settings) -> None:
    topics = [
        NewTopic(
            spec.name,
            spec.partitions,
            settings.replication_factor,
            topic_configs=spec.full_config(settings),
        )
        for spec in specs
    ]
    answer = await admin.create_topics(topics)
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            reason = message[0] if message and message[0] else error.__name__
            raise BrokerError(f"topic {name} cannot be created: {reason}")


async def _wait_until_seen(admin: Any, specs: list[TopicSpec]) -> None:
    """Wait until the broker tells of new topics: it creates them before it does.

    Whoever subscribes meanwhile goes without a topic: Faust says "Ignoring missing topic", and
    does not look again for five minutes.
    """
    wanted = {spec.name: spec.partitions for spec in specs}
    try:
        async with asyncio.timeout(_SEEN_WITHIN_S):
            while True:
                found = await admin.describe_topics(list(wanted))
                if all(_has_leaders(topic, wanted[topic["topic"]]) for topic in found):
                    return
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError as error:
        names = ", ".join(sorted(wanted))
        raise BrokerError(f"topics were created, but are not there yet: {names}") from error


def _has_leaders(topic: dict[str, Any], partitions: int) -> bool:
    led = [p for p in topic["partitions"] if p["error_code"] == 0 and p["leader"] >= 0]
    return topic["error_code"] == 0 and len(led) == partitions


async def _check(admin: Any, specs: list[TopicSpec]) -> None:
    for found in await admin.describe_topics([spec.name for spec in specs]):
        spec = next(spec for spec in specs if spec.name == found["topic"])
        partitions = len(found["partitions"])
        if partitions != spec.partitions:
            raise TopologyError(
                f"topic {spec.name} has {partitions} partitions where {spec.partitions} are set: "
                "the number is one for the whole installation and is never changed; "
                "set CRONSTREAM_PARTITIONS (or CRONSTREAM_SHARDS) to what is there"
            )
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    for answer in await admin.describe_configs(resources):
        for _, _, _, name, entries in answer.resources:
            _check_timestamps(name, {entry[0]: entry[1] for entry in entries})


def _check_timestamps(name: str, config: dict[str, str]) -> None:
    kind = config.get("message.timestamp.type")
    if kind != "LogAppendTime":
        raise TopologyError(
            f"topic {name} has message.timestamp.type={kind}, but the ledger's clock is the "
            "broker's: set it to LogAppendTime with kafka-configs, or delete the topic if it is new"
        )
