"""Declares the topics, and refuses those that are there in another shape."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code

from cronstream.core.wire import naming
from cronstream.core.wire.naming import SCHEDULER, Role
from cronstream.errors import BrokerError, TopologyError
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology import refusals
from cronstream.topology.client import new_admin
from cronstream.topology.shapes import (
    MESSAGE_BYTES,
    check_shape,
    check_size,
    check_timestamps,
    copies_of,
    too_few,
    too_many,
)
from cronstream.topology.tidying import tidy_up, untidy

logger = logging.getLogger(__name__)

#: How long the first answer may take.
_ANSWERED_WITHIN_S = 20.0
#: How long a broker may take from creating topics to reporting them.
_SEEN_WITHIN_S = 15.0
_LOOK_AGAIN_S = 0.05
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000

#: Kafka compacts no segment that is still written to, so those of a changelog are small: it takes
#: disk for hours of rows, not for weeks. These are about the least that managed Kafkas allow. Who
#: takes over reads only its end, however much there is.
_SMALL = {"segment.ms": str(4 * _HOUR_MS), "segment.bytes": str(50 * 1024 * 1024)}
_TIDY = {
    **_SMALL,
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(6 * _HOUR_MS),
}

#: What is not as it should be, but does no harm, as far as this process has reported it.
_logged: set[str] = set()

#: The fold's only clock is the log's, so that every fold of a log says the same (rule 1).
_TIMESTAMPS = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
#: Only what each process announced last matters, and of one that is gone nothing, in the end.
_OF_WORKERS = {"cleanup.policy": "compact,delete"}
#: A day of it at most, and no more than some hundred megabytes.
_OF_OUTPUT = {**_SMALL, "retention.bytes": str(256 * 1024 * 1024)}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as this installation needs it."""

    name: str
    partitions: int
    retention_ms: int
    config: dict[str, str] = field(default_factory=dict)
    #: What is as well, but is not needed: Kafka may not allow it.
    tidy: dict[str, str] = field(default_factory=dict)

    def full_config(self, settings: Settings) -> dict[str, str]:
        """Return the topic's configuration, in Kafka's words."""
        return {
            **_TIMESTAMPS,
            "retention.ms": str(self.retention_ms),
            "min.insync.replicas": str(settings.min_insync_replicas),
            **self.config,
            **self.tidy,
        }


def installation_topics(settings: Settings) -> list[TopicSpec]:
    """Return the topics that belong to no cluster."""
    return [
        TopicSpec(settings.names.jobs, settings.shards, -1),
        TopicSpec(settings.names.ticks, settings.shards, _HOUR_MS),
        TopicSpec(settings.names.quarantine, 1, 90 * _DAY_MS),
        TopicSpec(settings.names.workers, 1, _DAY_MS, _OF_WORKERS, _TIDY),
        TopicSpec(settings.names.chains, settings.partitions, 3 * _DAY_MS),
    ]


def cluster_topics(cluster: str, settings: Settings) -> list[TopicSpec]:
    """Return the topics of one cluster: both its logs, and what was discarded."""
    return [
        TopicSpec(settings.names.log(cluster), settings.partitions, 30 * _DAY_MS),
        TopicSpec(settings.names.retry_log(cluster), settings.partitions, 30 * _DAY_MS),
        TopicSpec(settings.names.discarded(cluster), settings.partitions, 90 * _DAY_MS),
    ]


def output_topic(cluster: str, settings: Settings) -> TopicSpec:
    """Return the topic of what commands write while somebody follows; nothing else needs it."""
    return TopicSpec(settings.names.output(cluster), 1, _DAY_MS, tidy=_OF_OUTPUT)


def group_topics(group: str, tables: dict[str, int]) -> list[TopicSpec]:
    """Return the topics that Faust itself keeps for a consumer group.

    Faust would declare them too, but only while it joins: a group whose first assignment lacks a
    table's topic has to rebalance once more, and may not come back from that.

    Args:
        group: The consumer group, which is the app's id.
        tables: Partitions of each table, by its name.
    """
    compact = {"cleanup.policy": "compact"}
    changelogs = [
        TopicSpec(naming.changelog(group, name), partitions, -1, compact, _TIDY)
        for name, partitions in tables.items()
    ]
    return [*changelogs, TopicSpec(naming.leader(group), 1, -1)]


def topics_of(role: Role, settings: Settings, tables: dict[str, int]) -> list[TopicSpec]:
    """Return all topics that a process of a role needs, Faust's for its tables among them."""
    specs = installation_topics(settings)
    if role.cluster:
        specs += cluster_topics(role.cluster, settings)
    return specs + group_topics(settings.names.group(role), tables)


def all_topics(clusters: Iterable[str], settings: Settings) -> list[TopicSpec]:
    """Return every topic that an installation with these clusters has."""
    names = settings.names
    specs = installation_topics(settings)
    tables = dict.fromkeys(naming.TABLES_OF_SCHEDULERS, settings.shards)
    specs += group_topics(names.group(SCHEDULER), tables)
    tables = dict.fromkeys(naming.TABLES_OF_WORKERS, settings.partitions)
    for cluster in clusters:
        specs += [*cluster_topics(cluster, settings), output_topic(cluster, settings)]
        for retry in (False, True):
            specs += group_topics(names.group(Role.of(cluster, retry=retry)), tables)
    return specs


async def ensure_topics(specs: Iterable[TopicSpec], settings: Settings) -> list[str]:
    """Create the topics that are missing, and check those that are there.

    Returns:
        A sentence for each topic that is not quite as it should be, which does no harm.

    Raises:
        TopologyError: If waiting does not mend what is wrong: a topic with fewer partitions or
            another timestamp type, or one that cannot be created, seen, or looked at.
        SetupError: If there are too few brokers for as many copies as are set.
        BrokerError: If the broker refuses to create one, for the moment.
        OSError: If no broker answers; or it is a KafkaError.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = new_admin(settings)
    try:
        async with asyncio.timeout(_ANSWERED_WITHIN_S):
            await admin.start()
        there = set(await admin.list_topics())
        missing = [spec for name, spec in wanted.items() if name not in there]
        if missing:
            await _create(admin, missing, settings)
            await _wait_until_seen(admin, missing)
        notes, changes = await look_at(admin, list(wanted.values()), settings)
        notes += await tidy_up(admin, changes)
        _log_once(notes)
        return notes
    finally:
        await admin.close()


async def _create(admin: Any, specs: list[TopicSpec], settings: Settings) -> None:
    copies = settings.replication_factor
    topics = [
        NewTopic(spec.name, spec.partitions, copies, topic_configs=spec.full_config(settings))
        for spec in specs
    ]
    answer = await admin.create_topics(topics)
    wanted = {spec.name: spec for spec in specs}
    plainer = []
    for name, code, *message in answer.topic_errors:
        spec, said = wanted[name], message[0] if message and message[0] else ""
        if spec.tidy and refusals.is_policy(code):
            plainer.append(replace(spec, tidy={}))
        elif code and for_code(code) is not TopicAlreadyExistsError:
            size = spec.partitions, copies
            raise refusals.not_created(name, code, said, spec.full_config(settings), size)
    if plainer:
        await _create(admin, plainer, settings)


async def _wait_until_seen(admin: Any, specs: list[TopicSpec]) -> None:
    """Wait until the broker reports new topics: it creates them before it does.

    Whoever subscribes meanwhile goes without a topic: Faust says "Ignoring missing topic", and
    does not look again for five minutes.
    """
    wanted = {spec.name: spec.partitions for spec in specs}
    try:
        async with asyncio.timeout(_SEEN_WITHIN_S):
            await _until_seen(admin, specs, wanted)
    except TimeoutError as error:
        names = ", ".join(sorted(wanted))
        raise BrokerError(f"topics were created, but are not there yet: {names}") from error


async def _until_seen(admin: Any, specs: list[TopicSpec], wanted: dict[str, int]) -> None:
    while True:
        if await _are_seen(admin, specs, wanted):
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _are_seen(admin: Any, specs: list[TopicSpec], wanted: dict[str, int]) -> bool:
    found = await describe(admin, specs)
    return all(_has_leaders(topic, wanted[topic["topic"]]) for topic in found)


async def describe(admin: Any, specs: list[TopicSpec]) -> list[dict[str, Any]]:
    """Return what Kafka says of each topic.

    Raises:
        TopologyError: If one may not be seen.
    """
    found: list[dict[str, Any]] = await admin.describe_topics([spec.name for spec in specs])
    for topic in found:
        if for_code(topic["error_code"]) is TopicAuthorizationFailedError:
            raise refusals.no_right(topic["topic"], "Describe", "cannot be seen")
    return found


def _has_leaders(topic: dict[str, Any], partitions: int) -> bool:
    led = [p for p in topic["partitions"] if p["error_code"] == 0 and p["leader"] >= 0]
    return topic["error_code"] == 0 and len(led) >= partitions


async def look_at(
    admin: Any, specs: list[TopicSpec], settings: Settings
) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return what is not as it should be, and does no harm; and what is to be set of which topic.

    Raises:
        TopologyError: If something does harm.
    """
    wanted = {spec.name: spec for spec in specs}
    notes: list[str] = []
    copies = {}
    for found in await describe(admin, specs):
        name, there = found["topic"], len(found["partitions"])
        copies[name] = copies_of(found)
        if found["error_code"] == 0 and there < wanted[name].partitions:
            raise TopologyError(too_few(settings.names, name, there, wanted[name].partitions))
        if there > wanted[name].partitions:
            notes.append(too_many(name, there, wanted[name].partitions))
    changes = {}
    for name, config in (await configs_of(admin, specs)).items():
        check_timestamps(name, config)
        shape = wanted[name].full_config(settings)
        notes += check_shape(name, shape, config, copies[name], settings)
        limit = int(config.get("max.message.bytes") or MESSAGE_BYTES)
        notes.append(check_size(settings.names, name, limit))
        if change := untidy(wanted[name].tidy, config):
            changes[name] = change
    return [note for note in notes if note], changes


async def configs_of(admin: Any, specs: list[TopicSpec]) -> dict[str, dict[str, str]]:
    """Return the settings of each topic, by name.

    Raises:
        TopologyError: If they may not be seen.
        BrokerError: If a topic is not there.
    """
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    configs = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            if for_code(code) is TopicAuthorizationFailedError:
                what = "cannot be checked, and its timestamps have to be the broker's"
                raise refusals.no_right(name, "DescribeConfigs", what)
            if code:
                reason = message or for_code(code).__name__
                raise BrokerError(f"topic {name} cannot be checked: {reason}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _log_once(notes: list[str]) -> None:
    for note in notes:
        if note not in _logged:
            _logged.add(note)
            logger.warning("%s", note, extra=fields("topic-differs"))
