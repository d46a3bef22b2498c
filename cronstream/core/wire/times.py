"""Times as messages, run ids and people have them."""

from datetime import datetime


def format_time(moment: datetime) -> str:
    """Return an aware UTC time as ``2026-01-01T12:00:00Z``, with a fraction only if it has one."""
    return moment.isoformat().replace("+00:00", "Z")


def format_clock(moment: datetime) -> str:
    """Return the time of day of an aware UTC time, to the second: ``12:00:00Z``."""
    return f"{moment.time().isoformat('seconds')}Z"
