"""What is asked of a worker or a scheduler, and of its group: who is watched, and meets others."""

from typing import Any, Protocol

from cronstream.core.health.judging import SchedulerFacts, WorkerFacts
from cronstream.core.health.presence import Presence
from cronstream.topology.presence import WorkersTopic
from cronstream.topology.publish import Publisher


class Subject(Protocol):
    """Whose health is watched."""

    #: The topic that its work depends on, and how many partitions that has.
    topic: str
    partitions: int
    publisher: Publisher
    #: How long it is let be at most if a restart may mend it, whatever the settings say.
    patience_s: float

    @property
    def owns(self) -> bool:
        """Whether any partition of its topic is its own."""

    def facts(self, now_mono: float) -> SchedulerFacts | WorkerFacts:
        """Return what is known of it now."""

    def pauses(self) -> list[str]:
        """Return what is paused of what it works for: sentences."""

    def note_ends(self, ends: dict[int, int], now_mono: float) -> None:
        """Take the offsets that the next messages of its topic will have, by partition."""


class Peer(Protocol):
    """One of the processes that announce themselves to each other."""

    #: Its name, another one after each start.
    name: str

    def news(self) -> dict[str, Any]:
        """Return what it announces of itself that changes: fields of a `Presence`."""

    def heed(self, mine: Presence, topic: WorkersTopic) -> str:
        """Do what follows from what all announce.

        Args:
            mine: What this process announced of itself when it came.
            topic: Its end of the workers' topic.

        Returns:
            What is wrong with its clock, so that it may start nothing; empty if nothing.
        """


class Group(Protocol):
    """What a watch asks about the consumer group; moments are monotonic seconds."""

    #: When the consumer's thread last turned.
    thread_at: float
    #: Since when the process is no member of its group; None if it is one.
    outside_since: float | None
    #: What Kafka has said to that; empty if nothing.
    outside_why: str
    #: Since when a rebalance or recovery has made no progress; None if none is under way.
    rebalancing_since: float | None
    #: Since when its tables are being restored; None if they are not.
    restoring_since: float | None

    def begin(self, now_mono: float) -> None:
        """From now on it is to become a member, and the thread is to turn."""

    def look(self, now_mono: float) -> None:
        """Bring the above up to date."""

    async def unowned(self, topic: str, partitions: int) -> set[int]:
        """Ask a broker which partitions no other member owns, for a process that owns none."""

    async def stop(self) -> None:
        """Disconnect."""
