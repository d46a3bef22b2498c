"""How far the old topic has been moved, in numbers and in the words for people."""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Once nobody has written for this long, the old topic can be emptied.
QUIET_S = 60.0


@dataclass(slots=True)
class Counts:
    """What became of the messages that this process has read.

    Attributes:
        moved: Published as runs.
        left: Left to the new schedule, which has the same due time.
        moved_before: On the clusters' logs already, from before a crash.
        refused: Put into quarantine.
        tombstones: Without a value.
    """

    moved: int = 0
    left: int = 0
    moved_before: int = 0
    refused: int = 0
    tombstones: int = 0

    def add(self, more: "Counts") -> None:
        """Add what became of some more messages."""
        for each in dataclasses.fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(more, each.name))


@dataclass(slots=True)
class Progress:
    """Shows people how far the old topic has been moved.

    Attributes:
        busy_at: When there was a message last, in seconds on the caller's clock.
    """

    topic: str
    busy_at: float
    counts: Counts = field(default_factory=Counts)
    _told: str = ""
    _told_quiet: bool = False
    _told_waiting: str = ""

    def add(self, counts: Counts, now_s: float) -> None:
        """Count messages that are done."""
        self.counts.add(counts)
        self.busy_at, self._told_quiet, self._told_waiting = now_s, False, ""

    def say_waiting(self, reason: str) -> None:
        """Say why it does not go on, once for each reason."""
        if reason != self._told_waiting:
            self._told_waiting = reason
            about = fields("legacy-waits", topic=self.topic)
            logger.warning("old topic %s: waiting: %s", self.topic, reason, extra=about)

    def report(self, lags: Mapping[int, int], now_s: float) -> None:
        """Say how far it is, unless that is what was said last.

        A process that has no partition knows nothing of the topic, and says nothing of it.

        Args:
            lags: How many offsets are still to be moved, of each partition of this process.
            now_s: Seconds on the clock of `busy_at`.
        """
        if not lags:
            return
        lag = sum(lags.values())
        sentence = self.sentence(lag)
        if sentence != self._told:
            logger.info("%s", sentence, extra=fields("legacy", topic=self.topic))
            self._told = sentence
        quiet_s = now_s - self.busy_at
        if lag == 0 and quiet_s >= QUIET_S and not self._told_quiet:
            self._told_quiet = True
            logger.info(
                "old topic %s: nobody has written for %.0f s and nothing is left in partitions %s; "
                "once that is said of each partition, and the old scheduler has been stopped for "
                "good, start this one without --legacy-topic and empty it with "
                "kafka-delete-records (docs/migration.md, step 9)",
                self.topic,
                quiet_s,
                ", ".join(map(str, sorted(lags))),
                extra=fields("legacy-quiet", topic=self.topic),
            )

    def sentence(self, lag: int) -> str:
        """Return how far it is, as one sentence."""
        counts = self.counts
        parts = [
            f"{counts.moved} moved",
            f"{counts.left} left to the new schedule",
            f"{counts.refused} refused",
        ]
        if counts.moved_before:
            parts.append(f"{counts.moved_before} moved before")
        if counts.tombstones:
            parts.append(f"{counts.tombstones} tombstones skipped")
        return f"old topic {self.topic}: {', '.join(parts)}; lag {lag}"
