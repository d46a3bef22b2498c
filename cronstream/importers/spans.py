"""Lengths of time as systemd has them (systemd.time(7)): ``1h 30min``, ``90``, ``2 weeks``."""

import re
from typing import Final

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Zµ]*)\s*", re.ASCII | re.IGNORECASE)
_UNITS: Final[dict[str, float]] = {
    name: seconds
    for names, seconds in (
        ("us usec µs", 1e-6),
        ("ms msec", 1e-3),
        (" s sec second seconds", 1.0),
        ("m min minute minutes", 60.0),
        ("h hr hour hours", 3600.0),
        ("d day days", 86_400.0),
        ("w week weeks", 604_800.0),
        ("M month months", 2_629_800.0),
        ("y year years", 31_557_600.0),
    )
    for name in names.split(" ")
}


def parse_span(text: str) -> float | None:
    """Return a length in seconds; None if it is none, or has no end (``infinity``)."""
    total, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        unit = None if part is None else part[2]
        if part is None or unit is None:
            return None
        factor = _UNITS.get(unit, _UNITS.get(unit.lower()))
        if factor is None:
            return None
        total += float(part[1]) * factor
        at = part.end()
    return total if text else None
