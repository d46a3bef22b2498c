"""Which runs have no verdict at this moment, as the owner of their partition knows it.

The owner writes a snapshot of its fold to Faust's table every half minute; from there to the end of
the log is little, however long the log is, and a run that hangs since last week is in it.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import orjson
from aiokafka.structs import TopicPartition

from cronstream.core.ledger.admission import Place
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_parts
from cronstream.core.ledger.state import LiveRun, News
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.naming import Role
from cronstream.core.wire.pieces import LastRow
from cronstream.errors import MessageError
from cronstream.history.scope import LogReader, read_between, read_spans
from cronstream.topology.last_rows import last_rows
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import partition_of


@dataclass(slots=True)
class LiveLedger:
    """The fold of one partition of a cluster's log.

    Attributes:
        retry: Whether it is of the retry log.
        place: Where it is on the broker.
        partitions: How many there are of that log.
        has_been_heard: Whether a worker has written to it since it was read to its end.
    """

    cluster: str
    place: TopicPartition
    partitions: int
    ledger: Ledger
    retry: bool = False
    has_been_heard: bool = False

    @classmethod
    async def of_job(cls, reader: LogReader, cluster: str, job: str) -> "LiveLedger | None":
        """Return the partition of a job as it stands now; None if the cluster has no log.

        Raises:
            BrokerError: If the broker does not answer.
            LevelError: If the log was raised to a level that is not known here.
        """
        partitions = len(await reader.partitions(reader.names.log(cluster)))
        if not partitions:
            return None
        return await cls.of(reader, Role.of(cluster, retry=False), partition_of(job, partitions))

    @classmethod
    async def of(cls, reader: LogReader, role: Role, partition: int) -> "LiveLedger":
        """Return a partition of a role's log as it stands now.

        Raises:
            BrokerError: If the broker does not answer.
            LevelError: If the log was raised to a level that is not known here.
        """
        [found] = await cls.of_log(reader, role, [partition])
        return found

    @classmethod
    async def of_log(
        cls, reader: LogReader, role: Role, partitions: Sequence[int]
    ) -> "list[LiveLedger]":
        """Return partitions of a role's log as they stand now, all read together.

        Raises:
            BrokerError: If the broker does not answer.
            LevelError: If the log was raised to a level that is not known here.
        """
        log = reader.names.log_of(role)
        count = len(await reader.partitions(log))
        found = {
            partition: cls(
                role.cluster or "", TopicPartition(log, partition), count, ledger, role.retry
            )
            for partition, ledger in (await _snapshots(reader, role, partitions)).items()
        }
        beginnings = await reader.beginnings(log, partitions)
        ends = await reader.ends(log, partitions)
        begin = {n: max(live.ledger.book.next_offset, beginnings[n]) for n, live in found.items()}
        async for message in read_between(reader, log, begin, ends):
            found[message.partition].fold(message)
        for live in found.values():
            live.has_been_heard = False
        return list(found.values())

    @property
    def partition(self) -> int:
        """Its number."""
        return int(self.place.partition)

    def runs(self, job: str) -> list[LiveRun]:
        """Return the runs of a job that have no verdict, by due time."""
        found = [live for live in self.ledger.book.live.values() if live.run.job == job]
        return sorted(found, key=lambda live: (live.run.scheduled_at, live.run.id))

    def fold(self, message: LogMessage) -> list[News]:
        """Fold one message of the log, as a worker does; return what has changed of runs.

        Raises:
            LevelError: If the log is raised to a level that is not known here.
        """
        place = Place(self.cluster, self.retry, self.partition, self._partition_of)
        entries = [e for e in decode_entries(message.value)[0] if place.problem(e) is None]
        self.ledger.fold(message.offset, message.at, entries)
        self.has_been_heard |= any(hasattr(entry, "worker") for entry in entries)
        news = [each for each in self.ledger.book.news if isinstance(each, News)]
        self.ledger.book.news.clear()
        return news

    def _partition_of(self, job: str) -> int:
        return partition_of(job, self.partitions)


async def _snapshots(reader: LogReader, role: Role, partitions: Iterable[int]) -> dict[int, Ledger]:
    """Return the last snapshot of each partition, or an empty ledger: then all is folded."""
    topic = reader.names.ledgers(role)
    there = set(await reader.partitions(topic)).intersection(partitions)
    places = [TopicPartition(topic, partition) for partition in there]
    spans = await reader.spans(places, None) if places else {}
    rows = await last_rows(partial(read_spans, reader), spans)
    return {
        partition: _ledger(rows.get(TopicPartition(topic, partition)), role)
        for partition in partitions
    }


def _ledger(row: LastRow | None, role: Role) -> Ledger:
    if row is not None and row.text is not None:
        with contextlib.suppress(MessageError):
            *_, ledger = from_parts(map(orjson.loads, row.lines()))
            return ledger
    return Ledger(retry=role.retry)
