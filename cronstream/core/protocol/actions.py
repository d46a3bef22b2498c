"""What a worker's member asks the world to do: values, carried out by ``cronstream.worker``."""

from dataclasses import dataclass
from typing import TypeAlias

from cronstream.core.wire.entries import Cancelled, Entry, Settled
from cronstream.core.wire.runs import Discarded, Run


@dataclass(frozen=True, slots=True)
class Append:
    """Put an entry on a partition of the worker's own log."""

    partition: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish what was decided; then, if `forwarded`, append `Forwarded` to the own log.

    Attributes:
        messages: Topic and record of each message; each goes to the partition of its job, which
            for a run is its own.
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
    """End a running command, which is then interrupted."""

    key: str
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
