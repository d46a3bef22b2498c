"""Reads topics without a consumer group: to catch up, to follow, and for people."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Self

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.errors import BrokerError, TruncatedError
from cronstream.fitted.to_aiokafka.clients import client_of, learn
from cronstream.settings import Settings
from cronstream.topology.client import new_admin
from cronstream.topology.log_message import LogMessage, Spans, message_of
from cronstream.topology.plain_consumer import start_consumer, stop_consumer
from cronstream.topology.topic_ids import kafka_id, topic_ids

#: Polls of a second, one after another without a message, before it is asked whether the end that
#: is read up to is still there. A leader that has just taken over knows of it a moment later.
_SILENT_POLLS = 20
#: The same for somebody who waits in front of a screen.
_SILENT_POLLS_OF_A_PERSON = 3
#: Older messages are polled again by who goes on: another topic may have the name by now.
_FRESH_S = 10.0


class Reader:
    """A plain consumer with no group: it commits nothing, and nobody rebalances because of it.

    Args:
        settings: Where Kafka is.
        gives_up: Whether a broker that goes away is an error within seconds, for who reads in front
            of a screen; else it is waited for.
        waits_ms: How long the broker waits, at most, for something to come.
    """

    def __init__(self, settings: Settings, *, gives_up: bool = False, waits_ms: int = 100) -> None:
        self._settings, self._gives_up, self._waits_ms = settings, gives_up, waits_ms
        self._consumer: Any = None
        self._followed: dict[TopicPartition, int] = {}
        #: What was polled by `read_all`, and is not done with.
        self._came = deque[LogMessage]()
        self._polled_at = float("-inf")
        self.names = settings.names

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        self._consumer = await start_consumer(
            self._settings, gives_up=self._gives_up, waits_ms=self._waits_ms
        )

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await stop_consumer(self._consumer)

    async def __aenter__(self) -> Self:
        """Connect, and disconnect at the end of the block."""
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def topics(self) -> set[str]:
        """Return the names of all topics that are there."""
        return set((await self._metadata()).topics())

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions in use, or none if there is no such topic.

        Somebody may have given it more than it was made with. As many are in use as are set, if
        that was said here, and as the least of its siblings has: one number holds for all of them.
        """
        return self._in_use(topic, await self._metadata())

    async def layout(self) -> dict[str, list[int]]:
        """Return all topics that are there, with the partitions of each that are in use."""
        metadata = await self._metadata()
        return {topic: self._in_use(topic, metadata) for topic in metadata.topics()}

    async def surplus(self) -> dict[str, tuple[int, int]]:
        """Return the topics that were given partitions: how many each has, and are in use."""
        metadata = await self._metadata()
        counts = {topic: len(metadata.partitions_for_topic(topic)) for topic in metadata.topics()}
        used = {topic: len(self._in_use(topic, metadata)) for topic in counts}
        return {topic: (n, used[topic]) for topic, n in sorted(counts.items()) if n > used[topic]}

    def _in_use(self, topic: str, metadata: Any) -> list[int]:
        found = metadata.partitions_for_topic(topic) or ()
        siblings = self.names.siblings(topic)
        counts = [len(metadata.partitions_for_topic(name) or ()) for name in siblings]
        told = "shards" if topic in (self.names.jobs, self.names.ticks) else "partitions"
        if len(counts) > 1 and told in self._settings.model_fields_set:
            counts.append(getattr(self._settings, told))
        in_use = min(count for count in [*counts, len(found)] if count or not found)
        return sorted(number for number in found if number < in_use)

    async def _metadata(self) -> Any:
        # `partitions_for_topic` of the consumer itself knows only topics that it reads.
        return await client_of(self._consumer).fetch_all_metadata()

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the offset that its next message will have."""
        await learn(self._consumer, {topic})
        found = await self._consumer.end_offsets([TopicPartition(topic, p) for p in partitions])
        return {tp.partition: offset for tp, offset in found.items()}

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return up to where a group is done with each partition; without those it has not read."""
        admin = new_admin(self._settings)
        try:
            await admin.start()
            found = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        return {p: at.offset for (name, p), at in found.items() if name == topic and at.offset >= 0}

    async def unled(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bool]:
        """Return which partitions take nothing, and whether there is such a topic at all."""
        metadata = await self._metadata()
        found = {}
        for topic, partition in places:
            if partition not in (metadata.partitions_for_topic(topic) or ()):
                found[topic, partition] = False
            elif metadata.leader_for_partition(TopicPartition(topic, partition)) in (None, -1):
                found[topic, partition] = True
        return found

    async def ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each of some topics that is there, where Kafka gives it."""
        return await topic_ids(client_of(self._consumer), topics)

    async def kafka_id(self) -> str | None:
        """Return the id that this Kafka has given itself; None if it gives none."""
        return await kafka_id(client_of(self._consumer))

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the first offset that it still has."""
        tps = [TopicPartition(topic, p) for p in partitions]
        await learn(self._consumer, {topic})
        found = await self._consumer.beginning_offsets(tps)
        return {tp.partition: offset for tp, offset in found.items()}

    async def offsets_at(
        self, topic: str, partitions: Iterable[int], moment: datetime
    ) -> dict[int, int]:
        """Return for each partition the offset of its first message from `moment` on."""
        wanted = {TopicPartition(topic, p): int(moment.timestamp() * 1000) for p in partitions}
        await learn(self._consumer, {topic})
        found = await self._consumer.offsets_for_times(wanted)
        ends = await self.ends(topic, [tp.partition for tp in wanted])
        return {
            tp.partition: ends[tp.partition] if at is None else at.offset
            for tp, at in found.items()
        }

    async def spans(self, places: Iterable[TopicPartition], since: datetime | None) -> Spans:
        """Return from which offset on and up to which each partition is to be read.

        However many partitions, these are two questions for each broker, and one who leads them.

        Args:
            places: The partitions.
            since: From the first message on that was appended then; None: all that is retained.
        """
        wanted = list(places)
        if not wanted:
            return {}
        await learn(self._consumer, {place.topic for place in wanted})
        ends = await self._consumer.end_offsets(wanted)
        if since is None:
            begins = await self._consumer.beginning_offsets(wanted)
        else:
            # Below zero a number means something else, and nothing is on a log from before then.
            moments = dict.fromkeys(wanted, max(0, int(since.timestamp() * 1000)))
            found = await self._consumer.offsets_for_times(moments)
            begins = {place: at.offset for place, at in found.items() if at is not None}
        return {place: (begins.get(place, end), end) for place, end in ends.items()}

    def read(
        self, topic: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        """Yield the messages from `start` up to (not including) `end`, in order by partition.

        What retention has deleted is passed over.

        Raises:
            TruncatedError: If a partition ends before `end`, and nothing more comes on it.
        """
        spans = {TopicPartition(topic, p): (start[p], end.get(p, 0)) for p in start}
        return self.read_all(spans)

    async def read_all(self, spans: Spans) -> AsyncIterator[LogMessage]:
        """Yield what is in each span, in order by partition; see `read`.

        Raises:
            TruncatedError: If a partition ends before its span does, and nothing more comes on it.
            BrokerError: If no broker answers any more, and the reader is one that gives up.
        """
        left = {place: end for place, (start, end) in spans.items() if start < end}
        if not left:
            return
        starts = {place: spans[place][0] for place in left}
        came, silent = self._go_on(starts), 0
        try:
            while left:
                if not came:
                    came.extend(await self.poll(1.0))
                    self._polled_at = clock.monotonic()
                silent = 0 if came else silent + 1
                for message in _within(spans, left, came):
                    yield message
                await self._leave_out_what_is_read(left, silent)
        finally:
            if self._followed is starts:  # Not what somebody reads who came after a break.
                self.follow({})  # Else it would ask ten times a second for what nobody wants.

    async def _leave_out_what_is_read(self, left: dict[TopicPartition, int], silent: int) -> None:
        """Leave out the partitions of which all has come, and see that the others can have more.

        That is asked after so many polls, one after another, that brought nothing.
        """
        for place in list(left):
            if await self._consumer.position(place) >= left[place]:
                del left[place]
        most_silent = _SILENT_POLLS_OF_A_PERSON if self._gives_up else _SILENT_POLLS
        if left and silent and silent % most_silent == 0:
            await self._see_that_they_reach(left)

    async def _see_that_they_reach(self, wanted: dict[TopicPartition, int]) -> None:
        found = wanted
        try:
            found = await self._consumer.end_offsets(list(wanted))
        except KafkaError as error:
            if self._gives_up:
                raise BrokerError(f"Kafka has stopped answering: {error}") from error
            # A broker that is away may still have it all.
        for place, end in sorted(wanted.items()):
            if found[place] < end:
                raise TruncatedError(
                    f"{place.topic}/{place.partition} ends at {found[place]}, but went up to "
                    f"{end}: it was truncated, or recreated"
                )

    def _go_on(self, starts: dict[TopicPartition, int]) -> deque[LogMessage]:
        """Follow partitions; return what was polled just now, if somebody broke off there."""
        came, is_fresh = self._came, clock.monotonic() - self._polled_at < _FRESH_S
        at = {TopicPartition(one.topic, one.partition): one.offset for one in islice(came, 1)}
        if is_fresh and len(came) > 1 and starts == at:
            self._consumer.resume(*starts)
            self._followed = starts
        else:
            self.follow(starts)
        return self._came

    def follow(self, places: dict[TopicPartition, int]) -> None:
        """From now on, `poll` reads these partitions, each from its offset; or nothing."""
        self._followed = places
        if not places:
            # Not unassigned: a consumer whose assignment is emptied may never end after that
            # (aiokafka 0.14: its fetcher loses the cancellation while it waits for a request).
            self._consumer.pause(*self._consumer.assignment())
            return
        self._came = deque()
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)

    async def poll(self, timeout_s: float) -> list[LogMessage]:
        """Return what has come on the partitions that are followed; nothing after `timeout_s`."""
        if not self._followed:
            await asyncio.sleep(timeout_s)
            return []
        batches = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=5000)
        return [message_of(raw) for batch in batches.values() for raw in batch]


def _within(
    spans: Spans, left: dict[TopicPartition, int], came: deque[LogMessage]
) -> Iterator[LogMessage]:
    """Yield what is in a span of which not all has come; each is taken off once it is done with."""
    while came:
        message = came[0]
        place = TopicPartition(message.topic, message.partition)
        if place in left and spans[place][0] <= message.offset < left[place]:
            yield message
        came.popleft()
