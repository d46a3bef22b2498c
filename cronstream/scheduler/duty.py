"""What a process does in the role of the scheduler: ticks, and the crontab in force.

Beside them runs, where an old topic is set, the mover of an installation in the old layout.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from faust.types import TP

from cronstream import clock
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.app import App
from cronstream.fitted.to_faust.tables import ViewTable
from cronstream.legacy import LegacyMover
from cronstream.logs import fields
from cronstream.scheduler.health import SchedulerSubject
from cronstream.scheduler.jobs_view import JobsView
from cronstream.scheduler.peer import SchedulerPeer
from cronstream.scheduler.scheduler import Scheduler
from cronstream.scheduler.tick_time import seconds_until_mid_second
from cronstream.scheduler.world import real_world
from cronstream.settings import Settings
from cronstream.topology.installation_level import Found
from cronstream.topology.publish import Publisher
from cronstream.topology.quarantine import Quarantine

logger = logging.getLogger(__name__)

#: How long what follows the crontab has to come to its end.
_END_S = 5.0


class SchedulerDuty:
    """Puts the crontab in force, and fires its jobs, as far as this process owns their shards."""

    def __init__(
        self, app: App, role: Role, settings: Settings, fail: Callable[[str], None]
    ) -> None:
        self.role, self._settings, self._fail = role, settings, fail
        self._publisher = Publisher(settings)
        text = "How far each shard's runs are published."
        cursors = app.Table(naming.CURSORS, key_type=str, partitions=settings.shards, help=text)
        world = real_world(settings, self._publisher, app.changelog)
        self.scheduler = Scheduler(settings, cursors, world)
        self.scheduler.on_fatal = fail
        aside = Quarantine(self._publisher, keeps_all=True)
        self._legacy = LegacyMover(settings, self._publisher, aside, fail)
        self._following: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.subject = SchedulerSubject(self.scheduler, self._publisher, settings)
        self.peer = SchedulerPeer(self.scheduler)

    def declare(self, app: App) -> None:
        """Give the app what is to be read, what ticks, and the jobs to show."""
        shards = self._settings.shards
        view = JobsView(self.scheduler.firing.held)
        ViewTable.add(app, "jobs", shards, "The jobs that this scheduler fires, by name.", view)
        ticks = app.log_topic(naming.TICKS, shards)
        app.agent(ticks, name="cronstream.ticks")(self.scheduler.fire)
        app.timer(1.0, name="cronstream.tick")(self._tick)

    async def start(self, found: Found) -> None:
        """Connect, and put the crontab in force from now on.

        Raises:
            BrokerError: If no broker answers.
            ZoneError: If another scheduler is there that knows a job's zone, and this does not.
        """
        announcer = self.scheduler.announcer
        announcer.found, announcer.kafka = found.level, found.kafka
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

    async def _tick(self) -> None:
        await asyncio.sleep(seconds_until_mid_second(clock.now()))
        await self.scheduler.tick()

    def revoked(self) -> None:
        """A rebalance begins."""
        self.scheduler.revoked()

    def assigned(self, places: Iterable[TP]) -> None:
        """A rebalance is over."""
        self.scheduler.assigned({tp.partition for tp in places if tp.topic == naming.TICKS})

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
