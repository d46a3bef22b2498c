"""The one place that asks what time it is."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the time by this machine's clock (aware, UTC)."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds on a clock that never steps; the same for all processes of a machine."""
    return time.monotonic()
