"""What a process does in the role of the scheduler: ticks, and the crontab in force.

Beside them runs, where an old topic is set, the mover of an installation in the old layout.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

from faust.types import TP

from cronstream import clock
from cronstream.core.trust.keys import SCHEDULE
from cronstream.core.wire import naming
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.naming import Role
from cronstream.errors import KeysError
from cronstream.fitted.to_faust.app import App
from cronstream.fitted.to_faust.tables import ViewTable
from cronstream.legacy import LegacyMover
from cronstream.logs import fields
from cronstream.metrics.scheduler import SchedulerMetrics, SchedulerState
from cronstream.metrics.scheduler_counts import SchedulerCounts
from cronstream.scheduler.health import SchedulerSubject
from cronstream.scheduler.jobs_view import JobsView
from cronstream.scheduler.peer import SchedulerPeer
from cronstream.scheduler.scheduler import Scheduler
from cronstream.scheduler.world import real_world
from cronstream.settings import Settings
from cronstream.topology.installation_level import Found
from cronstream.topology.publish import Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.tracing.beginning import begin_tracing
from cronstream.tracing.publishing import trace_publishing
from cronstream.tracing.span import Tracer
from cronstream.trust.keyring import Keyring
from cronstream.trust.signer import Signer

logger = logging.getLogger(__name__)

#: Between two ticks, and when in a second they come: jobs are due on whole seconds, and a tick that
#: came then would have runs published and claimed just when others are to be started.
_TICK_S, _MID_SECOND_S = 1.0, 0.5
#: How long what follows the crontab has to come to its end.
_END_S = 5.0

_NEEDS_KEY = (
    "a scheduler with CRONSTREAM_SIGNATURES=require needs CRONSTREAM_SIGNING_KEY: nobody would run "
    "what it publishes"
)
_MAY_NOT = (
    "the key in CRONSTREAM_SIGNING_KEY may not ask for what this scheduler publishes ({}), so "
    "nobody would run it: see to its line in the file of trusted keys"
)


class SchedulerDuty:
    """Puts the crontab in force, and fires its jobs, as far as this process owns their shards."""

    def __init__(
        self, app: App, role: Role, settings: Settings, fail: Callable[[str], None]
    ) -> None:
        self.role, self._settings, self._fail = role, settings, fail
        clock.Steps.phase_s = _MID_SECOND_S
        if settings.signatures == "require" and settings.signing_key is None:
            raise KeysError(_NEEDS_KEY)
        keyring, signer = Keyring(settings), Signer(settings)
        wanted = [SCHEDULE, *([Cause.LEGACY.value] if settings.legacy_topic else [])]
        if lacking := signer.lacks(keyring.keys, wanted):
            raise KeysError(_MAY_NOT.format(lacking))
        self._publisher = Publisher(settings, signer.sign)
        text = "How far each shard's runs are published."
        cursors = app.Table(naming.CURSORS, key_type=str, partitions=settings.shards, help=text)
        counts = SchedulerCounts(app.metrics)
        world = real_world(settings, self._publisher, app.changelog, counts)
        self.scheduler = Scheduler(settings, cursors, world)
        self.scheduler.on_fatal = fail
        self.scheduler.jobs.judge = keyring.judge
        self._publisher.notes[settings.names.jobs] = self.scheduler.jobs.decoded.note
        self.scheduler.signs_as = lambda: signer.id
        self.scheduler.doubt = lambda job: (
            keyring.judge(signer.sign(job.derive(signature=None))).why
        )
        self._aside = Quarantine(self._publisher, keeps_all=True)
        self._legacy = LegacyMover(settings, self._publisher, self._aside, fail)
        self._tracer: Tracer | None = None
        self._following: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.subject = SchedulerSubject(self.scheduler, self._publisher, settings)
        self.peer = SchedulerPeer(self.scheduler, keyring, signer)
        SchedulerMetrics(app.metrics, counts, self._state)

    def declare(self, app: App) -> None:
        """Give the app what is to be read, what ticks, and the jobs to show."""
        shards = self._settings.shards
        view = JobsView(self.scheduler.firing.held)
        ViewTable.add(app, "jobs", shards, "The jobs that this scheduler fires, by name.", view)
        ticks = app.log_topic(self._settings.names.ticks, shards)
        app.agent(ticks, name="cronstream.ticks")(self.scheduler.fire)
        chains = app.log_topic(self._settings.names.chains, self._settings.partitions)
        app.agent(chains, name="cronstream.chains")(self.scheduler.hand_over.hand_over)
        app.task(self._tick_for_ever)

    def _state(self) -> SchedulerState:
        scheduler = self.scheduler
        silent_s = clock.monotonic() - scheduler.tick_at
        return SchedulerState(
            ticked_at=clock.now().timestamp() - silent_s if scheduler.has_ticked else None,
            shards=len(scheduler.firing.shards),
            ahead_s=scheduler.firing.ahead_s(),
            held=scheduler.firing.held(),
            topics=(self._settings.names.jobs, self._settings.names.ticks),
            not_moved=self._aside.count,
            to_hand_over=scheduler.hand_over.waiting,
        )

    async def start(self, found: Found) -> None:
        """Connect, and put the crontab in force from now on.

        Raises:
            BrokerError: If no broker answers.
            ZoneError: If another scheduler is there that knows a job's zone, and this does not.
        """
        announcer = self.scheduler.announcer
        announcer.found, announcer.kafka = found.level, found.kafka
        self._tracer = begin_tracing(self._settings, self.role, found.kafka)
        if self._tracer is not None:
            self.scheduler.firing.sender.on_sent = trace_publishing(self._tracer)
        await self._publisher.start()
        await self.scheduler.start()
        self._following = asyncio.create_task(self._follow_crontab())
        await self._legacy.start()

    async def _follow_crontab(self) -> None:
        """Keep the crontab in force: no scheduler goes on without that."""
        try:
            await self.scheduler.follow_crontab(self._stopping)
        except Exception as error:
            text = "the crontab can no longer be followed"
            logger.exception(text, extra=fields("crontab-not-followed"))
            self._fail(f"the crontab can no longer be followed ({error})")

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(clock.until_step(_TICK_S))
            await self.scheduler.tick()

    def revoked(self) -> None:
        """A rebalance begins."""
        self.scheduler.revoked()

    def assigned(self, places: Iterable[TP]) -> None:
        """A rebalance is over."""
        own = defaultdict[str, set[int]](set)
        for place in places:
            own[place.topic].add(place.partition)
        self.scheduler.hand_over.assigned(own[self._settings.names.chains])
        self.scheduler.assigned(own[self._settings.names.ticks])

    async def drain(self) -> None:
        """It holds nothing that it would have to give back before it leaves its group."""

    async def finish(self) -> None:
        """After it has left: follow and move nothing more, and disconnect."""
        await self._legacy.stop()
        self._stopping.set()
        if self._following is not None:
            await asyncio.wait([self._following], timeout=_END_S)
        await self.scheduler.stop()
        await self._publisher.stop()
        if self._tracer is not None:
            await self._tracer.stop()
