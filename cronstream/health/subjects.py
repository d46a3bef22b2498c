"""The facts of a worker and of a scheduler."""

import logging
import math
from typing import Protocol

from cronstream.core.health.judging import SchedulerFacts, WorkerFacts
from cronstream.core.health.patience import Standstill
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.scheduler import Scheduler
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher
from cronstream.worker import Worker

logger = logging.getLogger(__name__)

#: What has not come by the stream for so long is read without it.
_LATE_S = 3.0


class Subject(Protocol):
    """Whose health is watched."""

    #: The topic that its work depends on, and how many partitions that has.
    topic: str
    partitions: int
    publisher: Publisher
    #: How long it is let be at most if a restart may mend it, whatever the settings say.
    patience_s: float

    @property
    def owns(self) -> bool:
        """Whether any partition of its topic is its own."""

    def facts(self, now_mono: float) -> SchedulerFacts | WorkerFacts:
        """Return what is known of it now."""

    def note_ends(self, ends: dict[int, int], now_mono: float) -> None:
        """Take the offsets that the next messages of its topic will have, by partition."""


class WorkerSubject:
    """A worker or a retry worker: its end interrupts commands, so its patience is as it is set."""

    patience_s = math.inf

    def __init__(self, worker: Worker, role: Role, settings: Settings) -> None:
        self._worker = worker
        self.topic, self.partitions = role.log, settings.partitions
        self.publisher = worker.publisher
        self._unready, self._behind, self._ahead = Standstill(), Standstill(), Standstill()
        self._unread: dict[int, float] = {}
        self._truncated: dict[int, float] = {}
        self._has_told = False

    @property
    def owns(self) -> bool:
        """Whether any partition of its log is its own."""
        return bool(self._worker.member.owners)

    def facts(self, now_mono: float) -> WorkerFacts:
        """Return what is known of it now."""
        worker, member = self._worker, self._worker.member
        unready = {
            partition: (owner.number, owner.ledger.book.next_offset)
            for partition, owner in member.owners.items()
            if not owner.ready
        }
        return WorkerFacts(
            turned_at=worker.turned_at,
            has_ended=self._has_ended(),
            has_executor=worker.executor is not None and worker.executor.is_alive,
            unready=self._unready.look(unready, now_mono),
            unread={p: at for p, at in self._unread.items() if p in member.owners},
            truncated={p: at for p, at in self._truncated.items() if p in member.owners},
            late=worker.late_watch.late,
            refused=worker.folding.refusals.sentences(now_mono),
        )

    def _has_ended(self) -> bool:
        """Whether a loop has ended; what it raised is logged once, for nobody awaits it."""
        ended = [task for task in self._worker.loops if task.done()]
        for task in ended:
            if not self._has_told and not task.cancelled():
                self._has_told = True
                logger.error("a task that never ends has ended", exc_info=task.exception())
        return bool(ended)

    def note_ends(self, ends: dict[int, int], now_mono: float) -> None:
        """See which partitions have something to read, and how long their folds stand still.

        A fold may be ahead of a leader that has just taken over, but only for a moment.
        """
        owners = self._worker.member.owners.items()
        places = {
            p: (owner.number, owner.ledger.book.next_offset) for p, owner in owners if p in ends
        }
        behind = {p: place for p, place in places.items() if place[1] < ends[p]}
        ahead = {p: p for p, place in places.items() if place[1] > ends[p]}
        self._unread = self._behind.look(behind, now_mono)
        self._truncated = self._ahead.look(ahead, now_mono)
        for partition, since in self._unread.items():
            if now_mono - since > _LATE_S:
                self._worker.read_up_to(partition, ends[partition])


class SchedulerSubject:
    """A scheduler, of whatever shards it owns; one with none stands by."""

    topic = naming.TICKS
    #: Nothing is interrupted by its end, and another one may stand by: what cannot fire is to end
    #: within the look-ahead, so that no run is late.
    patience_s = 6.0

    def __init__(self, scheduler: Scheduler, publisher: Publisher, settings: Settings) -> None:
        self._scheduler, self.publisher = scheduler, publisher
        self.partitions = settings.shards

    @property
    def owns(self) -> bool:
        """Whether any shard is its own."""
        return bool(self._scheduler.firing.shards)

    def facts(self, now_mono: float) -> SchedulerFacts:
        """Return what is known of it now."""
        scheduler, firing = self._scheduler, self._scheduler.firing
        is_at_one = scheduler.is_at_a_tick
        return SchedulerFacts(
            tick_at=scheduler.tick_at,
            heard={s: now_mono if is_at_one else scheduler.heard[s] for s in firing.shards},
            shards={shard: firing.moved[shard] for shard in firing.shards},
            clock_is_refused=scheduler.clock_check.is_refused,
            foreign=scheduler.foreign,
            set_aside=scheduler.set_aside,
        )

    def note_ends(self, ends: dict[int, int], now_mono: float) -> None:
        """How far a shard has come shows in what it publishes."""
