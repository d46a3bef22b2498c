"""Checks the values of a row, which anybody may have put on a changelog, before a fold has them.

A row that is not as a fold leaves it is none: the log is folded from its start. What is let through
here raises nothing later, neither in the fold nor in what is decided by it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Final

from cronstream.core.ledger.state import LiveRun
from cronstream.core.limits import LONGEST_S
from cronstream.core.wire.values import MAX_INT, short

#: What a value of a live run may be, but for what is an enumeration, a time, or a record.
_LIVE: Final[Mapping[str, tuple[type, ...]]] = {
    "holder": (str, NoneType),
    "claim": (int, NoneType),
    "version": (int,),
    "begun": (bool,),
    "begun_before": (bool,),
    "asked_to_give_way": (bool,),
    "paused": (bool,),
    "cancelled": (bool,),
    "cancelled_by": (str, NoneType),
    "losses": (int,),
    "unsure": (bool,),
    "alone": (bool,),
    "deaths": (int,),
    "entered": (int, NoneType),
    "settled_attempt": (int, NoneType),
    "reason": (str,),
}


def sound(live: LiveRun) -> LiveRun:
    """Return a live run whose values are of their types, and fit each other.

    Raises:
        TypeError: If one is of another type.
        ValueError: If a number is none that anybody counted, or two do not fit.
    """
    for name, kinds in _LIVE.items():
        value = of_kind(getattr(live, name), *kinds)
        if type(value) is int:
            number(value, -MAX_INT)  # What has moved has versions below zero, in their order.
    if live.held and (live.holder is None or live.claim is None):
        raise ValueError(f"{live.state} by nobody")
    if not live.held and live.holder is not None:
        raise ValueError(f"{live.state}, and held")
    return live


def of_kind(value: Any, *kinds: type) -> Any:
    """Return a value of one of some types.

    Raises:
        TypeError: If it is of another.
    """
    if type(value) not in kinds:
        raise TypeError(f"{short(value)} where {kinds[0].__name__} belongs")
    return value


def number(value: Any, least: int = 0) -> int:
    """Return a whole number that can have been counted.

    Raises:
        TypeError: If it is none.
        ValueError: If it is below `least`, or too large.
    """
    if not least <= of_kind(value, int) <= MAX_INT:
        raise ValueError(f"{value} is out of range")
    return int(value)


def seconds(value: Any) -> float:
    """Return a length of time.

    Raises:
        TypeError: If it is none.
        ValueError: If it is below 0, or longer than any.
    """
    if not 0 <= of_kind(value, float, int) <= LONGEST_S:
        raise ValueError(f"{value} is out of range")
    return float(value)


def moment(value: Any) -> datetime:
    """Return a time that stands in a row.

    Raises:
        TypeError: If it is none.
        ValueError: If it has no zone, or is no time.
        OverflowError: If it is before all time in UTC.
    """
    found = datetime.fromisoformat(value)
    if found.tzinfo is UTC:
        return found
    if found.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return found.astimezone(UTC)
