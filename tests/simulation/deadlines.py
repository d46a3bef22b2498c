"""Runs that have to start within a time (rule 22): what still waits then is skipped, and no other.

In some worlds jobs say how long a run may wait. A command that starts later is seen, as is a run
that was skipped although its time was not over, or although a command of it had been started.
"""

from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.ledger.deadline import start_by
from cronstream.core.wire.entries import Skipped
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Run
from tests.simulation.executor import Start
from tests.simulation.loop import seconds

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Share of the worlds in which jobs say so.
_SHARE: Final = 0.3
#: A worker gives back what waits for a slot at its next turn, and its executor hears of it then.
_HEARD_S: Final = 0.5
#: By so much the clocks of a worker and of the log differ, where none is wrong.
_CLOCKS_S: Final = 0.25


def hurry(world: "World") -> None:
    """Have the jobs of some worlds start within a time; not where processes are of an old level."""
    dice = Random(f"{world.seed} hurry")
    if dice.random() >= _SHARE or any(process.upgraded_at for process in world.processes):
        return
    for name, job in world.file.items():
        world.file[name] = job.derive(start_within_s=dice.choice((None, 1.0, 2.0, 5.0)))


def faults_of_deadlines(world: "World", skipped: set[str]) -> Iterator[str]:
    """Yield what started later than it may, and what was skipped as late and should not be.

    Args:
        world: Whose commands.
        skipped: Ids of the runs that were skipped as late.
    """
    late = {run: early_s for run, early_s in _said_to_be_late(world) if run in skipped}
    world.count["skipped as late"] += len(late)
    begun: set[str] = set()
    for start in world.starts:
        run = start.run.id
        if run in late:
            yield f"started, and yet skipped as late: {run}"
        until = start_by(start.run)
        if until is not None and run not in begun:
            by = start.at - seconds(until)
            if by > _may_be_late_s(world, start):
                yield f"started {by:.3f} s after its time was over: {run}"
        begun.add(run)
    ahead_s = max((by for *_, by in world.stepped), default=0.0)
    if not (world.steps or world.wrong):
        for run, early_s in late.items():
            if early_s > _CLOCKS_S + world.skew + ahead_s:
                yield f"skipped as late {early_s:.3f} s before its time was over: {run}"


def _may_be_late_s(world: "World", start: Start) -> float:
    """Return how late a start may be: as long as a worker's silence lets its executor go on."""
    silent = any(
        worker == start.worker and begin <= start.at <= end + world.timing.lease_s
        for worker, begin, end in world.silences
    )
    if silent or world.steps or world.wrong or world.stepped:
        return max(timing.fence_s for timing in world.timings) + _HEARD_S + 2.0
    return _HEARD_S + world.skew


def _said_to_be_late(world: "World") -> Iterator[tuple[str, float]]:
    """Yield each run that an owner skips as late, and how early that is.

    By the message that counted: of those that came before the version that was judged the one that
    gives least time, for a scheduler that makes up for an outage may publish a run again with more.
    """
    for log in world.logs_of(retry=False):
        due: defaultdict[str, list[tuple[int, Run]]] = defaultdict(list)
        for offset, (at, (_, entries)) in enumerate(zip(log.true_times, log.messages, strict=True)):
            for entry in entries:
                if isinstance(entry, Run):
                    due[entry.id].append((offset, entry))
                if isinstance(entry, Skipped) and entry.reason is SkipReason.LATE:
                    came = (run for offset, run in due[entry.run] if offset <= entry.version)
                    until = min(by for run in came if (by := start_by(run)) is not None)
                    yield entry.run, seconds(until) - at
