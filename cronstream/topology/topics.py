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
from cronstream.core.wire.naming import Role
from cronstream.errors import BrokerError, TopologyError
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology import refusals
from cronstream.topology.client import new_admin
from cronstream.topology.shapes import check_shape, copies_of
from cronstream.topology.tidying import tidy_up, untidy

logger = logging.getLogger(__name__)

#: A message may be this large: a record or a piece of a row, and what Kafka puts around it.
MESSAGE_BYTES = 1_000_000
#: How long the first answer may take.
_ANSWERED_WITHIN_S = 20.0
#: How long a broker may take from creating topics to telling of them.
_SEEN_WITHIN_S = 15.0
_LOOK_AGAIN_S = 0.05
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

#: Kafka compacts no segment that is still written to, so those of a changelog are small: it takes
#: disk for hours of rows, not for weeks. These are about the least that managed Kafkas allow. Who
#: takes over reads only its end, however much there is.
_TIDY = {
    "segment.ms": str(4 * _HOUR_MS),
    "segment.bytes": str(50 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(6 * _HOUR_MS),
}

#: How the changelogs of a scheduler's tables begin.
_OF_SCHEDULERS = Role.of(None, retry=False).group
#: What is not as it should be, but does no harm, as far as this process has told of it.
_told: set[str] = set()

#: The fold's only clock is the log's, so that every fold of a log says the same (rule 1).
_TIMESTAMPS = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
#: Only what each process told last matters, and of one that is gone nothing, in the end.
_OF_WORKERS = {"cleanup.policy": "compact,delete"}


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
        TopicSpec(naming.JOBS, settings.shards, -1),
        TopicSpec(naming.TICKS, settings.shards, _HOUR_MS),
        TopicSpec(naming.QUARANTINE, 1, 90 * _DAY_MS),
        TopicSpec(naming.WORKERS, 1, _DAY_MS, _OF_WORKERS, _TIDY),
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
    compact = {"cleanup.policy": "compact"}
    changelogs = [
        TopicSpec(naming.changelog(group, name), partitions, -1, compact, _TIDY)
        for name, partitions in tables.items()
    ]
    return [*changelogs, TopicSpec(f"{group}-__assignor-__leader", 1, -1)]


def topics_of(role: Role, settings: Settings, tables: dict[str, int]) -> list[TopicSpec]:
    """Return all topics that a process of a role needs, Faust's for its tables among them."""
    specs = installation_topics(settings)
    if role.cluster:
        specs += cluster_topics(role.cluster, settings)
    return specs + group_topics(role.group, tables)


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
        notes = await _check(admin, list(wanted.values()), settings)
        _tell_once(notes)
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
    """Wait until the broker tells of new topics: it creates them before it does.

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
    found = await _describe(admin, specs)
    return all(_has_leaders(topic, wanted[topic["topic"]]) for topic in found)


async def _describe(admin: Any, specs: list[TopicSpec]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await admin.describe_topics([spec.name for spec in specs])
    for topic in found:
        if for_code(topic["error_code"]) is TopicAuthorizationFailedError:
            raise refusals.no_right(topic["topic"], "Describe", "cannot be seen")
    return found


def _has_leaders(topic: dict[str, Any], partitions: int) -> bool:
    led = [p for p in topic["partitions"] if p["error_code"] == 0 and p["leader"] >= 0]
    return topic["error_code"] == 0 and len(led) >= partitions


async def _check(admin: Any, specs: list[TopicSpec], settings: Settings) -> list[str]:
    wanted = {spec.name: spec for spec in specs}
    notes, copies = [], {}
    for found in await _describe(admin, specs):
        name, there = found["topic"], len(found["partitions"])
        copies[name] = copies_of(found)
        if found["error_code"] == 0 and there < wanted[name].partitions:
            raise TopologyError(_too_few(name, there, wanted[name].partitions))
        if there > wanted[name].partitions:
            notes.append(_too_many(name, there, wanted[name].partitions))
    changes = {}
    for name, config in (await _configs(admin, specs)).items():
        _check_timestamps(name, config)
        shape = wanted[name].full_config(settings)
        notes += check_shape(name, shape, config, copies[name], settings)
        notes.append(_check_size(name, int(config.get("max.message.bytes") or MESSAGE_BYTES)))
        if change := untidy(wanted[name].tidy, config):
            changes[name] = change
    notes += await tidy_up(admin, changes)
    return [note for note in notes if note]


async def _configs(admin: Any, specs: list[TopicSpec]) -> dict[str, dict[str, str]]:
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


def _too_few(name: str, there: int, wanted: int) -> str:
    is_sharded = name in (naming.JOBS, naming.TICKS) or name.startswith(_OF_SCHEDULERS)
    variable = "CRONSTREAM_SHARDS" if is_sharded else "CRONSTREAM_PARTITIONS"
    return (
        f"topic {name} has {there} partitions where {wanted} are set: if the other topics of this "
        f"installation have {there} too, set {variable}={there} in every process; if they have "
        f"{wanted}, give it as many: kafka-topics --alter --topic {name} --partitions {wanted}"
    )


def _too_many(name: str, there: int, wanted: int) -> str:
    return (
        f"topic {name} has {there} partitions where {wanted} are set: those that somebody has "
        "added stay empty, and nothing has to be done; leave the settings as they are"
    )


def _tell_once(notes: list[str]) -> None:
    for note in notes:
        if note not in _told:
            _told.add(note)
            logger.warning("%s", note, extra=fields("topic-differs"))


def _check_timestamps(name: str, config: dict[str, str]) -> None:
    kind = config.get("message.timestamp.type")
    if kind != "LogAppendTime":
        raise TopologyError(
            f"topic {name} has message.timestamp.type={kind}, but the ledger's clock is the "
            f"broker's: kafka-configs --alter --entity-type topics --entity-name {name} "
            "--add-config message.timestamp.type=LogAppendTime"
        )


def _check_size(name: str, limit: int) -> str:
    """See that a topic takes messages that are as large as ours may be; return what it does not."""
    if limit >= MESSAGE_BYTES:
        return ""
    fault = (
        f"topic {name} takes messages of up to {limit:,} bytes, where {MESSAGE_BYTES:,} are "
        f"needed: kafka-configs --alter --entity-type topics --entity-name {name} --add-config "
        f"max.message.bytes={MESSAGE_BYTES}"
    )
    if naming.is_changelog(name):
        return f"{fault}; until then large rows are not kept, and who takes over reads more"
    raise TopologyError(fault)
