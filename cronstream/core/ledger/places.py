"""Places of runs that wait for a claim: a heap, so that the one whose time is first is found."""

import heapq
from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from cronstream.core.ledger.state import LiveRun, State

#: When a run may start, its version, and its id.
Place: TypeAlias = tuple[datetime, int, str]
#: So many places of runs that wait no more may be left among those that do.
_LEFT_THERE: Final = 1_000


def add_place(places: list[Place], place: Place, live: Mapping[str, LiveRun]) -> None:
    """Add a place, and let go of those where nothing waits any more, if they are many.

    Who owns the partition takes them away as it claims; who only reads it never does.
    """
    heapq.heappush(places, place)
    if len(places) > 2 * len(live) + _LEFT_THERE:
        places[:] = [one for one in places if waits_at(one, live)]
        heapq.heapify(places)


def waits_at(place: Place, live: Mapping[str, LiveRun]) -> LiveRun | None:
    """Return the run that waits at a place; None if it does no more."""
    _, version, run_id = place
    found = live.get(run_id)
    is_there = found is not None and found.version == version and found.state is State.QUEUED
    return found if is_there else None
