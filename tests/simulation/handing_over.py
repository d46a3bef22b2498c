"""A scheduler's end of the topic of what follows runs of other clusters (rule 24).

Modelled is what ``cronstream.scheduler.handing_over`` does, and the offset that its group keeps:
it is written a while after what was read is on its log, so it may be lost with its scheduler.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cronstream.core.wire.runs import Run
from tests.builders import NAMES
from tests.simulation.log import Log

if TYPE_CHECKING:
    from tests.simulation.scheduler import SimScheduler

_POLL_S: Final = 0.2
_COMMIT_S: Final = 0.3


class HandingOver:
    """What one scheduler does about the topic while it has the shard.

    Args:
        scheduler: Which one.
        is_mine: Whether it still has it.
    """

    def __init__(self, scheduler: "SimScheduler", is_mine: Callable[[], bool]) -> None:
        self._scheduler, self._is_mine = scheduler, is_mine
        self._world = scheduler.world
        self._place: dict[int, int] = {}
        for log in self._world.topics.of(NAMES.chains):
            self._read(log, self._world.handed_over.get(log.partition, 0))
            self._commit(log)

    def _read(self, log: Log, place: int) -> None:
        """Read what comes next, or look again in a moment."""
        scheduler = self._scheduler
        if not self._is_mine():
            return
        self._place[log.partition] = place
        if place == len(log.messages):
            again = partial(self._read, log, place)
            scheduler.later(_POLL_S, partial(scheduler.when_reached, again))
            return
        _, runs = log.messages[place]
        scheduler.step("read", runs[0])
        self._put(log, place, list(runs))

    def _put(self, log: Log, place: int, runs: list[Run]) -> None:
        if not runs:
            self._read(log, place + 1)
            return
        run, *more = runs
        topics = self._world.topics
        target = topics.log(NAMES.log(run.cluster), topics.partition_of(run.job))
        self._world.count["handed over"] += 1
        self._scheduler.put(target, run, partial(self._is_through, (log, place), run, more))

    def _is_through(
        self, source: tuple[Log, int], run: Run, more: list[Run], _: int, at: datetime
    ) -> None:
        if run.judged_at is not None and at - run.judged_at > self._world.stale:
            name = "as_of" if run.signature is None else "retry_as_of"
            self._put(*source, [run.derive(**{name: at}), *more])
        else:
            self._put(*source, more)

    def handed_over(self, log: Log) -> int:
        """Return up to where it has come: what was read last may not be on its log yet."""
        return self._place[log.partition]

    def _commit(self, log: Log) -> None:
        """Keep how far it is, now and then."""
        if self._is_mine():
            self._world.handed_over[log.partition] = self.handed_over(log)
            self._scheduler.later(_COMMIT_S, partial(self._commit, log))


def pending(world: Any) -> int:
    """Return how many messages nobody has handed over, as far as the group's offsets say."""
    logs = world.topics.of(NAMES.chains)
    return sum(len(log.messages) - world.handed_over.get(log.partition, 0) for log in logs)
