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


def offset(one: Callable[[], float], evenly: Callable[[], float]) -> float:
    """Return by how many seconds a clock is ahead of one that goes evenly, to some microseconds.

    Args:
        one: Returns seconds by the clock.
        evenly: Returns seconds by the one that goes evenly.
    """
    looks = [(evenly(), one(), evenly()) for _ in range(_LOOKS)]
    before, seen, after = min(looks, key=lambda look: look[2] - look[0])
    return seen - (before + after) / 2
