"""Topics in memory: partitions of messages with append times, in one order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.loop import Loop, moment


@dataclass(slots=True)
class Log:
    """One partition of a topic.

    Attributes:
        messages: Append time and records of each; its index is its offset.
        start: The first that has not been deleted; the others are kept for the checks.
        ahead_s: By how much the clock of its broker is ahead now.
        true_times: When each message was appended, by the clock that is right.
        listeners: Told that there is something new.
        batches: Whether a message may carry several records.
        down_until: Until then the partition has no leader, and takes nothing.
    """

    name: str
    partition: int
    batches: bool = True
    messages: list[tuple[datetime, list[Any]]] = field(default_factory=list)
    listeners: list[Callable[[int], None]] = field(default_factory=list)
    start: int = 0
    ahead_s: float = 0.0
    true_times: list[float] = field(default_factory=list)
    down_until: float = 0.0

    def append(self, now: float, records: list[Any]) -> tuple[int, datetime]:
        """Add a message; return its offset and its append time."""
        at = moment(now + self.ahead_s)
        self.true_times.append(now)
        self.messages.append((at, records))
        for listener in self.listeners:
            listener(self.partition)
        return len(self.messages) - 1, at


class Topics:
    """Every partition of every topic, by name; a job's messages go to one partition."""

    def __init__(self, loop: Loop, partitions: int) -> None:
        self.loop = loop
        self.partitions = partitions
        self._logs: dict[tuple[str, int], Log] = {}
        #: Topics that are others here: those of a cluster that another stands for.
        self.aliases: dict[str, str] = {}

    def log(self, topic: str, partition: int) -> Log:
        """Return one partition."""
        key = (self.aliases.get(topic, topic), partition)
        if key not in self._logs:
            self._logs[key] = Log(key[0], partition, not topic.endswith(".discarded"))
        return self._logs[key]

    def of(self, topic: str) -> list[Log]:
        """Return all partitions of a topic."""
        return [self.log(topic, partition) for partition in range(self.partitions)]

    def partition_of(self, job: str) -> int:
        """Return where a job's messages go."""
        return sum(job.encode()) % self.partitions

    def all(self) -> list[Log]:
        """Return every partition that was ever asked for."""
        return list(self._logs.values())
