"""Kafka, as months see it: segments, retention, and compaction when it likes."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Final

from aiokafka.structs import TopicPartition

from cronstream.topology.log_message import LogMessage, Spans
from tests.simulation.log import Log, Topics
from tests.simulation.loop import Loop, moment

DAY_S: Final = 86_400.0
#: Told of each message: offset, append time, records, and the time by a clock that is right.
Heard = Callable[[int, datetime, list[Any], float], None]


@dataclass(slots=True)
class Segment:
    """Messages of a log that are deleted together.

    Attributes:
        base: The offset of the first.
        first_at: When it was appended, by the broker's clock.
        last_at: The latest time of one; a clock that was ahead keeps all of them for longer.
    """

    base: int
    first_at: float
    last_at: float


@dataclass(slots=True)
class SegmentedLog(Log):
    """One partition of a log with retention: what is old goes, a whole segment at a time.

    Attributes:
        keeps_s: Retention, in seconds.
        rolls_s: After so long another segment is begun.
        heard: Who hears of each message, and forgets none.
    """

    keeps_s: float = 30 * DAY_S
    rolls_s: float = 7 * DAY_S
    heard: Heard | None = None
    segments: list[Segment] = field(default_factory=list)

    def append(self, now: float, records: list[Any]) -> tuple[int, datetime]:
        """Add a message; return its offset and its append time."""
        at_s, offset = now + self.ahead_s, len(self.messages)
        active = self.segments[-1] if self.segments else None
        if active is None or at_s - active.first_at > self.rolls_s:
            self.segments.append(Segment(offset, at_s, at_s))
        else:
            active.last_at = max(active.last_at, at_s)
        if self.heard is not None:
            self.heard(offset, moment(at_s), records, now)
        return Log.append(self, now, records)

    def clean(self, now: float) -> int:
        """Delete the segments whose last message is too old; return how many messages went."""
        before, bound = self.start, now + self.ahead_s - self.keeps_s
        while self.segments and self.segments[0].last_at < bound:
            del self.segments[0]
            self._begin_at(self.segments[0].base if self.segments else len(self.messages))
        return self.start - before

    def delete_before(self, offset: int) -> None:
        """Delete messages, as a person does by DeleteRecords."""
        while len(self.segments) > 1 and self.segments[1].base <= offset:
            del self.segments[0]
        self._begin_at(max(offset, self.start))

    def _begin_at(self, start: int) -> None:
        for offset in range(self.start, start):
            self.messages[offset] = (self.messages[offset][0], [])
        self.start = start

    @property
    def kept(self) -> int:
        """How many messages are left."""
        return len(self.messages) - self.start


class LapseTopics(Topics):
    """Every log of a time-lapse."""

    def __init__(self, loop: Loop, partitions: int, keeps_s: float, rolls_s: float) -> None:
        super().__init__(loop, partitions)
        self._keeps_s, self._rolls_s = keeps_s, rolls_s

    def log(self, topic: str, partition: int) -> SegmentedLog:
        """Return one partition."""
        key = (topic, partition)
        if key not in self._logs:
            is_long = topic.endswith((".discarded", ".quarantine"))
            keeps_s = 3 * self._keeps_s if is_long else self._keeps_s
            batches = not topic.endswith(".discarded")
            log = SegmentedLog(topic, partition, batches, keeps_s=keeps_s, rolls_s=self._rolls_s)
            self._logs[key] = log
        found = self._logs[key]
        if not isinstance(found, SegmentedLog):
            raise TypeError(topic)
        return found

    def clean(self, now: float) -> int:
        """Delete what is old of every log; return how many messages went."""
        return sum(self.log(*key).clean(now) for key in self._logs)


@dataclass(slots=True)
class Changelog:
    """One partition of a compacted topic.

    Kafka compacts no segment that is still written to, and the others when it likes: so of each
    key the last message is there, and some of those before it.

    Attributes:
        messages: Offset, key and value of each that is left.
        rolls_s: After so long another segment is begun.
        has_whole: Whether there has been a whole row on it since it was lost.
    """

    topic: str
    partition: int
    rolls_s: float = 4 * 3600.0
    messages: list[tuple[int, bytes, bytes | None]] = field(default_factory=list)
    end: int = 0
    start: int = 0
    has_whole: bool = False
    _active_from: int = 0
    _active_since: float = 0.0

    @property
    def place(self) -> TopicPartition:
        """What Kafka's clients call it."""
        return TopicPartition(self.topic, self.partition)

    @property
    def bytes_kept(self) -> int:
        """How large it is."""
        return sum(len(key) + len(value or b"") for _, key, value in self.messages)

    def append(self, now: float, key: bytes, value: bytes | None) -> None:
        """Add a message."""
        if now - self._active_since > self.rolls_s:
            self._active_from, self._active_since = self.end, now
        self.messages.append((self.end, key, value))
        self.end += 1

    def compact(self, now: float) -> None:
        """Keep of each key the last message, of what lies before the active segment."""
        if now - self._active_since > self.rolls_s:
            self._active_from = self.end
        last = {key: o for o, key, _ in self.messages if o < self._active_from}
        self.messages = [
            (offset, key, value)
            for offset, key, value in self.messages
            if offset >= self._active_from or (last[key] == offset and value is not None)
        ]

    def lose(self) -> None:
        """Delete all, as a person does, or a broker that has lost its disk."""
        self.messages.clear()
        self.start, self.has_whole = self.end, False

    async def read(self, spans: Spans) -> AsyncIterator[LogMessage]:
        """Yield what is there between two offsets, as `topology.reading.Reader` does."""
        begin, end = spans[self.place]
        for offset, key, value in self.messages:
            if begin <= offset < end:
                yield LogMessage(self.topic, self.partition, offset, moment(0), key, value)


class Cleaner:
    """Compacts changelogs now and then: one within hours, another not for weeks."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def pause_s(self) -> float:
        """Return how long the next one is not compacted."""
        return self._dice.choice((0.3, 1, 1, 1, 5, 20)) * DAY_S * self._dice.uniform(0.5, 1.2)
