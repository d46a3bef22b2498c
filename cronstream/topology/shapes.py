"""Whether a topic that is there keeps what it is given as it has to.

Somebody may have made it by hand, or changed it. What would lose runs is refused; what holds for
now, and would lose something on a bad day, is reported. Each sentence says how to mend it.
"""

from collections.abc import Iterator
from typing import Any

from cronstream.core.wire.naming import SCHEDULER, Names
from cronstream.errors import TopologyError
from cronstream.settings import Settings

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

#: A message may be this large: a record or a piece of a row, and what Kafka puts around it.
MESSAGE_BYTES = 1_000_000


def check_shape(
    name: str, wanted: dict[str, str], config: dict[str, str], copies: int, settings: Settings
) -> Iterator[str]:
    """Yield a sentence for each thing that is not as it should be.

    Args:
        name: The topic.
        wanted: Its configuration as it would be made.
        config: Its configuration as it is; what the broker does not say is not in it.
        copies: The least that any partition of it has; 0 if that is not known.
        settings: How many copies there are to be.

    Raises:
        TopologyError: If runs would be lost, or nothing could be written.
    """
    _check_cleanup(name, wanted["cleanup.policy"], config.get("cleanup.policy"))
    yield from _retention(settings.names, name, int(wanted["retention.ms"]), config)
    yield from _copies(name, int(config.get("min.insync.replicas") or 0), copies, settings)


def _check_cleanup(name: str, wanted: str, found: str | None) -> None:
    if found and wanted == "delete" and "compact" in found:
        raise TopologyError(
            f"topic {name} has cleanup.policy={found}, so Kafka deletes all but the last message "
            f"of each job, which loses runs: {_set(name, 'cleanup.policy=delete')}"
        )


def _retention(names: Names, name: str, wanted: int, config: dict[str, str]) -> Iterator[str]:
    """Yield what deletes too early; ticks, presences and live output are soon old."""
    limit = config.get("retention.bytes") or "-1"
    found = int(config.get("retention.ms") or wanted)
    if name in (names.ticks, names.workers) or names.is_changelog(name) or names.is_output(name):
        return
    too_early = found >= 0 and (wanted < 0 or found < wanted)
    if name == names.jobs and (too_early or int(limit) >= 0):
        change = _set(name, "retention.ms=-1,retention.bytes=-1")
        raise TopologyError(
            f"topic {name} deletes what is old (retention.ms={found}, retention.bytes={limit}), "
            f"but it says which jobs are in force, and is kept for ever: {change}"
        )
    if int(limit) >= 0:
        yield (
            f"topic {name} deletes what is more than retention.bytes={limit}, runs that nobody has "
            f"made yet among them: {_set(name, 'retention.bytes=-1')}"
        )
    if too_early:
        change = _set(name, f"retention.ms={wanted}")
        fault = f"topic {name} deletes after {_span(found)}, where {_span(wanted)} are meant"
        if found < _DAY_MS:
            raise TopologyError(f"{fault}: a day without workers would lose runs: {change}")
        yield f"{fault}: what is older is not found by commands, nor audited: {change}"


def _copies(name: str, in_sync: int, copies: int, settings: Settings) -> Iterator[str]:
    if 0 < copies < in_sync:
        raise TopologyError(
            f"topic {name} has min.insync.replicas={in_sync}, but {copies} copies, so nothing can "
            f"be written: {_set(name, f'min.insync.replicas={settings.min_insync_replicas}')}"
        )
    if 0 < in_sync < settings.min_insync_replicas:
        change = _set(name, f"min.insync.replicas={settings.min_insync_replicas}")
        yield (
            f"topic {name} has min.insync.replicas={in_sync} where {settings.min_insync_replicas} "
            f"are set: what is acknowledged may be lost with one broker: {change}"
        )
    if 0 < copies < settings.replication_factor:
        yield (
            f"topic {name} has {copies} copies where {settings.replication_factor} are set "
            "(CRONSTREAM_REPLICATION_FACTOR): a broker that is lost may take it along; give it "
            "more with kafka-reassign-partitions"
        )


def copies_of(described: dict[str, Any]) -> int:
    """Return how many copies each partition has at least; 0 if the broker does not say."""
    return min((len(p.get("replicas") or ()) for p in described["partitions"]), default=0)


def _set(name: str, value: str) -> str:
    return f"kafka-configs --alter --entity-type topics --entity-name {name} --add-config {value}"


def _span(milliseconds: int) -> str:
    days, hours = milliseconds / _DAY_MS, milliseconds / _HOUR_MS
    return f"{days:g} days" if days >= 1 else f"{hours:.3g} hours"


def too_few(names: Names, name: str, there: int, wanted: int) -> str:
    """Return what is to be done about a topic with too few partitions."""
    of_schedulers = names.group(SCHEDULER)
    is_sharded = name in (names.jobs, names.ticks) or name.startswith(of_schedulers)
    variable = "CRONSTREAM_SHARDS" if is_sharded else "CRONSTREAM_PARTITIONS"
    return (
        f"topic {name} has {there} partitions where {wanted} are set: if the other topics of this "
        f"installation have {there} too, set {variable}={there} in every process; if they have "
        f"{wanted}, give it as many: kafka-topics --alter --topic {name} --partitions {wanted}"
    )


def too_many(name: str, there: int, wanted: int) -> str:
    """Return that nothing has to be done about a topic with too many partitions."""
    return (
        f"topic {name} has {there} partitions where {wanted} are set: those that somebody has "
        "added stay empty, and nothing has to be done; leave the settings as they are"
    )


def check_timestamps(name: str, config: dict[str, str]) -> None:
    """See that a topic's clock is the broker's.

    Raises:
        TopologyError: If it is not.
    """
    kind = config.get("message.timestamp.type")
    if kind != "LogAppendTime":
        raise TopologyError(
            f"topic {name} has message.timestamp.type={kind}, but the ledger's clock is the "
            f"broker's: kafka-configs --alter --entity-type topics --entity-name {name} "
            "--add-config message.timestamp.type=LogAppendTime"
        )


def check_size(names: Names, name: str, limit: int) -> str:
    """See that a topic takes messages that are as large as ours may be; return what it does not.

    Raises:
        TopologyError: If runs would be lost by it.
    """
    if limit >= MESSAGE_BYTES:
        return ""
    fault = (
        f"topic {name} takes messages of up to {limit:,} bytes, where {MESSAGE_BYTES:,} are "
        f"needed: kafka-configs --alter --entity-type topics --entity-name {name} --add-config "
        f"max.message.bytes={MESSAGE_BYTES}"
    )
    if names.is_changelog(name):
        return f"{fault}; until then large rows are not kept, and who takes over reads more"
    raise TopologyError(fault)
