"""Jobs of which several runs may be under way at a time (rule 17, `max_running`)."""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.ledger.state import at_once
from tests.simulation.checks_of_starts import may_outlive
from tests.simulation.executor import Start

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Share of the worlds in which some jobs say so.
_SHARE: Final = 0.3


def let_several_run(world: "World") -> None:
    """Let several runs of some jobs be under way; not where processes are of an old level."""
    dice = Random(f"{world.seed} several")
    if dice.random() >= _SHARE or any(process.upgraded_at for process in world.processes):
        return
    for name, job in world.file.items():
        world.file[name] = job.derive(max_running=dice.choice((1, 2, 3)))


def too_many(world: "World", starts: Sequence[Start], i: int) -> list[Start]:
    """Return what ran as one of a job's commands was started, if that is more than may be.

    Args:
        world: Whose commands.
        starts: The job's, in their order.
        i: Which one of them.
    """
    after = starts[i]
    running = {
        before.run.id: before
        for before in starts[:i]
        if before.run.id != after.run.id and (before.end is None or before.end > after.at + 0.001)
    }
    most = at_once(after.run)
    if after.run.attempt > 1 or any(start.run.id == after.run.id for start in starts[:i]):
        # It had begun before some of these, if only on the log; they were let by their own number.
        most = max(most, *(at_once(start.run) for start in (after, *running.values())))
    if len(running) < most:
        world.count["several at once"] += bool(running)
        return []
    world.count["two runs at once"] += 1
    left = [before for before in running.values() if not may_outlive(world, before, after.at)]
    return left if len(left) >= most else []
