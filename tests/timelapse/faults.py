"""Planted faults that only months can show."""

from datetime import datetime
from typing import Any

from cronstream.core.ledger import arrivals, book, endings
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.mark import Mark
from cronstream.core.planning.recent import Recent
from cronstream.core.wire import pieces
from cronstream.scheduler.clock_check import ClockCheck
from cronstream.scheduler.holding import Held
from cronstream.topology import last_rows
from tests.simulation.faults_of_fold import _ended_at_the_latest, _stale_by_the_latest
from tests.simulation.planting import Faults
from tests.timelapse.scheduler import LapseScheduler
from tests.timelapse.worker import LapseWorker

FAULTS = Faults()
fault = FAULTS.fault


@fault("12: a revision is not learnt where retention has taken its word", Mark, "may_learn")
def _nothing_is_learnt(_mark: Mark, _revision: int, _due: Any, **_: bool) -> bool:
    return False


@fault("11: what is settled is never forgotten", Book, "forget")
def _nothing_is_forgotten(_book: Book) -> None:
    return None


@fault("12: revisions are never forgotten", Mark, "raise_to")
def _revisions_stay(mark: Mark, due: datetime, at: datetime | None = None) -> None:
    before = mark.revisions
    mark.revisions = list(before)
    _raise_to(mark, due, at)
    mark.revisions = before


@fault("12: revisions are never forgotten", Mark, "begin_day")
def _no_day_begins(_mark: Mark) -> None:
    return None


_raise_to = Mark.raise_to

FAULTS["18: a cursor follows any clock"] = [(ClockCheck, "is_trusted", True)]
FAULTS["18: a clock that was ahead makes what comes later stale"] = [
    (arrivals, "_is_stale", _stale_by_the_latest)
]
FAULTS["18: a clock that was ahead puts off retries"] = [
    (endings, "_ended_at", _ended_at_the_latest)
]
FAULTS["18: a leap of the log's time has all retries forgotten"] = [(book, "KEEP_LEAST", 0)]
FAULTS["tables: pieces have one set of keys"] = [(pieces, "SETS", 1)]


@fault("2: what was set aside is let go of", Held, "has_reached")
def _has_reached(_held: Held, _lag: Any) -> bool:
    return True


@fault("tables: a take-over reads the whole changelog", last_rows, "_next")
def _from_the_beginning(spans: Any, searches: Any, below: Any, _reach: int) -> Any:
    return _next(spans, searches, below, 1 << 40)


_next = last_rows._next


@fault("levels: a log without its beginning is taken for an old one", LapseWorker, "assumed")
def _level_1(_worker: LapseWorker) -> int:
    return 1


@fault("levels: a log without its beginning is taken for an old one", LapseScheduler, "_announce")
def _said_once(scheduler: LapseScheduler, held: Any) -> bool:
    """Only the first to know it says it, and never again."""
    world = scheduler.world
    if world.count["said the level"]:
        world.level = max(world.level, scheduler.knows)
        return False
    world.count["said the level"] += scheduler.knows > 1
    return _announce(scheduler, held)


_announce = LapseScheduler._announce


@fault("14: what was read standing by is always enough", Recent, "serves")
def _serves(_recent: Recent, _cursor: Any) -> bool:
    return True
