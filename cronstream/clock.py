"""The one place that asks what time it is."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: How often two clocks are compared: between two looks a process may have to wait for a core.
_LOOKS = 5


def now() -> datetime:
    """Return the time by this machine's clock (aware, UTC)."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds on a clock that never steps; the same for all processes of a machine."""
    return time.monotonic()


def wall() -> float:
    """Return seconds since the epoch by this machine's clock."""
    return now().timestamp()


class Steps:
    """When in a second the loops of this process look: all at once, so that it wakes once for them.

    What runs in a process that has just slept is no longer in the processor's caches: what comes
    with something else takes a fraction of the time.

    Attributes:
        phase_s: How long after a whole second, since runs are due then.
    """

    phase_s = 0.25


def until_step(period_s: float) -> float:
    """Return how many seconds it is to the next step of a period: at least half of it."""
    left_s = period_s - (wall() - Steps.phase_s) % period_s
    return left_s if left_s >= period_s / 2 else left_s + period_s


def offset(one: Callable[[], float], evenly: Callable[[], float]) -> float:
    """Return by how many seconds a clock is ahead of one that goes evenly, to some microseconds.

    Args:
        one: Returns seconds by the clock.
        evenly: Returns seconds by the one that goes evenly.
    """
    looks = [(evenly(), one(), evenly()) for _ in range(_LOOKS)]
    before, seen, after = min(looks, key=lambda look: look[2] - look[0])
    return seen - (before + after) / 2
