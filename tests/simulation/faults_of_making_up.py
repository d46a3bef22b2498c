"""What if a catch-up were a herd, forgot its place, or ran too much or too little? Faults."""

from datetime import datetime
from itertools import count
from typing import Any

from cronstream.core.planning import backfill
from cronstream.core.planning.backfill import Wanted
from cronstream.core.planning.draft import Draft
from cronstream.core.planning.pace import Course, Pace
from cronstream.core.planning.timeline import Revision, Timeline
from tests.simulation.planting import fault

_NUMBERS = count()


@fault("23: a catch-up is a herd", Pace, "start")
def _at_once(pace: Pace, _job: str, **_: Any) -> datetime:
    return pace._now


@fault("23: a catch-up forgets its place", Pace, "course")
def _forgotten(_pace: Pace, _since: datetime | None) -> Course | None:
    return None


@fault("23: once runs each", Draft, "_gives_way")
def _none_gives_way(_draft: Draft, _timeline: Timeline, _revision: Revision, _: datetime) -> bool:
    return False


@fault("23: once forgets what was missed before", Draft, "_first_late")
def _nothing_before(_draft: Draft, _timeline: Timeline) -> datetime | None:
    return None


@fault("23: once runs none", Draft, "_is_followed")
def _followed_always(_draft: Draft, _timeline: Timeline, _due: datetime) -> bool:
    return True


@fault("23: a backfill is doubled", backfill, "number_of")
def _another_each_time(_wanted: Wanted) -> int:
    return next(_NUMBERS)
