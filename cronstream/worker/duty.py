"""What a process does in the role of a worker, or of a retry worker: it makes attempts."""

from collections.abc import Callable, Iterable

from faust.types import TP

from cronstream import clock
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.app import App
from cronstream.fitted.to_faust.tables import ElsewhereTable, ViewTable
from cronstream.metrics.notices import NoticeCounts
from cronstream.metrics.overdue import OverdueMetrics
from cronstream.metrics.worker import WorkerMetrics, WorkerState
from cronstream.metrics.worker_counts import WorkerCounts
from cronstream.notices.notice import Kind
from cronstream.notices.outpost import RESULTS
from cronstream.settings import Settings
from cronstream.topology.installation_level import Found
from cronstream.tracing.beginning import begin_tracing
from cronstream.tracing.span import Tracer
from cronstream.worker.health import WorkerSubject
from cronstream.worker.making import new_member
from cronstream.worker.peer import WorkerPeer
from cronstream.worker.tables import LedgersView, RunsView
from cronstream.worker.worker import Worker


class WorkerDuty:
    """Folds the role's log, as far as this process owns it, and makes the attempts it claims."""

    def __init__(
        self, app: App, role: Role, settings: Settings, fail: Callable[[str], None]
    ) -> None:
        self.role, self._settings = role, settings
        self._log = settings.names.log_of(role)
        member = new_member(settings, role)
        view, text = LedgersView(member.ledgers), "The fold of each partition."
        ledgers = ElsewhereTable.add(app, naming.LEDGERS, settings.partitions, text, view)
        self.worker = Worker(settings, role, member, ledgers, fail)
        ledgers.reads = self.worker.snapshots.read
        self.subject = WorkerSubject(self.worker, role, settings)
        self.peer = WorkerPeer(self.worker, settings)
        counts = self.worker.folding.counts = WorkerCounts(app.metrics, role)
        WorkerMetrics(app.metrics, role, member, counts, self._state)
        self._tracer: Tracer | None = None
        self.worker.outpost.count = NoticeCounts(app.metrics, role, Kind, RESULTS).note
        if not role.retry:
            watch = self.worker.overdue_watch
            OverdueMetrics(app.metrics, role.cluster or "", lambda: watch.jobs)

    def declare(self, app: App) -> None:
        """Give the app the log that is to be read, and the runs to show."""
        partitions, view = self._settings.partitions, RunsView(self.worker.member.ledgers)
        text = "The runs that this worker's partitions know, by run id."
        ViewTable.add(app, "runs", partitions, text, view)
        log = app.log_topic(self._log, partitions)
        app.agent(log, name=self._log)(self.worker.folding.fold)

    def _state(self) -> WorkerState:
        return WorkerState(
            now=clock.now(),
            slots=self._settings.slots,
            late=self.worker.late_watch.late,
            ends=self.subject.ends,
            snapshots=self.worker.snapshots.sizes,
            topic=self._log,
            distrusted=self.worker.distrust.refused,
        )

    async def start(self, found: Found) -> None:
        """Connect, start the executor, and begin to turn.

        Raises:
            BrokerError: If no broker answers.
        """
        self.worker.loading.level = found.level
        self._tracer = begin_tracing(self._settings, self.role, found.kafka)
        self.worker.folding.spans.tracer = self._tracer
        await self.worker.start()

    def revoked(self) -> None:
        """A rebalance begins."""
        self.worker.revoked()

    def assigned(self, places: Iterable[TP]) -> None:
        """A rebalance is over, and Faust has recovered the tables."""
        self.worker.assigned({tp.partition for tp in places if tp.topic == self._log})

    async def drain(self) -> None:
        """Before it leaves its group: claim nothing more, release what has not started."""
        await self.worker.drain()

    async def finish(self) -> None:
        """After it has left: what still runs belongs to nobody else, and comes to its end."""
        await self.worker.finish()
        if self._tracer is not None:
            await self._tracer.stop()
