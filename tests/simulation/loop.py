"""Simulated time, which jumps from event to event."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import TypeAlias

Call: TypeAlias = Callable[[], None]

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return the time so many simulated seconds after the start, in whole milliseconds."""
    return START + timedelta(0, 0, 0, round(seconds * 1000))


def seconds(at: datetime) -> float:
    """Return how many simulated seconds after the start a time is."""
    return (at - START).total_seconds()


class Loop:
    """What is to happen, in order of time, then of when it was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = 0
        self._events: list[tuple[float, int, Call]] = []

    def at(self, time: float, call: Call) -> None:
        """Have something happen at a time."""
        self._order += 1
        heappush(self._events, (time, self._order, call))

    def run(self, until: float) -> None:
        """Let time pass up to a time; what is asked for at a time that has passed is done now."""
        events = self._events
        while events and events[0][0] <= until:
            time, _, call = heappop(events)
            self.now = max(self.now, time)
            call()
