"""What if settings that differ, and clocks that step, were taken lightly? Planted faults."""

from dataclasses import replace
from datetime import datetime, timedelta

from cronstream.core.health import clocks
from cronstream.core.health.agreement import Held
from cronstream.core.health.clocks import Comparison
from cronstream.core.health.presence import Presence
from cronstream.core.health.roll import Seen
from tests.simulation.minding import Minding
from tests.simulation.planting import fault
from tests.simulation.scheduler import SimScheduler
from tests.simulation.telling import LastLogged


@fault("20: an owner judges by its own lease", Minding, "held")
def _judges_by_its_own(worker: Minding, others: list[Presence]) -> Held:
    return replace(_held(worker, others), lease_s=worker.timing.lease_s)


@fault("20: a holder starts by its own fence", Minding, "held")
def _starts_by_its_own(worker: Minding, others: list[Presence]) -> Held:
    return replace(_held(worker, others), fence_s=worker.timing.fence_s)


_held = Minding.held


@fault("20: a process joins before it has read up to its own word", LastLogged, "has_caught_up")
def _joins_at_once(_telling: LastLogged) -> bool:
    return True


@fault("20: whoever is gone is forgotten at once", Seen, "counts")
def _forgotten(seen: Seen, now: datetime) -> bool:
    return seen.is_there(now)


@fault("18: a cursor follows any clock", Comparison, "is_trusted")
def _trusted(_compared: Comparison, _offset: timedelta, _allowed: timedelta) -> bool:
    return True


@fault("18: a cursor is never set back", SimScheduler, "_may_set_back")
def _stays_ahead(_scheduler: SimScheduler) -> bool:
    return False


@fault("18: a cursor is set back that is not ahead", SimScheduler, "_is_far_ahead")
def _whenever_it_is_ahead_at_all(scheduler: SimScheduler) -> bool:
    return scheduler._cursor.at > scheduler.wall() and not scheduler.dice.randrange(20)


@fault("18: a clock that has just stepped back sets a cursor back", Comparison, "is_late")
def _not_late_yet(compared: Comparison, _offset: timedelta, allowed: timedelta) -> bool:
    return compared.behind > allowed


@fault("18: an edit is taken by a cursor that is far ahead", SimScheduler, "_is_far_ahead")
def _taken_all_the_same(scheduler: SimScheduler) -> bool:
    return scheduler._cursor.is_ahead(scheduler.wall()) and scheduler._may_set_back()


@fault("18: a worker whose clock is off goes on", clocks, "fault")
def _no_fault(_clock_s: float | None, _right: float) -> str:
    return ""


@fault("18: an executor starts by its machine's clock, whatever that does", Minding, "dial")
def _by_the_machine(worker: Minding) -> datetime:
    return worker.wall()


@fault("18: an executor starts by a clock as it was measured last", Minding, "skew_for_dial")
def _as_it_was_measured(worker: Minding) -> float:
    measured = None if worker.telling is None else worker.telling.measured
    return worker.skew if measured is None else measured[1]
