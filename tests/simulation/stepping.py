"""Clocks of processes that step, and come right again, in some worlds (rule 18)."""

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from tests.simulation.worker import SimWorker

if TYPE_CHECKING:
    from tests.simulation.log import Log
    from tests.simulation.process import Process
    from tests.simulation.world import World

#: Share of the worlds in which they do.
_SHARE: Final = 0.15
#: By how much: a second or less is borne; hours ahead, minutes back.
_STEPS_S: Final = (0.6, -0.6, 2.0, -2.0, 8.0, -8.0, 60.0, 3600.0, -120.0, -120.0, -600.0)
#: By how much a machine that a broker is on, too. Where that is back by minutes, nobody can know
#: that a cursor was not ahead; and where it leads logs, a person has to repair what it made known.
_SHARED_STEPS_S: Final = (4.0, 40.0, 40.0, -4.0)
#: A clock that is off by less is not found to be.
BORNE_S: Final = 1.0
#: A step is seen within so long.
_SEEN_S: Final = 0.5


class Stepping:
    """What happens to the clocks of one world."""

    def __init__(self, world: "World", seed: int) -> None:
        self._world, self._loop = world, world.loop
        self._dice = Random(f"{seed} steps")
        self.happens = self._dice.random() < _SHARE

    def begin(self, until: float) -> None:
        """Draw which clocks step, and when; all of them are right in the end."""
        dice, world = self._dice, self._world
        kinds = ["worker", "worker", "worker", "scheduler", "scheduler", "shared"]
        for _ in range(dice.randint(2, 5)):
            at = dice.uniform(0.3, until - 0.3)
            end = min(at + dice.uniform(0.3, 5.0), until)
            kind = dice.choice(kinds)
            if kind == "shared":
                kinds.remove(kind)
                self._loop.at(at, partial(self._step_shared, dice.choice(_SHARED_STEPS_S), end))
                continue
            several = world.workers if kind == "worker" else world.schedulers
            by = dice.choice(_STEPS_S)
            for process in dice.sample(several, dice.choice((1, 1, 1, 2))):
                self._loop.at(at, partial(self._step, process, by, end))

    def _step(self, process: "Process", by: float, end: float) -> None:
        world = self._world
        if process in world.schedulers and not any(cursor.taken for cursor in world.cursors):
            return  # What jobs ask for that were put in by a clock of long ago has no verdict.
        world.count["clocks of processes that stepped"] += 1
        borne = max(0.0, by) if abs(by) <= BORNE_S else 0.0
        world.stepped.append((process.name, self._loop.now, float("inf"), borne))
        self._set(process, by)
        self._loop.at(end, partial(self._set, process, 0.0))

    def _set(self, process: "Process", by: float) -> None:
        process.skew += by - process.stepped_s
        process.stepped_s = by
        if not process.alive:
            return
        if isinstance(process, SimWorker):
            process.later(0.0, process._soon)
            for executor in process.executors:
                executor.clock_stepped()
        if process.telling is not None:
            process.later(self._dice.uniform(0, _SEEN_S), process.telling.compare)

    def _step_shared(self, by: float, end: float) -> None:
        """Step the clock of a machine that has schedulers, and the broker by which they measure."""
        world = self._world
        world.count["clocks of a machine with a broker that stepped"] += 1
        world.wrong.append((self._loop.now, end))
        schedulers = self._dice.sample(world.schedulers, self._dice.choice((1, 1, 2)))
        topics = [world.ticks, world.workers_topic]
        for scheduler in schedulers:
            self._set(scheduler, by)
            self._loop.at(end, partial(self._set, scheduler, 0.0))
        self._lead(topics, by)
        self._loop.at(end, partial(self._lead, topics, 0.0))
        for at in (self._dice.uniform(self._loop.now, end), end + self._dice.random()):
            self._loop.at(at, world.trouble.edit)

    def _lead(self, topics: "list[Log]", by: float) -> None:
        for log in topics:
            log.ahead_s = by
