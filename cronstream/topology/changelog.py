"""Keeps the rows of Faust's tables on their changelogs, whatever Kafka is up to meanwhile.

A row is put here and tried until it is through. Of several rows of a key that wait, only the newest
is sent: it says all that those before it said, so an outage of hours costs no memory. A large one
goes in pieces (`cronstream.core.wire.pieces`), whose sets take turns once all of one are through.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.wire.pieces import WHOLE_BYTES, LastRow, cut
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.topology.last_rows import last_rows
from cronstream.topology.log_message import LogMessage, Spans
from cronstream.topology.producing import start_producer, stop_producer
from cronstream.topology.reading import Reader
from cronstream.topology.shapes import MESSAGE_BYTES

logger = logging.getLogger(__name__)

#: Before rows that were not acknowledged are tried again; and those that Kafka does not take, as
#: when they are larger than the topic's messages may be: a newer one may be smaller.
_RETRY_PAUSE_S = 0.5
_REFUSED_PAUSE_S = 30.0
_REFUSED = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)
#: While a changelog takes nothing, this is said so often.
_TELL_EVERY_S = 60.0

#: A row that says nothing.
NO_ROW: Final = LastRow(b"null")

_Place = tuple[str, int]


class Changelog:
    """Puts rows on changelogs for one process; start it before, stop it after use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._rows: dict[_Place, dict[bytes, bytes | None]] = {}
        self._sending: dict[_Place, asyncio.Task[None]] = {}
        #: Which set of keys the pieces of the next large row have.
        self._turns: dict[_Place, int] = {}
        #: How many messages were read back: who waits for that sees that it goes on.
        self.messages_read = 0

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        self._producer = await start_producer(self._settings, MESSAGE_BYTES, counts_messages=False)

    async def stop(self, timeout_s: float = 3.0) -> None:
        """Wait a little for what is under way, give up the rest, and disconnect."""
        sending = list(self._sending.values())
        if sending:
            await asyncio.wait(sending, timeout=timeout_s)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        await stop_producer(self._producer)

    def put(self, topic: str, partition: int, key: bytes, row: bytes | None) -> None:
        """Put a row on a partition, in place of one of the same key that has not been sent."""
        place = (topic, partition)
        self._rows.setdefault(place, {})[key] = row
        if place not in self._sending:
            task = asyncio.get_running_loop().create_task(self._send_all(place))
            self._sending[place] = task

    async def through(self) -> None:
        """Wait until all that was put here is through."""
        while self._sending:
            await asyncio.wait(list(self._sending.values()))

    async def read(
        self, topic: str, partitions: Iterable[int], *, only_looks: bool = False
    ) -> dict[int, LastRow]:
        """Return the row of each partition that has had one.

        Who goes on to write there reads it anew; what `only_looks` meanwhile changes nothing.

        Where there are messages and none is a row, as whoever may write there can bring about, it
        is one that says nothing (`null`): what is kept of the partition is lost.

        Raises:
            BrokerError: If no broker answers; or it is a KafkaError.
        """
        places = [TopicPartition(topic, partition) for partition in partitions]
        if not places:
            return {}
        async with Reader(self._settings) as reader:

            async def read(spans: Spans) -> AsyncIterator[LogMessage]:
                async for message in reader.read_all(spans):
                    self.messages_read += 1
                    yield message

            spans = await reader.spans(places, None)
            found = await last_rows(read, spans)
        for place, last in () if only_looks else found.items():
            # Not over it: until the next is whole, it is all there is.
            self._turns[place] = 0 if last.turn is None else last.turn + 1
        written = [place for place, (begin, end) in spans.items() if begin < end]
        rows = {place.partition: found.get(place, NO_ROW) for place in written}
        return {number: NO_ROW if row.text is None else row for number, row in rows.items()}

    async def _send_all(self, place: _Place) -> None:
        try:
            await self._send_until_none_is_left(place)
        finally:  # In the step in which there was none: what is put after it begins again.
            self._sending.pop(place, None)

    async def _send_until_none_is_left(self, place: _Place) -> None:
        told_at: float | None = None
        while rows := self._rows.pop(place, {}):
            sent = [self._send(place, key, row) for key, row in rows.items()]
            # Whatever it is, Kafka's or aiokafka's own, it is tried again.
            errors = await asyncio.gather(*sent, return_exceptions=True)
            failed = {key: row for (key, row), e in zip(rows.items(), errors, strict=True) if e}
            if not failed:
                continue
            self._rows[place] = failed | self._rows.get(place, {})
            error = next(error for error in errors if error)
            if told_at is None or clock.monotonic() - told_at > _TELL_EVERY_S:
                told_at = clock.monotonic()
                why = type(error).__name__ if isinstance(error, KafkaError) else repr(error)
                text = "%s/%d: not acknowledged (%s); trying again"
                about = fields("not-acknowledged", topic=place[0], partition=place[1])
                logger.warning(text, *place, why, extra=about)
            await asyncio.sleep(_REFUSED_PAUSE_S if isinstance(error, _REFUSED) else _RETRY_PAUSE_S)

    async def _send(self, place: _Place, key: bytes, row: bytes | None) -> None:
        """Send a row, in pieces if it is large, and wait until it is acknowledged."""
        if row is None or len(row) <= WHOLE_BYTES:
            await self._send_message(place, key, row)
            return
        turn = self._turns.setdefault(place, 0)
        pieces = await asyncio.to_thread(cut, key, row, turn)
        sent = [self._send_message(place, key, piece) for key, piece in pieces.items()]
        for error in await asyncio.gather(*sent, return_exceptions=True):
            if error is not None:
                raise error
        self._turns[place] = turn + 1

    async def _send_message(self, place: _Place, key: bytes, value: bytes | None) -> None:
        topic, partition = place
        await self._producer.send_and_wait(topic, value, key=key, partition=partition)
