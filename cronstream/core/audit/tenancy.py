"""Which due times were an installation's own, if it has moved in or out."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from cronstream.core.audit.finding import Window
from cronstream.core.planning.pauses import TICK
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House

_ELSEWHERE: Final = "were left to the Kafka that it"


def own(window: Window, words: Iterable[House]) -> tuple[Window, list[str]]:
    """Return what is to be audited of a window, and why not all of it.

    Args:
        window: What was asked for.
        words: All that ``jobs`` says of moving, in its order.
    """
    last, since = None, None
    for last in words:
        if last.state is HouseState.OPEN:
            since = last.at or since
    reasons = []
    if since is not None and since >= window.since:
        window = replace(window, since=since + TICK)
        reasons.append(f"due times up to {since:%F %T}Z {_ELSEWHERE} has moved from")
    if last is not None and last.state is HouseState.CLOSED:
        window = replace(window, has_moved=True)
        if last.at is not None and last.at < window.until:
            window = replace(window, until=last.at)
            reasons.append(f"due times after {last.at:%F %T}Z {_ELSEWHERE} has moved to")
    return window, reasons
