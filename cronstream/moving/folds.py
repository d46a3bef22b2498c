"""The folds of a log as they stand at its end, while nobody works on it."""

import contextlib
from dataclasses import dataclass

import orjson
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.ledger.admission import Place
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_parts
from cronstream.core.moving.copies import Times
from cronstream.core.moving.export import release_all
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.naming import Role
from cronstream.core.wire.pieces import LastRow
from cronstream.errors import HouseError, MessageError
from cronstream.history.scope import LogReader, read_spans
from cronstream.moving.copies import Shifts
from cronstream.topology.last_rows import rows_on
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import partition_of


async def folds(
    reader: LogReader, role: Role, level: int, shifts: Shifts | None = None
) -> list[Ledger]:
    """Return the fold of each partition of a role's log; nobody holds anything in it any more.

    Args:
        reader: Connected.
        role: Whose log.
        level: Of the installation: that of a log whose beginning is gone.
        shifts: By how much the offsets of a copy differ; None if it is none.

    Raises:
        BrokerError: If the broker does not answer.
        HouseError: If a snapshot is of no such log, or a copy lacks what came after it.
        LevelError: If a log was raised to a level that is not known here.
    """
    log = reader.names.log_of(role)
    partitions = await reader.partitions(log)
    snapshots = await rows_on(reader, reader.names.ledgers(role), partitions)
    spans = await reader.spans([TopicPartition(log, p) for p in partitions], None)
    found: dict[int, _Fold] = {}
    for place, (begin, end) in spans.items():
        kept = _kept(snapshots.get(place.partition))
        ledger = kept or Ledger(retry=role.retry)
        ledger.book.assumed = level
        shift = _shift(shifts, place, begin, ledger.book.next_offset)
        _see_that_it_reaches(place, ledger.book.next_offset, end + shift)
        if shifts is not None and kept is not None:
            _see_that_nothing_is_between(place, ledger.book.next_offset, begin + shift)
        found[place.partition] = _Fold(ledger, shift, None if shifts is None else Times())
    unfolded = {
        place: (
            max(begin, (one := found[place.partition]).ledger.book.next_offset - one.shift),
            end,
        )
        for place, (begin, end) in spans.items()
    }
    async for message in read_spans(reader, unfolded):
        found[message.partition].fold(message, role, len(partitions))
    for one in found.values():
        release_all(one.ledger, clock.now())
    return [one.ledger for one in found.values()]


@dataclass(frozen=True, slots=True)
class _Fold:
    """The fold of one partition.

    Attributes:
        shift: By how much offsets were larger where it was written.
        times: Of a copy, when its messages were written.
    """

    ledger: Ledger
    shift: int
    times: Times | None

    def fold(self, message: LogMessage, role: Role, partitions: int) -> None:
        """Fold one message, as a worker does; of a copy, at the time that it states itself."""
        place = Place(
            role.cluster or "",
            role.retry,
            message.partition,
            lambda job: partition_of(job, partitions),
        )
        entries = [e for e in decode_entries(message.value)[0] if place.problem(e) is None]
        at = message.at if self.times is None else self.times.of(entries, message.at)
        self.ledger.fold(message.offset + self.shift, at, entries)
        self.ledger.book.news.clear()


def _kept(row: LastRow | None) -> Ledger | None:
    if row is not None:
        # Where it is damaged the log is folded from the start, as any worker would.
        with contextlib.suppress(MessageError):
            *_, ledger = from_parts(map(orjson.loads, row.lines()))
            return ledger
    return None


def _see_that_it_reaches(place: TopicPartition, next_offset: int, end: int) -> None:
    if next_offset > end:
        raise HouseError(
            f"{place.topic}/{place.partition} ends at {end}, and its snapshot was made at "
            f"{next_offset}: the topic was truncated, or is a copy with other offsets"
        )


def _see_that_nothing_is_between(place: TopicPartition, next_offset: int, begin: int) -> None:
    """Without what came between, an attempt that was made then would be made once more."""
    if begin > next_offset:
        raise HouseError(
            f"{place.topic}/{place.partition} is a copy with gaps: its snapshot was made at "
            f"{next_offset}, and the first message that was copied was at {begin}: export from "
            "the Kafka that it is a copy of, or copy the changelogs after the logs"
        )


def _shift(shifts: Shifts | None, place: TopicPartition, begin: int, next_offset: int) -> int:
    """Return by how much offsets on a partition were larger where it was written."""
    if shifts is None:
        return 0
    shift = shifts.logs[place]
    # Where nothing names an offset, nothing is lost if all that is there is folded once more.
    return next_offset - begin if shift is None else shift
