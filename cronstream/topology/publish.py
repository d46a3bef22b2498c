"""Durable publishing: what is put on a topic counts once the broker has acknowledged it.

In one partition messages go one after another, each after the acknowledgement of the one
before; what arrives meanwhile goes together in the next message. After a failure the same
message is tried again, and nothing behind it is sent before it is through: so a release never
overtakes the claim that it releases (design, section 2).
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from cronstream import clock
from cronstream.core.codec import encode
from cronstream.core.records import Discarded, Message, Run, Skip, Tick, Withdrawal
from cronstream.errors import BrokerError
from cronstream.settings import Settings

logger = logging.getLogger(__name__)

#: A message of several entries stays below this, well under Kafka's default of 1 MiB.
MAX_BATCH_BYTES = 400_000
MAX_BATCH_ENTRIES = 500
#: One record alone may be this large; a larger one is refused before it is sent.
MAX_RECORD_BYTES = 900_000
_RETRY_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's word that it has a message.

    Attributes:
        at: When it was appended, by the log's clock (UTC).
    """

    partition: int
    offset: int
    at: datetime


@dataclass(slots=True)
class _Waiting:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    #: Raw bytes: not to be joined with others.
    alone: bool
    #: None if nobody waits for it.
    done: asyncio.Future[Ack] | None
    #: When it was put here, in monotonic seconds.
    since: float = field(default_factory=clock.monotonic)


def partition_of(key: str, partitions: int) -> int:
    """Return the partition that Kafka's own clients choose for a key (murmur2 of its bytes)."""
    hashed: int = murmur2(key.encode())
    return (hashed & 0x7FFFFFFF) % partitions


class LogWriter:
    """Appends to one partition of one topic, in order, one message at a time."""

    def __init__(self, producer: Any, topic: str, partition: int) -> None:
        self._producer = producer
        self._topic, self._partition = topic, partition
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._oldest: _Waiting | None = None
        #: How often in a row what is under way could not be sent.
        self.failures = 0

    @property
    def waiting_since(self) -> float | None:
        """When the oldest message that is not acknowledged was put here (monotonic seconds)."""
        return None if self.idle or self._oldest is None else self._oldest.since

    @property
    def sending(self) -> asyncio.Task[None] | None:
        """What is under way, or None when everything put here has been acknowledged."""
        return None if self._task is None or self._task.done() else self._task

    @property
    def idle(self) -> bool:
        """Whether everything that was put here has been acknowledged."""
        return self.sending is None

    def put(self, item: _Waiting) -> None:
        """Append it after all that was put here before."""
        self._waiting.append(item)
        if self.idle:
            self._oldest = item
            self._task = asyncio.get_running_loop().create_task(self._send_all())

    def cancel(self) -> None:
        """Give up what has not been acknowledged."""
        if self._task is not None:
            self._task.cancel()
        while self._waiting:
            _give_up(self._waiting.popleft())

    async def _send_all(self) -> None:
        while self._waiting:
            batch = self._take()
            self._oldest, self.failures = batch[0], 0
            try:
                ack = await self._send(batch)
            except asyncio.CancelledError:
                for item in batch:
                    _give_up(item)
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits must be told
                _fail(batch, self._topic, error)
                continue
            for item in batch:
                if item.done is not None and not item.done.done():
                    item.done.set_result(ack)

    def _take(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        size = len(batch[0].value or b"")
        while self._waiting and not batch[0].alone and len(batch) < MAX_BATCH_ENTRIES:
            following = self._waiting[0]
            size += len(following.value or b"") + 1
            if following.alone or size > MAX_BATCH_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _send(self, batch: list[_Waiting]) -> Ack:
        value = batch[0].value
        if len(batch) > 1:
            value = b"[" + b",".join(item.value or b"" for item in batch) + b"]"
        key = batch[0].key if all(item.key == batch[0].key for item in batch) else None
        while True:
            try:
                meta = await self._producer.send_and_wait(
                    self._topic,
                    value,
                    key=key,
                    partition=self._partition,
                    headers=list(batch[0].headers),
                )
            except KafkaError as error:
                self.failures += 1
                logger.warning(
                    "%s/%d: not acknowledged (%s); trying again",
                    self._topic,
                    self._partition,
                    type(error).__name__,
                )
                await asyncio.sleep(_RETRY_PAUSE_S)
            else:
                return Ack(self._partition, meta.offset, _moment(meta.timestamp))


class Publisher:
    """Puts records on topics for one process; start it before, stop it after use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._writers: dict[tuple[str, int], LogWriter] = {}

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: If no broker answers.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=300_000,
            max_request_size=1_048_576,
            linger_ms=0,
        )
        try:
            await producer.start()
        except KafkaError as error:
            with contextlib.suppress(KafkaError):
                await producer.stop()
            where = ", ".join(self._settings.bootstrap)
            raise BrokerError(f"no Kafka answers at {where}: {error}") from error
        self._producer = producer

    async def stop(self) -> None:
        """Give up what has not been acknowledged, and disconnect."""
        for writer in self._writers.values():
            writer.cancel()
        if self._producer is not None:
            await self._producer.stop()

    @property
    def idle(self) -> bool:
        """Whether everything has been acknowledged."""
        return all(writer.idle for writer in self._writers.values())

    @property
    def oldest(self) -> LogWriter | None:
        """Who has waited longest for the broker; None if everything has been acknowledged."""
        waiting = [writer for writer in self._writers.values() if writer.waiting_since is not None]
        return min(waiting, key=lambda writer: writer.waiting_since or 0.0, default=None)

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything has been acknowledged; return whether it was, in time."""
        sending = [writer.sending for writer in self._writers.values() if writer.sending]
        if sending:
            await asyncio.wait(sending, timeout=timeout_s)
        return self.idle

    def append(self, topic: str, partition: int, record: Message) -> asyncio.Future[Ack]:
        """Put a record on a partition; what is returned is done once the broker has it.

        Raises:
            BrokerError: If the record is too large for a message.
        """
        done = _future()
        self._put(topic, partition, _waiting(record, done))
        return done

    def put(self, topic: str, partition: int, record: Message) -> None:
        """Put a record on a partition, as `append` does, for a sender that need not know when."""
        self._put(topic, partition, _waiting(record, None))

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
        pairs = tuple((name, text.encode()) for name, text in headers.items())
        done = _future()
        self._put(topic, partition, _Waiting(key, value, pairs, True, done))
        return done

    def _put(self, topic: str, partition: int, item: _Waiting) -> None:
        place = (topic, partition)
        if place not in self._writers:
            self._writers[place] = LogWriter(self._producer, topic, partition)
        self._writers[place].put(item)


def _waiting(record: Message, done: asyncio.Future[Ack] | None) -> _Waiting:
    value = encode(record)
    if len(value) > MAX_RECORD_BYTES:
        raise BrokerError(
            f"a {type(record).__name__} of {len(value):,} bytes is larger than a message may "
            f"be ({MAX_RECORD_BYTES:,}): shorten its command or environment"
        )
    alone = isinstance(record, Discarded | Tick)  # their readers take one for each message
    return _Waiting(_key_of(record), value, (), alone, done)


def _give_up(item: _Waiting) -> None:
    if item.done is not None:
        item.done.cancel()


def _fail(batch: list[_Waiting], topic: str, error: Exception) -> None:
    """Tell those who wait that what they put cannot be sent at all."""
    reason = f"{topic}: a message cannot be sent: {type(error).__name__}: {error}"
    logger.error("%s", reason)
    for item in batch:
        if item.done is not None and not item.done.done():
            item.done.set_exception(BrokerError(reason))


def _future() -> asyncio.Future[Ack]:
    return asyncio.get_running_loop().create_future()


def when_done(future: asyncio.Future[Ack], then: Callable[[Ack], None]) -> None:
    """Call `then` with the acknowledgement, unless it was given up."""

    def call(done: asyncio.Future[Ack]) -> None:
        if not done.cancelled() and done.exception() is None:
            then(done.result())

    future.add_done_callback(call)


def _key_of(record: Any) -> bytes | None:
    if isinstance(record, Run | Skip | Withdrawal):
        return record.job.encode()
    name = getattr(record, "name", None)
    if isinstance(name, str):
        return name.encode()
    run = getattr(record, "run", None)
    if isinstance(run, Run):
        return run.job.encode()
    return run.partition("@")[0].encode() if isinstance(run, str) else None


def _moment(timestamp_ms: int | None) -> datetime:
    return datetime.fromtimestamp((timestamp_ms or 0) / 1000, UTC)
