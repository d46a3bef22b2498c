"""Finds out by how much the offsets of a copy differ from those that its messages name."""

from dataclasses import dataclass

from aiokafka.structs import TopicPartition

from cronstream.core.moving.copies import JobsShift, LogShift
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.job_messages import Definition
from cronstream.history.scope import LogReader, read_spans
from cronstream.topology.publish import partition_of


@dataclass(frozen=True, slots=True)
class Shifts:
    """How much larger offsets were where a copy was written.

    Attributes:
        logs: For each partition of a log; None where nothing on it names an offset.
        jobs: For each partition of ``jobs``.
    """

    logs: dict[TopicPartition, int | None]
    jobs: list[int]

    def renumbered(self, published: dict[str, list[Definition]]) -> dict[str, list[Definition]]:
        """Return definitions with the revisions that runs name."""
        return {
            name: [
                one._replace(revision=one.revision + self.jobs[partition_of(name, len(self.jobs))])
                for one in there
            ]
            for name, there in published.items()
        }


async def find_shifts(
    reader: LogReader, published: dict[str, list[Definition]], shards: int
) -> Shifts:
    """Read all logs for what their messages name.

    Raises:
        HouseError: If a partition does not agree with itself.
        BrokerError: If the broker does not answer.
    """
    layout = await reader.layout()
    topics = [
        topic
        for name in reader.names.clusters(layout)
        for topic in (reader.names.log(name), reader.names.retry_log(name))
    ]
    places = [TopicPartition(topic, p) for topic in topics for p in layout[topic]]
    logs = {place: LogShift(f"{place.topic}/{place.partition}") for place in places}
    jobs = [_of_shard(reader.names.jobs, shard, published, shards) for shard in range(shards)]
    async for message in read_spans(reader, await reader.spans(places, None)):
        entries = decode_entries(message.value)[0]
        logs[TopicPartition(message.topic, message.partition)].fold(message.offset, entries)
        for shard in jobs:
            shard.fold(entries)
    return Shifts(
        {place: shift.get() for place, shift in logs.items()},
        [shift.get() or 0 for shift in jobs],
    )


def _of_shard(
    topic: str, shard: int, published: dict[str, list[Definition]], shards: int
) -> JobsShift:
    here = [
        (one.job, one.revision)
        for name, there in published.items()
        for one in there
        if partition_of(name, shards) == shard
    ]
    return JobsShift(f"{topic}/{shard}", here)
