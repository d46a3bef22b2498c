"""Appends to one partition: in order, one message at a time, each tried until it is through."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from cronstream import clock
from cronstream.core.wire.messages import Message
from cronstream.errors import BrokerError, TooLargeError
from cronstream.logs import fields
from cronstream.topology.log_message import moment_of
from cronstream.topology.outgoing import Ack, Waiting, take_together
from cronstream.topology.refusals import missing_right

logger = logging.getLogger(__name__)

#: Before what was not acknowledged is tried again.
_RETRY_PAUSE_S = 0.5
#: While a partition takes nothing, a line of it is written so often at most.
_QUIET_S = 10.0


class _CannotBeSentError(BrokerError):
    """No broker has refused it: it did not come so far."""


#: Is given each message that is through, and the records in it; none of what was bytes.
Note: TypeAlias = "Callable[[bytes, list[Message]], None]"


class LogWriter:
    """Appends to one partition of one topic, in order, one message at a time.

    A broker that does not take a message is asked until it does; if it is too large for the broker,
    it is sent in pieces, or with less in it. What cannot be sent for another reason is refused to
    those who wait for it; but what nobody waits for is tried again, too, until it is through or the
    process ends itself, since its producer is broken (`core.health`).
    """

    def __init__(
        self, producer: Any, topic: str, partition: int, note: Note = lambda _, __: None
    ) -> None:
        self._producer, self._note = producer, note
        self._topic, self._partition = topic, partition
        self._waiting: deque[Waiting] = deque()
        self._task: asyncio.Task[None] | None = None
        self._oldest: Waiting | None = None
        self._moved_at = float("-inf")
        #: How often in a row what is under way could not be sent, and why it could not last.
        self.failures = 0
        self.failed_why = ""
        self._said: tuple[str, float] = "", float("-inf")

    @property
    def waiting_since(self) -> float | None:
        """Since when no message was acknowledged, of those that wait (monotonic seconds).

        A queue that is long, but moves on, says nothing of the broker.
        """
        if self.idle or self._oldest is None:
            return None
        return max(self._oldest.since, self._moved_at)

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
            batch = take_together(self._waiting)
            self._oldest, self.failures = batch[0], 0
            try:
                ack = await self._send(batch)
            except asyncio.CancelledError:
                for item in batch:
                    item.give_up()
                raise
            except MessageSizeTooLargeError:
                await self._put_back(batch)
                continue
            except _CannotBeSentError as error:
                for item in batch:
                    item.refuse(error)
                continue
            self._moved_at = clock.monotonic()
            for item in batch:
                item.acknowledge(ack)
        self._oldest = None  # Of many partitions what each sent last would take room.

    async def _put_back(self, batch: list[Waiting]) -> None:
        """Have what was too large for the broker sent one by one, or with less in it."""
        only = batch[0]
        if len(batch) > 1:
            for item in batch:
                item.alone = True
        elif smaller := only.smaller():
            batch = smaller
        else:
            size = len(only.value or b"")
            error = TooLargeError(f"{self._topic} takes no message of {size:,} bytes")
            if only.done is not None:
                only.refuse(error)
                return
            await self._pause(str(error))
        self._waiting.extendleft(reversed(batch))

    async def _send(self, batch: list[Waiting]) -> Ack:
        value, records = batch[0].value, [record for item in batch for record in item.records]
        if len(records) > 1:
            value = b"[" + b",".join(item.value or b"" for item in batch) + b"]"
        key = batch[0].key if all(item.key == batch[0].key for item in batch) else None
        is_awaited = all(item.done is not None for item in batch)
        while True:
            try:
                meta = await self._producer.send_and_wait(
                    self._topic,
                    value,
                    key=key,
                    partition=self._partition,
                    headers=list(batch[0].headers),
                )
            except MessageSizeTooLargeError:
                raise
            except KafkaError as error:
                missing = missing_right(error, self._topic)
                await self._pause(str(missing) if missing else type(error).__name__)
            except Exception as error:
                # No broker's word, but aiokafka's own: where its picture of a topic lacks the
                # partition, it is an AssertionError. Who waits is notified, and sends again; what
                # nobody waits for, nobody would: it may not be dropped.
                what = f"{type(error).__name__}: {error}"
                if is_awaited:
                    reason = f"{self._topic}: a message cannot be sent: {what}"
                    logger.error("%s", reason, extra=self._about("not-sent"))
                    raise _CannotBeSentError(reason) from error
                await self._pause(what)
            else:
                self._note(value or b"", records)
                return Ack(self._partition, meta.offset, moment_of(meta.timestamp))

    async def _pause(self, why: str) -> None:
        """Count a failure, which the process's health judges, and wait before the next try."""
        self.failures += 1
        self.failed_why = why
        said, said_at = self._said
        if why != said or clock.monotonic() - said_at >= _QUIET_S:
            self._said = why, clock.monotonic()
            text = "%s/%d: not acknowledged (%s); trying again"
            about = self._about("not-acknowledged")
            logger.warning(text, self._topic, self._partition, why, extra=about)
        await asyncio.sleep(_RETRY_PAUSE_S)

    def _about(self, action: str) -> dict[str, Any]:
        return fields(action, topic=self._topic, partition=self._partition)
