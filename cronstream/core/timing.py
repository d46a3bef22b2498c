"""The spans of time that the protocol lives by, and that settings agree on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cronstream.core.wire.runs import Run

#: Kafka gives the partitions of a worker to others no sooner than it has been silent for so long.
SESSION_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Timing:
    """The spans of time that the protocol lives by.

    Attributes:
        look_ahead: How long before its time an attempt may be claimed.
        lease_s: Silence after which a worker is lost.
        fence_s: How long a heartbeat that was read back lets attempts start; less than the lease.
        beat_s: Between two heartbeats.
        max_claims: Attempts that one worker claims ahead, at most.
        least_lease_s: The shortest lease that anybody judges by, while they differ
            (`core.health.presence`); None if nobody's is shorter.
        slots: Commands that one worker runs at a time, at most.
    """

    look_ahead: timedelta = timedelta(seconds=30)
    lease_s: float = 6.0
    fence_s: float = 4.5
    beat_s: float = 1.0
    max_claims: int = 5000
    least_lease_s: float | None = None
    slots: int = 64

    @property
    def longest_fenced_grace_s(self) -> float:
        """The longest grace with `fence`: two heartbeats may go wrong, and KILL is in time."""
        return self._fenced_lease_s - 3 * self.beat_s

    @property
    def _fenced_lease_s(self) -> float:
        return self.lease_s if self.least_lease_s is None else self.least_lease_s

    def fence_of(self, run: Run) -> float:
        """Return how long before starts are over, in its partition, a fenced command is ended.

        From a heartbeat to TERM it is then the lease less the grace and one heartbeat, or the
        fence, if that is less (rule 8).
        """
        grace_s = min(run.grace_s, max(0.0, self.longest_fenced_grace_s))
        return max(0.0, self.fence_s - (self._fenced_lease_s - grace_s - self.beat_s))
