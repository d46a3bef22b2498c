"""A second life of a world: its logs have lost their beginning, and all workers start from there.

Retention or DeleteRecords takes what is settled, and the snapshots are gone as well (the recovery
that docs/health.md recommends). What jobs are in force was said before the beginning.
"""

from functools import partial
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.records import Run, Skip
from tests.simulation.log import Log

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Jobs are due at each whole minute in such a world, once its first trouble is over.
EVERY_S: Final = 60
#: Share of the worlds that live on.
_SHARE: Final = 0.15
#: How long workers are down, and how long after the due time nothing more is due.
_DOWN_S: Final = 1.0
_AFTER_S: Final = 2.0


def forgets(seed: int) -> bool:
    """Whether the logs of a world lose their beginning; all else in it is drawn without this."""
    return Random(f"{seed} forgets").random() < _SHARE


def lose_beginnings(world: "World") -> float:
    """Delete all that is settled; return until when there is trouble again.

    The world is at rest: nothing is live, and nothing is on its way.
    """
    world.count["logs that lost their beginning"] += 1
    for retry in (False, True):
        for log in world.logs_of(retry=retry):
            log.start = world.dice.choice((_settled(log), len(log.messages), len(log.messages)))
    world.in_trouble = True
    _forget_rows(world)
    world.loop.at(world.loop.now + 0.9 * _DOWN_S, partial(_forget_rows, world))
    for worker in world.workers:
        worker.crash(_DOWN_S)
    due = EVERY_S * ceil((world.loop.now + 2 * _DOWN_S) / EVERY_S)
    for _ in range(world.dice.randint(0, 4)):
        act = world.dice.choice(world.trouble.of_second_life())
        world.loop.at(world.dice.uniform(max(world.loop.now, due - 5.5), due + 1), act)
    world.loop.at(due + _AFTER_S, world.trouble.end)
    return due + _AFTER_S


def _settled(log: Log) -> int:
    """Return the offset behind the last run: a fold from there knows of none that is over."""
    for offset in range(len(log.messages) - 1, -1, -1):
        if any(isinstance(entry, Run | Skip) for entry in log.messages[offset][1]):
            return offset + 1
    return 0


def _forget_rows(world: "World") -> None:
    for rows in world.rows.values():
        rows.clear()
