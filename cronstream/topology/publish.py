"""Durable publishing: what is put on a topic counts once the broker has acknowledged it.

In one partition messages go one after another, each after the acknowledgement of the one
before; what arrives meanwhile goes together in the next message. After a failure the same
message is tried again, and nothing behind it is sent before it is through: so a release never
overtakes the claim that it releases (docs/design/topics-and-tables.md).
"""

import asyncio
from collections.abc import Callable, Sequence
from struct import iter_unpack
from typing import Any, Final

from cronstream.core.wire.messages import Message
from cronstream.settings import Settings
from cronstream.topology.log_writer import LogWriter, Note
from cronstream.topology.outgoing import Ack, Waiting
from cronstream.topology.producing import start_producer, stop_producer

__all__ = ["Ack", "Publisher", "partition_of", "when_done"]

_MIX: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF


def partition_of(key: str, partitions: int) -> int:
    """Return the partition that Kafka's own clients choose for a key (murmur2 of its bytes)."""
    return 0 if partitions == 1 else (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _murmur2(raw: bytes) -> int:
    """Return Kafka's hash of bytes (org.apache.kafka.common.utils.Utils): ours takes a tenth."""
    hashed = 0x9747B28C ^ len(raw)
    whole = len(raw) & ~3
    for (word,) in iter_unpack("<I", raw[:whole]):
        mixed = word * _MIX & _WORD
        mixed = (mixed ^ mixed >> 24) * _MIX & _WORD
        hashed = (hashed * _MIX & _WORD) ^ mixed
    if rest := raw[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _MIX & _WORD
    hashed = (hashed ^ hashed >> 13) * _MIX & _WORD
    return hashed ^ hashed >> 15


class Publisher:
    """Puts records on topics for one process; start it before, stop it after use.

    Args:
        settings: Where Kafka is.
        sign: Returns a run or a job with the process's signature, and all else as it is.
    """

    def __init__(
        self, settings: Settings, sign: Callable[[Message], Message] | None = None
    ) -> None:
        self._settings, self.names, self._sign = settings, settings.names, sign
        self._producer: Any = None
        self._writers: dict[tuple[str, int], LogWriter] = {}
        self._borne: dict[str, set[tuple[str, int]]] = {}
        #: By topic: is given each message that is through, and what it says.
        self.notes: dict[str, Note] = {}

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        self._producer = await start_producer(self._settings, 1_048_576)

    async def stop(self) -> None:
        """Give up what has not been acknowledged, and disconnect."""
        for writer in self._writers.values():
            writer.cancel()
        await stop_producer(self._producer)

    @property
    def idle(self) -> bool:
        """Whether everything has been acknowledged."""
        return all(writer.idle for writer in self._writers.values())

    @property
    def oldest(self) -> LogWriter | None:
        """Who has waited longest for the broker; None if everything has been acknowledged.

        Those partitions aside that are known to take nothing (`bear_with`).
        """
        borne = set().union(*self._borne.values())
        waiting = [
            writer
            for place, writer in self._writers.items()
            if writer.waiting_since is not None and place not in borne
        ]
        return min(waiting, key=lambda writer: writer.waiting_since or 0.0, default=None)

    def bear_with(self, places: set[tuple[str, int]], by: str = "") -> None:
        """From now on these partitions are known to take nothing, and no others are.

        Args:
            places: Topic and partition of each.
            by: Who knows it; what others know stands.
        """
        self._borne[by] = places

    def give_up_on(self, topic: str) -> None:
        """Give up what has not been acknowledged on a topic."""
        for place in [place for place in self._writers if place[0] == topic]:
            self._writers.pop(place).cancel()

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything has been acknowledged; return whether it was, in time."""
        sending = [writer.sending for writer in self._writers.values() if writer.sending]
        if sending:
            await asyncio.wait(sending, timeout=timeout_s)
        return self.idle

    def append(self, topic: str, partition: int, record: Message) -> asyncio.Future[Ack]:
        """Put a record on a partition; what is returned is done once the broker has it.

        Raises:
            TooLargeError: If the record is too large for a message, though it is `fitted`.
        """
        if self._sign is not None:
            record = self._sign(record)
        done = _future()
        self._put(topic, partition, Waiting.of(record, done))
        return done

    def append_all(
        self, topic: str, partition: int, records: Sequence[Message]
    ) -> asyncio.Future[Ack]:
        """Put records on a partition; what is returned is done once the broker has all of them.

        Raises:
            TooLargeError: If one is too large for a message, and none is put there.
        """
        done = _future()
        signed = records if self._sign is None else list(map(self._sign, records))
        for item in Waiting.of_all(signed, done):
            self._put(topic, partition, item)
        return done

    def put(self, topic: str, partition: int, record: Message) -> None:
        """Put a record on a partition, as `append` does, for a sender that need not know when."""
        self._put(topic, partition, Waiting.of(record, None))

    def publish(
        self, topic: str, key: str, record: Message, *, partitions: int | None = None
    ) -> asyncio.Future[Ack]:
        """Put a record on the partition of its key; see `append`."""
        count = self._settings.partitions if partitions is None else partitions
        return self.append(topic, partition_of(key, count), record)

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> asyncio.Future[Ack]:
        """Put bytes on a partition as they are, in a message of their own."""
        key = b"" if value is None else None  # a tombstone without a key is none
        encoded = {name: text.encode(errors="replace") for name, text in headers.items()}
        done = _future()
        self._put(topic, partition, Waiting(key, value, tuple(encoded.items()), True, done))
        return done

    def _put(self, topic: str, partition: int, item: Waiting) -> None:
        place = (topic, partition)
        if place not in self._writers:
            note = [self.notes[topic]] if topic in self.notes else []
            self._writers[place] = LogWriter(self._producer, topic, partition, *note)
        self._writers[place].put(item)


def _future() -> asyncio.Future[Ack]:
    return asyncio.get_running_loop().create_future()


def when_done(future: asyncio.Future[Ack], then: Callable[[Ack], None]) -> None:
    """Call `then` with the acknowledgement, unless it was given up."""

    def call(done: asyncio.Future[Ack]) -> None:
        if not done.cancelled() and done.exception() is None:
            then(done.result())

    future.add_done_callback(call)
