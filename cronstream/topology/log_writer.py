"""Appends to one partition: in order, one message at a time, each tried until it is through."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.errors import BrokerError

logger = logging.getLogger(__name__)

#: A message of several entries stays below this, well under Kafka's default of 1 MiB.
MAX_BATCH_BYTES = 400_000
MAX_BATCH_ENTRIES = 500
#: Before what was not acknowledged is tried again.
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
class Waiting:
    """One record, or bytes, on its way to a partition."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    #: Raw bytes: not to be joined with others.
    alone: bool
    #: None if nobody waits for it.
    done: asyncio.Future[Ack] | None
    #: When it was put here, in monotonic seconds.
    since: float = field(default_factory=clock.monotonic)

    def acknowledge(self, ack: Ack) -> None:
        """Tell who waits that the broker has it."""
        if self.done is not None and not self.done.done():
            self.done.set_result(ack)

    def refuse(self, error: BrokerError) -> None:
        """Tell who waits that it cannot be sent."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)

    def give_up(self) -> None:
        """Tell who waits that nobody sends it any more."""
        if self.done is not None:
            self.done.cancel()


class LogWriter:
    """Appends to one partition of one topic, in order, one message at a time."""

    def __init__(self, producer: Any, topic: str, partition: int) -> None:
        self._producer = producer
        self._topic, self._partition = topic, partition
        self._waiting: deque[Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._oldest: Waiting | None = None
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

    def put(self, item: Waiting) -> None:
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
            self._waiting.popleft().give_up()

    async def _send_all(self) -> None:
        while self._waiting:
            batch = self._take()
            self._oldest, self.failures = batch[0], 0
            try:
                ack = await self._send(batch)
            except asyncio.CancelledError:
                for item in batch:
                    item.give_up()
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits must be told
                _fail(batch, self._topic, error)
                continue
            for item in batch:
                item.acknowledge(ack)

    def _take(self) -> list[Waiting]:
        batch = [self._waiting.popleft()]
        size = len(batch[0].value or b"")
        while self._waiting and not batch[0].alone and len(batch) < MAX_BATCH_ENTRIES:
            following = self._waiting[0]
            size += len(following.value or b"") + 1
            if following.alone or size > MAX_BATCH_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _send(self, batch: list[Waiting]) -> Ack:
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


def _fail(batch: list[Waiting], topic: str, error: Exception) -> None:
    """Tell those who wait that what they put cannot be sent at all."""
    reason = f"{topic}: a message cannot be sent: {type(error).__name__}: {error}"
    logger.error("%s", reason)
    for item in batch:
        item.refuse(BrokerError(reason))


def _moment(timestamp_ms: int | None) -> datetime:
    return datetime.fromtimestamp((timestamp_ms or 0) / 1000, UTC)
