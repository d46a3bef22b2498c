"""How pages write moments, lengths of time and states."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from cronstream.console.ansi import colored
from cronstream.core.wire.times import format_time
from cronstream.history.words import command_text, format_duration, signal_text

_DAY_S: Final = 86_400
_HIGHEST: Final = 18
_HIGH: Final = {"discarded": _HIGHEST, "skipped": 6}
#: Stands where there is nothing to say.
NOTHING: Final = "\N{EN DASH}"


def moment(at: datetime | None) -> str:
    """Return a moment to the second (UTC); a dash for none."""
    return NOTHING if at is None else format_time(at.replace(microsecond=0))


def since(at: datetime | None, now: datetime) -> str:
    """Return how long ago a moment is, or how far ahead, in words."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{_rough(seconds)} ago" if seconds > 0 else f"in {_rough(-seconds)}"


def _rough(seconds: float) -> str:
    for unit_s, name in ((_DAY_S, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.0f} s"


def took(seconds: float | None) -> str:
    """Return a length of time; a dash for none."""
    return format_duration(seconds) or NOTHING


def place(text: str) -> str:
    """Return a name as a part of an address."""
    return quote(text, safe="@:!")


def written(value: Any) -> str:
    """Return a setting's value as a crontab has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return ", ".join(f"{name}: {written(part)}" for name, part in value.items())
        case list():
            return ", ".join(map(written, value))
        case _:
            return str(value)


def bars(runs: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the last runs of a job as bars: one shape (SVG's ``d``) for each state among them.

    A page of jobs has 1,500 of them: as elements of their own they were most of what it took.
    """
    found: dict[str, list[str]] = {}
    for number, run in enumerate(runs):
        high = _HIGH.get(run["state"], 13)
        bar = f"M{number * 7} {_HIGHEST - high}h5v{high}h-5z"
        found.setdefault(run["state"], []).append(bar)
    return [(state, "".join(shapes)) for state, shapes in found.items()]


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "moment": moment,
    "since": since,
    "took": took,
    "place": place,
    "colored": colored,
    "signal": signal_text,
    "command": command_text,
    "written": written,
    "bars": bars,
}
