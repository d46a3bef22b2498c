"""Workers that lend and borrow what waits for a slot (rule 26).

In some worlds each worker hears now and then what the others have announced, some of it late, and
has few slots. Real are `Lender` and the ledgers that it reads; modelled is what
``cronstream.worker.borrowing`` does around them. Once the trouble is over, a run that waits for
long beside a free slot is seen.
"""

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.protocol.lending import Others, may_be_lent, waiting
from cronstream.core.wire.enumerations import Delivery, Overlap
from cronstream.core.wire.runs import Job

if TYPE_CHECKING:
    from tests.simulation.worker import SimWorker
    from tests.simulation.world import World

#: Share of the worlds in which they do.
_SHARE: Final = 0.3
#: Share of the jobs whose runs may be lent there, whatever their settings would be.
_LENT: Final = 0.6
#: Between two announcements of a worker, and two looks at those of others.
_EVERY_S: Final = 0.25
#: Who has announced nothing for so long is gone.
_GONE_S: Final = 1.5
#: So long a run may wait beside a free slot, with messages that take long.
_BORNE_S: Final = 6.0


class Lending:
    """What the workers of a world announce to each other.

    Attributes:
        happens: Whether they do.
        waited: Runs that have waited for too long beside a free slot.
    """

    def __init__(self, seed: int) -> None:
        self.dice = Random(f"{seed} lends")
        self.happens = self.dice.random() < _SHARE
        self.slots = self.dice.choice((1, 1, 2))
        self.waited: list[str] = []
        #: What each has announced: of which role, from which partitions it lends, and when.
        self._said: dict[str, tuple[bool, frozenset[int], float]] = {}
        #: Since when each run has waited with a worker, all the time.
        self._late_since: dict[tuple[SimWorker, str], float] = {}
        #: Since when each has had a slot free, all the time.
        self._free_since: dict[str, float] = {}

    def jobs(self, file: dict[str, Job]) -> dict[str, Job]:
        """Return the jobs of a world, of which more may be lent where workers lend."""
        if not self.happens:
            return file
        more = {"overlap": Overlap.ALLOW, "delivery": Delivery.AT_LEAST_ONCE}
        return {
            name: job.derive(**more) if self.dice.random() < _LENT else job
            for name, job in file.items()
        }

    def begin(self, world: "World") -> None:
        """Have them announce themselves from now on."""
        if self.happens:
            for worker in world.workers:
                world.loop.at(self.dice.random() * _EVERY_S, partial(self._turn, world, worker))
            world.loop.at(_EVERY_S, partial(self._look, world))

    def _turn(self, world: "World", worker: "SimWorker") -> None:
        world.loop.at(world.loop.now + _EVERY_S, partial(self._turn, world, worker))
        if worker.fit and worker.has_joined and not worker.draining:
            say = partial(
                self._say, worker.id, (worker.retry, worker.member.lending, world.loop.now)
            )
            hear = partial(worker.when_reached, partial(self._hear, worker))
            world.loop.at(world.loop.now + self._latency(world), say)
            worker.later(self._latency(world), hear)

    def _latency(self, world: "World") -> float:
        return self.dice.random() ** 4 * world.slowest_s + 0.002

    def _say(self, name: str, said: tuple[bool, frozenset[int], float]) -> None:
        if self._said.get(name, said)[2] <= said[2]:
            self._said[name] = said

    def _hear(self, worker: "SimWorker") -> None:
        now = worker.loop.now
        others = [
            lending
            for name, (retry, lending, at) in self._said.items()
            if name != worker.id and retry is worker.retry and now - at < _GONE_S
        ]
        slots = self.slots * sum(not lending for lending in others)
        found = Others(slots, frozenset().union(*others))
        if found != worker.member.others or found.lending:
            worker.member.others = found
            worker.turn_soon()

    # -- what is checked ----------------------------------------------------------------------

    def _look(self, world: "World") -> None:
        now = world.loop.now
        world.loop.at(now + _EVERY_S, partial(self._look, world))
        if world.in_trouble or any(group.rebalancing for group in world.groups):
            self._free_since.clear()
            self._late_since.clear()
            return
        for worker in world.workers:
            if worker.is_at_leisure:
                self._free_since.setdefault(worker.id, now)
            else:
                self._free_since.pop(worker.id, None)
        found = {(worker, run) for worker in world.workers for run in _late(worker)}
        self._late_since = {one: self._late_since.get(one, now) for one in found}
        for (worker, run), late_since in self._late_since.items():
            free = [
                since
                for other in world.workers
                if other.retry is worker.retry and other is not worker
                if (since := self._free_since.get(other.id)) is not None
            ]
            if free and now - max(late_since, min(free)) > _BORNE_S and run not in self.waited:
                self.waited.append(run)


def _late(worker: "SimWorker") -> Iterator[str]:
    """Yield the runs that wait for a slot with a worker, and may be lent."""
    for owner in worker.member.owners.values() if worker.fit else ():
        book = owner.ledger.book
        for live in waiting(book, worker.wall()) if owner.ready else ():
            yield live.run.id
        for run_id in book.held.get(worker.id, ()):
            live = book.live[run_id]
            is_due = live.run.not_before <= worker.wall()
            if is_due and live.state == "claimed" and may_be_lent(live, retry=book.retry):
                yield run_id


def faults_of_lending(world: "World") -> Iterator[str]:
    """Yield what waited although there was a slot for it."""
    for run in world.lending.waited:
        yield f"waited beside a free slot: {run}"
