"""The facts of a worker, from which its health is judged."""

import logging
import math

from cronstream.core.health.judging import WorkerFacts
from cronstream.core.health.pauses import halts_of
from cronstream.core.health.too_long import Standstill
from cronstream.core.wire.naming import Role
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.worker.worker import Worker

logger = logging.getLogger(__name__)

#: What has not come by the stream for so long is read without it.
_LATE_S = 3.0


class WorkerSubject:
    """A worker or a retry worker: its end interrupts commands, so its patience is as it is set."""

    patience_s = math.inf

    def __init__(self, worker: Worker, role: Role, settings: Settings) -> None:
        self._worker = worker
        self.topic, self.partitions = settings.names.log_of(role), settings.partitions
        self.publisher = worker.publisher
        self._unready, self._behind, self._ahead = Standstill(), Standstill(), Standstill()
        self._unread: dict[int, float] = {}
        self._truncated: dict[int, float] = {}
        self._has_told = False
        #: The offset that the next message of each partition will have, as Kafka said last.
        self.ends: dict[int, int] = {}

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
            refused=worker.folding.refusals.sentences(now_mono)
            + worker.distrust.sentences()
            + worker.overdue_watch.sentences(),
        )

    def pauses(self) -> list[str]:
        """Return which jobs of its partitions their discarded runs have paused."""
        return halts_of(owner.ledger for owner in self._worker.member.owners.values())

    def _has_ended(self) -> bool:
        """Whether a loop has ended; what it raised is logged once, for nobody awaits it."""
        ended = [task for task in self._worker.loops if task.done()]
        for task in ended:
            if not self._has_told and not task.cancelled():
                self._has_told = True
                text, about = "a task that should never end has ended", fields("task-ended")
                logger.error(text, exc_info=task.exception(), extra=about)
        return bool(ended)

    def note_ends(self, ends: dict[int, int], now_mono: float) -> None:
        """See which partitions have something to read, and how long their folds stand still.

        A fold may be ahead of a leader that has just taken over, but only for a moment.
        """
        self.ends, owners = ends, self._worker.member.owners.items()
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
