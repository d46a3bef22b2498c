"""Reads topics without a consumer group: to catch up, to follow, and for people."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from cronstream.core import naming
from cronstream.errors import BrokerError, TruncatedError
from cronstream.settings import Settings

#: A consumer that has not disconnected by then is left to its process's end.
_STOP_WITHIN_S = 5.0
#: Polls of a second, one after another without a message, before it is asked whether the end that
#: is read up to is still there. A leader that has just taken over knows of it a moment later.
_SILENT_POLLS = 20


@dataclass(frozen=True, slots=True)
class LogMessage:
    """One message as it stands on a topic.

    Attributes:
        at: When it was appended, by the log's clock (UTC).
    """

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Reader:
    """A plain consumer with no group: it commits nothing, and nobody rebalances because of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Any = None
        self._is_following = False

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        try:
            await consumer.start()
        except KafkaError as error:
            with contextlib.suppress(KafkaError):
                await consumer.stop()
            where = ", ".join(self._settings.bootstrap)
            raise BrokerError(f"no Kafka answers at {where}: {error}") from error
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_WITHIN_S):
                    await self._consumer.stop()

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
        metadata = await self._metadata()
        found = metadata.partitions_for_topic(topic) or ()
        counts = [len(metadata.partitions_for_topic(name) or ()) for name in naming.siblings(topic)]
        told = "shards" if topic in (naming.JOBS, naming.TICKS) else "partitions"
        if len(counts) > 1 and told in self._settings.model_fields_set:
            counts.append(getattr(self._settings, told))
        in_use = min(count for count in [*counts, len(found)] if count or not found)
        return sorted(number for number in found if number < in_use)

    async def _metadata(self) -> Any:
        # `partitions_for_topic` of the consumer itself knows only topics that it reads.
        return await self._consumer._client.fetch_all_metadata()  # noqa: SLF001 - no public way

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the offset that its next message will have."""
        found = await self._consumer.end_offsets([TopicPartition(topic, p) for p in partitions])
        return {tp.partition: offset for tp, offset in found.items()}

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return for each partition the first offset that it still has."""
        tps = [TopicPartition(topic, p) for p in partitions]
        found = await self._consumer.beginning_offsets(tps)
        return {tp.partition: offset for tp, offset in found.items()}

    async def offsets_at(
        self, topic: str, partitions: Iterable[int], moment: datetime
    ) -> dict[int, int]:
        """Return for each partition the offset of its first message from `moment` on."""
        wanted = {TopicPartition(topic, p): int(moment.timestamp() * 1000) for p in partitions}
        found = await self._consumer.offsets_for_times(wanted)
        ends = await self.ends(topic, [tp.partition for tp in wanted])
        return {
            tp.partition: ends[tp.partition] if at is None else at.offset
            for tp, at in found.items()
        }

    async def read(
        self, topic: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        """Yield the messages from `start` up to (not including) `end`, in order by partition.

        What retention has deleted is passed over.

        Raises:
            TruncatedError: If a partition ends before `end`, and nothing more comes on it.
        """
        left = {p for p in start if start[p] < end.get(p, 0)}
        if not left:
            return
        self.follow({TopicPartition(topic, p): start[p] for p in left})
        silent = 0
        while left:
            came = await self.poll(1.0)
            for message in came:
                p = message.partition
                if p in left and start[p] <= message.offset < end[p]:
                    yield message
            for p in list(left):
                if await self._consumer.position(TopicPartition(topic, p)) >= end[p]:
                    left.discard(p)
            silent = 0 if came else silent + 1
            if left and silent >= _SILENT_POLLS:
                silent = 0
                await self._see_that_it_reaches(topic, {p: end[p] for p in left})

    async def _see_that_it_reaches(self, topic: str, wanted: dict[int, int]) -> None:
        found = wanted
        with contextlib.suppress(KafkaError):  # A broker that is away may still have it all.
            found = await self.ends(topic, wanted)
        for p, end in sorted(wanted.items()):
            if found[p] < end:
                raise TruncatedError(
                    f"{topic}/{p} ends at {found[p]}, but went up to {end}: it was truncated, or "
                    "created anew"
                )

    def follow(self, places: dict[TopicPartition, int]) -> None:
        """From now on, `poll` reads these partitions, each from its offset; or nothing."""
        self._is_following = bool(places)
        if not places:
            # Not unassigned: a consumer whose assignment is emptied may never end after that
            # (aiokafka 0.14: its fetcher loses the cancellation while it waits for a request).
            self._consumer.pause(*self._consumer.assignment())
            return
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)

    async def poll(self, timeout_s: float) -> list[LogMessage]:
        """Return what has come on the partitions that are followed; nothing after `timeout_s`."""
        if not self._is_following:
            await asyncio.sleep(timeout_s)
            return []
        batches = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=5000)
        return [_message(raw) for batch in batches.values() for raw in batch]


def _message(raw: Any) -> LogMessage:
    return LogMessage(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        at=datetime.fromtimestamp(raw.timestamp / 1000, UTC),
        key=raw.key,
        value=raw.value,
        headers=tuple(raw.headers or ()),
    )
