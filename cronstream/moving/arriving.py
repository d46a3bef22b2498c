"""Puts what was exported on topics where nobody has worked yet, so that it goes on there.

Until the last word says that the house is open, whoever is started there ends with a sentence. So
an import that was broken off is given again: what it has put there is put there once more, and of
each row, definition and discarded run the newest or the first is the only one that counts.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import orjson
from aiokafka.structs import TopicPartition

from cronstream.core.ledger.rows import as_text, row_parts
from cronstream.core.moving.export import Export, Kept, Named
from cronstream.core.moving.renumbering import Resign, cursors_of, keep, ledgers_of
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire import naming
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.job_messages import closed_because, decode_house, decode_jobs
from cronstream.core.wire.naming import SCHEDULER, Role
from cronstream.errors import BrokerError, HouseError
from cronstream.history.scope import LogReader, read_spans
from cronstream.moving.house_word import ACK_S, Appender, acknowledged, put_word
from cronstream.settings import Settings
from cronstream.topology.publish import partition_of
from cronstream.topology.topics import TopicSpec, cluster_topics, group_topics, installation_topics

#: So many records are sent before they are waited for.
_TOGETHER: Final = 5_000


class RowWriter(Protocol):
    """What is needed of `cronstream.topology.changelog.Changelog`."""

    def put(self, topic: str, partition: int, key: bytes, row: bytes | None) -> None:
        """Put a row on a partition."""

    async def through(self) -> None:
        """Wait until all that was put here is through."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where an export goes.

    Attributes:
        declare: Makes topics, or sees that they are as they should be.
        resign: Signs a run whose number has changed, if the former signature held.
    """

    settings: Settings
    reader: LogReader
    publisher: Appender
    changelog: RowWriter
    declare: Callable[[Iterable[TopicSpec]], Awaitable[object]]
    resign: Resign = keep

    def shard_of(self, job: str) -> int:
        """Return which partition of ``jobs`` is a job's."""
        return partition_of(job, self.settings.shards)


async def bring(export: Export, site: Site) -> bool:
    """Put an export where it goes; return whether anything was to be done.

    Raises:
        HouseError: If another installation is there, or lives there by now.
        TopologyError: If a topic is not as it has to be.
        BrokerError: If the broker does not answer, or does not take something.
    """
    if not await _see_that_it_is_free(export, site.reader):
        return False
    clusters = _clusters(export)
    await site.declare(_topics(clusters, site.settings))
    shards = range(site.settings.shards)
    await put_word(site.publisher, shards, House(state=HouseState.FILLING, export=export.id))
    await _bring_discarded(export, site)
    numbers, taken = await _bring_jobs(export, site)
    cursors = cursors_of(export, taken, site.shard_of)
    await _bring_rows(export, site, numbers, cursors)
    at = max((cursor.at for cursor in cursors), default=None)
    await put_word(site.publisher, shards, House(state=HouseState.OPEN, export=export.id, at=at))
    return True


async def _see_that_it_is_free(export: Export, reader: LogReader) -> bool:
    """Return whether an export is to be put here; False if that has been done.

    Raises:
        HouseError: If somebody lives here.
    """
    layout = await reader.layout()
    of = reader.names
    jobs = [TopicPartition(of.jobs, p) for p in layout.get(of.jobs, [])]
    house, names = None, set[str]()
    async for message in read_spans(reader, await reader.spans(jobs, None)):
        word = decode_house(message.value)
        if word is not None and message.partition == 0:
            house = word
        names |= {job.name for job in decode_jobs(message.value)[0]}
    if house is not None:
        return _is_to_go_on(export, house)
    if names:
        raise HouseError(
            f"another installation is on this Kafka, with {len(names)} jobs ({min(names)}, …): an "
            "export goes only where there is none; name another Kafka (--broker) or another prefix "
            "(CRONSTREAM_PREFIX), or stop that "
            "installation and delete its topics (docs/moving.md)"
        )
    logs = [log(name) for name in of.clusters(layout) for log in (of.log, of.retry_log)]
    places = [TopicPartition(log, p) for log in logs for p in layout[log]]
    for place, (_, end) in sorted((await reader.spans(places, None)).items()):
        if end:
            raise HouseError(
                f"{place.topic} is there and has been written to: an export goes only where no "
                "worker was before; delete the topics of cronstream there (docs/moving.md)"
            )
    return True


def _is_to_go_on(export: Export, house: House) -> bool:
    if house.export != export.id or house.state is HouseState.CLOSED:
        raise HouseError(
            closed_because(house)
            or f"export {house.export} was imported here, and lives here now: no other can be"
        )
    return house.state is HouseState.FILLING


def _clusters(export: Export) -> list[str]:
    last = {kept.job.name: kept.job for kept in export.definitions}
    wanted = {job.cluster for job in last.values() if not job.removed}
    wanted |= {log.cluster for log in export.logs}
    return sorted(wanted | {one.run.cluster for one in export.discarded})


def _topics(clusters: list[str], settings: Settings) -> list[TopicSpec]:
    names, specs = settings.names, installation_topics(settings)
    specs += group_topics(names.group(SCHEDULER), {naming.CURSORS: settings.shards})
    for cluster in clusters:
        specs += cluster_topics(cluster, settings)
        for retry in (False, True):
            tables = {naming.LEDGERS: settings.partitions}
            specs += group_topics(names.group(Role.of(cluster, retry=retry)), tables)
    return specs


async def _bring_discarded(export: Export, site: Site) -> None:
    for start in range(0, len(export.discarded), _TOGETHER):
        await acknowledged(
            site.publisher.append(
                site.reader.names.discarded(one.run.cluster),
                partition_of(one.run.job, site.settings.partitions),
                one,
            )
            for one in export.discarded[start : start + _TOGETHER]
        )


async def _bring_jobs(export: Export, site: Site) -> tuple[dict[Named, int], dict[int, int]]:
    """Publish the definitions; return their numbers, and below which they count as announced."""
    if export.installation is not None:
        word = Installation(id=export.installation, kafka=await site.reader.kafka_id())
        await acknowledged([site.publisher.append(site.reader.names.jobs, 0, word)])
    numbers: dict[Named, int] = {}
    await _publish([kept for kept in export.definitions if kept.taken], site, numbers)
    taken = await site.reader.ends(site.reader.names.jobs, range(site.settings.shards))
    await _publish([kept for kept in export.definitions if not kept.taken], site, numbers)
    return numbers, taken


async def _publish(definitions: list[Kept], site: Site, numbers: dict[Named, int]) -> None:
    """Publish definitions, those of one job one after another: a message has each job once."""
    turns = defaultdict[int, list[Kept]](list)
    before = Counter[str]()
    for kept in definitions:
        turns[before[kept.job.name]].append(kept)
        before[kept.job.name] += 1
    for turn in turns.values():
        acks = await acknowledged(
            site.publisher.append(site.reader.names.jobs, site.shard_of(kept.job.name), kept.job)
            for kept in turn
        )
        numbers |= {(k.job.name, k.revision): ack.offset for k, ack in zip(turn, acks, strict=True)}


async def _bring_rows(
    export: Export, site: Site, numbers: dict[Named, int], cursors: list[Cursor]
) -> None:
    """Write the snapshots from which workers go on, and the cursors from which schedulers do."""
    names = site.reader.names
    counts = {"shards": site.settings.shards, "partitions": site.settings.partitions}
    for log in export.logs:
        changelog = names.ledgers(Role.of(log.cluster, retry=log.retry))
        found = ledgers_of(log, site.settings.partitions, partition_of, numbers, site.resign)
        for partition, ledger in found.items():
            lines = [orjson.dumps(part) for part in row_parts(ledger, partition)]
            _put(site.changelog, changelog, partition, as_text(lines))
    for cursor in cursors:
        row = {**cursor.to_row(), **counts}
        _put(site.changelog, names.cursors, cursor.shard, orjson.dumps(row))
    try:
        async with asyncio.timeout(ACK_S):
            await site.changelog.through()
    except TimeoutError as error:
        raise BrokerError(
            f"the broker has not acknowledged the snapshots within {ACK_S:.0f} s; "
            "give the command again"
        ) from error


def _put(changelog: RowWriter, topic: str, partition: int, row: bytes) -> None:
    changelog.put(topic, partition, orjson.dumps(str(partition)), row)
