"""Reads the last row of each partition of a changelog, and no more of it than that takes.

A changelog grows by a row every few seconds for as long as an installation is there, and Kafka
compacts it when it likes, the last days of it not at all. So it is read from its end backward,
until a whole row is found: that takes as long after a year as after a minute.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, Protocol, TypeAlias

from aiokafka.structs import TopicPartition

from cronstream.core.wire.pieces import LastRow, RowSearch
from cronstream.topology.log_message import LogMessage, Spans

#: Yields what is in spans of partitions, in order by partition.
Read: TypeAlias = Callable[[Spans], AsyncIterator[LogMessage]]

#: The last message is looked at, then the last eight, and so on.
_STEP: Final = 8


class RowReader(Protocol):
    """What is needed of `cronstream.topology.reading.Reader`."""

    async def layout(self) -> dict[str, list[int]]:
        """Return all topics that are there, with the numbers of their partitions."""

    async def spans(self, places: Iterable[TopicPartition], since: None) -> Spans:
        """Return from which offset on and up to which each partition is to be read."""

    def read_all(self, spans: Spans) -> AsyncIterator[LogMessage]:
        """Yield what is in each span, in order by partition."""


async def rows_on(reader: RowReader, topic: str, partitions: Iterable[int]) -> dict[int, LastRow]:
    """Return the last whole row of each partition that has one, for who writes none."""
    there = (await reader.layout()).get(topic, [])
    places = [TopicPartition(topic, partition) for partition in partitions if partition in there]
    if not places:
        return {}
    found = await last_rows(reader.read_all, await reader.spans(places, None))
    return {place.partition: row for place, row in found.items() if row.text is not None}


async def last_rows(read: Read, spans: Spans) -> dict[TopicPartition, LastRow]:
    """Return the last whole row of each partition that has one.

    Args:
        read: Reads.
        spans: From which offset on, and up to which, each partition has anything.
    """
    searches = {place: RowSearch() for place in spans}
    reach, below = 1, {place: end for place, (_, end) in spans.items()}
    while wanted := _next(spans, searches, below, reach):
        async for message in read(wanted):
            search = searches[TopicPartition(message.topic, message.partition)]
            search.fold(message.offset, message.key, message.value)
        below.update({place: start for place, (start, _) in wanted.items()})
        reach *= _STEP
    return {place: row for place, search in searches.items() if (row := search.found)}


def _next(
    spans: Spans,
    searches: dict[TopicPartition, RowSearch],
    below: dict[TopicPartition, int],
    reach: int,
) -> Spans:
    """Return what is to be read next: of each partition its last `reach`, without what was."""
    return {
        place: (max(begin, end - reach), below[place])
        for place, (begin, end) in spans.items()
        if searches[place].found is None and begin < below[place]
    }
