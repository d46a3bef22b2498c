"""What is on its way to a partition: entries, and which of them go together in a message."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from cronstream import clock
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.fitting import fitted
from cronstream.core.wire.messages import Message, Tick
from cronstream.core.wire.runs import Discarded, Run
from cronstream.core.wire.sizes import MAX_RECORD_BYTES, MAX_RUN_BYTES
from cronstream.errors import BrokerError, TooLargeError

#: A message of several entries stays below this, well under Kafka's default of 1 MiB.
MAX_BATCH_BYTES = 400_000
MAX_BATCH_ENTRIES = 500


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
    """One record, several that go together, or bytes, on the way to a partition."""

    key: bytes | None
    #: Of several records each, with a comma between them.
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    #: Not to be joined with others.
    alone: bool
    #: None if nobody waits for it; several may have the same.
    done: asyncio.Future[Ack] | None
    #: What it says; nothing for raw bytes.
    records: Sequence[Message] = ()
    #: Whether it is the last of those that have the same `done`.
    is_last: bool = True
    #: When it was put here, in monotonic seconds.
    since: float = field(default_factory=clock.monotonic)

    @classmethod
    def of(cls, record: Message, done: asyncio.Future[Ack] | None) -> Self:
        """Return a record as it is to be sent, with less in it if it is too large for a message.

        Raises:
            TooLargeError: If it is too large even so.
        """
        record, value = _fitting(record)
        alone = isinstance(record, Discarded | Tick)  # Their readers take one for each message.
        return cls(_key_of(record), value, (), alone, done, [record])

    @classmethod
    def of_all(cls, records: Iterable[Message], done: asyncio.Future[Ack]) -> list[Self]:
        """Return records as they are to be sent: each time as many as a message holds.

        Args:
            records: One at least; none of a kind whose readers take one for each message.
            done: Is set once the last of them is through.

        Raises:
            TooLargeError: If one is too large for a message, even with less in it.
        """
        found: list[Self] = []
        size = 0
        groups: list[tuple[list[Message], list[bytes]]] = []
        for fitting, value in map(_fitting, records):
            size += len(value) + 1
            if not groups or size > MAX_BATCH_BYTES or len(groups[-1][0]) == MAX_BATCH_ENTRIES:
                groups.append(([], []))
                size = len(value)
            groups[-1][0].append(fitting)
            groups[-1][1].append(value)
        for members, values in groups:
            key = _key_of(members[0]) if len(members) == 1 else None
            found.append(cls(key, b",".join(values), (), False, done, members, is_last=False))
        found[-1].is_last = True
        return found

    @property
    def count(self) -> int:
        """How many entries it is."""
        return len(self.records) or 1

    def smaller(self) -> list[Self]:
        """Return what says the same in smaller messages, or at most half as much; or nothing."""
        if len(self.records) > 1:
            found = [type(self).of(record, self.done) for record in self.records]
            for one in found:
                one.alone, one.is_last = True, self.is_last and one is found[-1]
            return found
        if not self.records or self.value is None:
            return []
        record = fitted(self.records[0], len(self.value) // 2)
        before, self.records, self.value = self.value, [record], encode(record)
        return [self] if len(self.value) < len(before) else []

    def acknowledge(self, ack: Ack) -> None:
        """Let whoever waits know that the broker has it."""
        if self.is_last and self.done is not None and not self.done.done():
            self.done.set_result(ack)

    def refuse(self, error: BrokerError) -> None:
        """Let whoever waits know that it cannot be sent."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)

    def give_up(self) -> None:
        """Let whoever waits know that nobody sends it any more."""
        if self.done is not None:
            self.done.cancel()


def take_together(waiting: deque[Waiting]) -> list[Waiting]:
    """Take from a queue what goes in its next message."""
    batch = [waiting.popleft()]
    size, count = len(batch[0].value or b""), batch[0].count
    while waiting and not batch[0].alone:
        following = waiting[0]
        size, count = size + len(following.value or b"") + 1, count + following.count
        if following.alone or size > MAX_BATCH_BYTES or count > MAX_BATCH_ENTRIES:
            break
        batch.append(waiting.popleft())
    return batch


def _fitting(record: Message) -> tuple[Message, bytes]:
    """Return a record and its bytes, with less in it if it is too large for a message.

    Raises:
        TooLargeError: If it is too large even so.
    """
    value = encode(record)
    if len(value) <= MAX_RUN_BYTES:
        return record, value
    begins = isinstance(record, Run) and record.attempt == 1
    limit = MAX_RUN_BYTES if begins else MAX_RECORD_BYTES
    if len(value) > limit:
        record = fitted(record, limit)
        value = encode(record)
    if len(value) > limit:
        raise TooLargeError(
            f"a {type(record).__name__} of {len(value):,} bytes is larger than a message may "
            f"be ({limit:,}): shorten its command or environment"
        )
    return record, value


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
