"""What a worker's member asks the world to do: values, carried out by ``cronstream.worker``."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from cronstream.core.records import Cancelled, Discarded, Entry, Outcome, Run, Settled


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
            (`core.presence`); None if nobody's is shorter.
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


@dataclass(frozen=True, slots=True)
class Append:
    """Put an entry on a partition of the worker's own log."""

    partition: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish what was decided; then, if `forwarded`, append `Forwarded` to the own log.

    Attributes:
        messages: Topic and record of each message; each goes to the partition of its job.
    """

    partition: int
    run: str
    version: int
    job: str
    messages: tuple[tuple[str, Run | Discarded | Settled | Cancelled], ...]
    forwarded: bool


@dataclass(frozen=True, slots=True)
class Hand:
    """Hand an attempt to the executor, with the time to start it; it takes each key once."""

    key: str
    partition: int
    run: Run
    #: False: once it is due and has a slot the executor says so; it waits for `Go`, which follows
    #: its own `Started`.
    go: bool
    #: It is ended so many seconds before the partition's `Lease` is over; None for never.
    ends_before_s: float | None = None
    #: Whether it has an executor for itself: one has died with it.
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """What was handed over may start now."""

    key: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Drop an attempt if it has never started; the executor says whether it did."""

    key: str


@dataclass(frozen=True, slots=True)
class End:
    """End a running command."""

    key: str
    outcome: Outcome
    note: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Until then (monotonic seconds) attempts of the partition may start."""

    partition: int
    until: float


Action: TypeAlias = Append | Publish | Hand | Go | Cancel | End | Lease


def key_of(run: str, claim: int) -> str:
    """Return the name that an attempt has between a worker and its executor."""
    return f"{run}#{claim}"


def run_and_claim(key: str) -> tuple[str, int]:
    """Return the run's id and the claim that a key names."""
    run, _, claim = key.rpartition("#")
    return run, int(claim)
