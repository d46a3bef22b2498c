"""What ``doctor`` says besides what is wrong: versions, clocks, Kafka, and what is paused."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final, TypeAlias

from aiokafka.errors import KafkaError

from cronstream.cli import paused
from cronstream.cli.connection import connections, reading
from cronstream.core.health.presence import EVERY_S, Presence
from cronstream.core.wire.levels import LEVEL
from cronstream.errors import CronstreamError, NotFoundError
from cronstream.history.roll import clock_difference_s
from cronstream.settings import settings
from cronstream.system import version

#: As programs read it; what could not be found out is None.
Facts: TypeAlias = dict[str, Any]

#: Each process announces itself more often than that, if it is well.
_SOON_S: Final = EVERY_S + 1.0


async def facts_of(there: list[Presence]) -> Facts:
    """Return what can be said of an installation, and of this machine beside it."""
    try:
        kafka = await connections().kafka_facts(settings())
    except (KafkaError, CronstreamError, OSError):
        kafka = None  # What stands in the way is a finding of its own.
    difference_s = None
    if there:
        async with reading() as reader:
            difference_s = await clock_difference_s(reader, _SOON_S)
    return {
        "version": version(),
        "level": LEVEL,
        "versions_there": sorted({who.version for who in there}),
        "levels_there": sorted({who.level for who in there}),
        "clock_s": difference_s,
        "kafka": None if kafka is None else asdict(kafka),
        "paused": await _paused(),
    }


async def _paused() -> list[dict[str, Any]]:
    try:
        return await paused.paused_jobs()
    except NotFoundError:
        return []  # No scheduler has published any job yet.


def sentences(facts: Facts) -> Iterator[str]:
    """Yield it as people read it."""
    if not facts:
        return
    there = ", ".join(facts["versions_there"]) or "none"
    levels = ", ".join(map(str, facts["levels_there"])) or "none"
    yield (
        f"cronstream {facts['version']} (level {facts['level']}) here; of the processes that are "
        f"there: {there} (level {levels})"
    )
    if facts["clock_s"] is not None:
        yield f"this machine's clock is {facts['clock_s']:+.1f} s from Kafka's"
    if kafka := facts["kafka"]:
        brokers = "1 broker" if kafka["brokers"] == 1 else f"{kafka['brokers']} brokers"
        copies = "1 copy" if kafka["copies"] == 1 else f"{kafka['copies']} copies"
        yield (
            f"Kafka {kafka['cluster_id']} of {brokers}; topics have {copies}, "
            f"min.insync.replicas {kafka['copies_in_sync']}, and messages of at most "
            f"{kafka['message_bytes']:,} bytes"
        )
    yield from paused.sentences(facts["paused"])
