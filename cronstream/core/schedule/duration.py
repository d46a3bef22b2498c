"""Lengths of time as people write them in the crontab: ``10s``, ``5m``, ``1h30m``, ``1d``."""

import re
from datetime import UTC, datetime, timedelta

from cronstream.core.limits import LONGEST_S

_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
#: Weeks are read, but never written: as days people know them for what they are.
_READ_UNITS = {"w": 604_800, **_UNITS}
_DURATION = re.compile(
    r"(?:(?P<w>\d{1,9})w)?(?:(?P<d>\d{1,9})d)?(?:(?P<h>\d{1,9})h)?(?:(?P<m>\d{1,9})m)?"
    r"(?:(?P<s>\d{1,9}(?:\.\d{1,6})?)s)?",
    re.ASCII,
)


def parse_duration(text: str) -> float:
    """Return the seconds that `text` says: weeks, days, hours, minutes, seconds, in that order.

    Raises:
        ValueError: If it is anything else, or longer than 366 days; the sentence has a remedy.
    """
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("is not a length of time; write it like 10s, 5m, 1h30m or 1d")
    seconds = sum(float(match[unit] or 0) * factor for unit, factor in _READ_UNITS.items())
    if seconds > LONGEST_S:
        raise ValueError("is longer than 366 days; shorten it")
    return seconds


def moment_of(text: str, now: datetime, *, way: int = 1) -> datetime:
    """Return the time that is a length of time after another, or before it, or an ISO time (UTC).

    Args:
        text: ``90s``, ``1h30m``, ``2d``; or an ISO time, which is in UTC if it names no zone.
        now: From which a length counts (UTC).
        way: -1 for before it.

    Raises:
        ValueError, OverflowError: If it is neither.
    """
    if text[:1].isdigit() and text[-1:] in _READ_UNITS:
        return now + way * timedelta(seconds=parse_duration(text))
    return iso_moment(text)


def iso_moment(text: str) -> datetime:
    """Return an ISO time, which is in UTC if it names no zone, in UTC.

    Raises:
        ValueError, OverflowError: If it is none.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def format_duration(seconds: float) -> str:
    """Return seconds in the form that `parse_duration` reads, such as ``1h30m``."""
    whole, rest = int(seconds), round(seconds - int(seconds), 6)
    parts = []
    for unit, factor in _UNITS.items():
        count, whole = divmod(whole, factor)
        if unit == "s" and rest:
            parts.append(f"{count + rest:g}s")
        elif count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
