"""Worlds in which workers differ in lease and fence: a rolling change of them (rule 20)."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.health.presence import Shared
from cronstream.core.timing import Timing

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.worker import SimWorker
    from tests.simulation.world import World

#: Share of the worlds in which settings differ.
_SHARE: Final = 0.15
#: Lease and fence of a change, of which one is before and the other after.
_CHANGES: Final = (((3.0, 2.2), (7.0, 6.2)), ((3.0, 2.2), (8.0, 7.5)), ((4.0, 3.0), (8.0, 7.5)))
#: How long before its time a run is published and claimed there: longer than a lease.
LOOK_AHEAD_S: Final = 8.0
#: How often a worker falls silent that has just restarted; and for how long.
_SILENT: Final = 0.8
_SILENCES_S: Final = (4.5, 9.5)
#: How long others hear nothing of it.
_STALLED_S: Final = (7.0, 11.0)
#: There is more time for trouble in such a world: each worker is to start over.
TROUBLE_S: Final = 11.0
#: When the first worker is started with the new settings.
_FIRST_S: Final = (4.0, 6.0)
#: Beyond this every worker has the new settings, whenever it starts.
_LAST_S: Final = 9.0


class Leases:
    """Which lease and fence each process of a world has when it starts.

    Attributes:
        timings: All settings that there are; the shortest lease comes first.
        differ: Whether there are several.
        longer_is_new: Whether the longer lease is the new one.
    """

    def __init__(self, world: "World", seed: int, timing: Timing) -> None:
        self._world = world
        self._dice = dice = Random(f"{seed} leases")
        self.differ = dice.random() < _SHARE
        self.timings, self.longer_is_new = [timing], dice.random() < 0.5
        if self.differ:
            change = dice.choice(_CHANGES)
            ahead = timedelta(seconds=LOOK_AHEAD_S)
            self.timings = [
                replace(timing, look_ahead=ahead, lease_s=lease, fence_s=fence)
                for lease, fence in change
            ]
        self._changed_at: dict[str, float] = {}

    def change(self) -> None:
        """Have each worker start over, one after another, with the other settings."""
        if not self.differ:
            return
        first = self._dice.uniform(*_FIRST_S)
        if not self.longer_is_new:
            self._world.loop.at(first, partial(self._change_all_but_one, first))
            return
        for worker in self._world.workers:
            self._change_at(worker, self._dice.uniform(first, _LAST_S))

    def _change_at(self, worker: "SimWorker", at: float) -> None:
        self._changed_at[worker.name] = at
        self._world.loop.at(at, partial(self._change, worker))

    def _change_all_but_one(self, now: float) -> None:
        """Shorten the lease of all but one, who has a long fence, and falls silent by then.

        Whoever has heard of a shorter fence keeps to it, so it is the first time that matters.
        """
        workers = self._world.workers
        held = [(len(w.executor.holds), w.name) for w in workers if w.alive]
        _, last = max(held, default=(0, ""))
        for worker in workers:
            if worker.name == last:
                self._change_at(worker, _LAST_S)
                wait = self._dice.uniform(0.0, 0.6)
                self._world.loop.at(now + wait, partial(self._silence, worker))
            else:
                self._change_at(worker, now + self._dice.uniform(0.0, 0.5))

    def _change(self, worker: "SimWorker") -> None:
        silent_until = max(worker.cut_until, worker.paused_until)
        if worker.alive and self._world.loop.now < silent_until:
            self._world.loop.at(silent_until, partial(self._change, worker))
            return
        self._world.count["changes of a lease"] += 1
        if not worker.alive or worker.draining:
            return
        if self._dice.random() < 0.5:
            worker.drain(self._dice.choice((0.0, 1.0)), 0.1)
        else:
            worker.crash(0.1)
        if self.longer_is_new and self._dice.random() < _SILENT:
            # Who starts over with a longer fence may start something, before others know.
            for other in self._world.workers:
                if other is not worker and other.telling is not None:
                    stalled_s = self._dice.uniform(*_STALLED_S)
                    other.telling.stalled_until = self._world.loop.now + stalled_s
            wait = self._dice.uniform(2.5, 5.0)
            self._world.loop.at(self._world.loop.now + wait, partial(self._silence, worker))

    def _silence(self, worker: "SimWorker") -> None:
        """Have a worker fall silent that may start something for long; its executor goes on."""
        if not worker.alive or not self._world.in_trouble:
            return
        until = self._world.loop.now + self._dice.uniform(*_SILENCES_S)
        if self._dice.random() < 0.5:
            worker.cut_until = max(worker.cut_until, until)
        else:
            worker.paused_until = max(worker.paused_until, until)
        self._world.trouble.silence(worker, until)

    def timing_of(self, process: "Process") -> Timing:
        """Return the settings of a process that starts now."""
        at = self._changed_at.get(process.name)
        is_new = at is not None and self._world.loop.now >= at
        return self.timings[-1 if is_new is self.longer_is_new else 0]

    def shared(self, timing: Timing) -> Shared:
        """Return settings as a process tells them."""
        return Shared(
            partitions=self._world.topics.partitions,
            shards=1,
            look_ahead_s=self._world.look_ahead_s,
            lease_s=timing.lease_s,
            fence_s=timing.fence_s,
        )
