"""Builds the Faust application for a role: the only module that knows all the others."""

import asyncio
import gc
import logging
import signal
import socket
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from faust.exceptions import AlreadyConfiguredWarning
from yarl import URL

from cronstream import clock
from cronstream.assignment import Assignor
from cronstream.cli import worker_options  # noqa: F401 - imported for what it replaces in Faust
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.errors import CronstreamError
from cronstream.health import (
    EarlyPage,
    FaustGroup,
    HealthWatch,
    PresenceWatch,
    SchedulerSubject,
    WorkerSubject,
)
from cronstream.legacy import LegacyMover
from cronstream.logs import OWN_END, logging_config
from cronstream.routing import JobRouter
from cronstream.scheduler import JobsView, Scheduler, real_ports, seconds_to_middle
from cronstream.settings import Settings, make_data_folder, settings
from cronstream.topology.bootstrap import Patience
from cronstream.topology.changelog import Changelog
from cronstream.topology.consuming import App
from cronstream.topology.faust_settings import COMMON, Boot, configure
from cronstream.topology.installation_level import look_at_installation
from cronstream.topology.mends import mend_aiokafka
from cronstream.topology.publish import Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.topology.tables import ElsewhereTable, ViewTable
from cronstream.topology.topics import topics_of
from cronstream.topology.waiting import until_answered, wait_for_topics
from cronstream.web_port import BoundWeb, bind_web
from cronstream.worker import Worker, new_member
from cronstream.worker.tables import LedgersView, RunsView

#: Not this module's name: Faust logs the life of an app under that of its class.
logger = logging.getLogger("cronstream.app")


class Cronstream(App):
    """The application, which takes one role in each process."""

    BootStrategy = Boot
    #: What this process does; None until an option or a variable has said so.
    role: Role | None = None
    #: How many partitions each topic has that this role needs, by its name.
    known_partitions: Mapping[str, int] = MappingProxyType({})
    _worker: Worker | None = None
    _scheduler: Scheduler | None = None
    _legacy: LegacyMover | None = None
    _following: asyncio.Task[None] | None = None
    #: Where its pages are going to be served; None before it is bound, and once they are.
    web_socket: socket.socket | None = None
    #: Their address, if nobody has asked for its port.
    _chosen = ""
    #: Whether it has decided itself that this process ends; its status is 1 then.
    has_failed = False
    _health: HealthWatch
    _presence: PresenceWatch

    def take_role(self, role: Role) -> None:
        """Declare what the role needs; nothing is declared before, since it fixes the app's id."""
        self.role, self._settings = role, settings()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AlreadyConfiguredWarning)
            configure(self.conf, role, self._settings)
        self.changelog = Changelog(self._settings)
        if role.cluster is None:
            self._be_scheduler(self._settings)
        else:
            self._be_worker(role, self._settings)

    def set_slots(self, slots: int) -> None:
        """Let the worker run this many commands at a time."""
        self._settings.slots = slots

    def adopt(self) -> None:
        """Let the scheduler's crontab replace what is in force, whoever's it is."""
        self._settings.adopt = True

    def move_from(self, topic: str, group: str | None) -> None:
        """Let the scheduler move a running installation from the old layout."""
        self._settings.legacy_topic, self._settings.legacy_group = topic, group

    def make_data_folder(self) -> None:
        """Make Faust's data folder, with those above it: Faust makes only the last one.

        Raises:
            SettingsError: If this user may not.
        """
        make_data_folder(Path(self.conf.datadir))

    def open_web(self, port: int | None, host: str | None) -> None:
        """Bind the web port: the one that is asked for, here or in the settings, or a free one.

        Args:
            port: As it was asked for on the command line.
            host: The name by which other processes reach this one; likewise.

        Raises:
            SettingsError: If it is in use.
        """
        if not self.conf.web_enabled or self.conf.web_transport.scheme != "tcp":
            return
        bind, wanted = self.conf.web_bind, port or self._settings.web_port
        self.web_socket = bind_web(bind, wanted, self.role or Role.of(None, retry=False))
        self.conf.web_port = self.web_socket.getsockname()[1]
        self.conf.canonical_url = URL(f"http://{host or bind}:{self.conf.web_port}")
        self._chosen = "" if wanted else str(self.conf.canonical_url)

    def _new_web(self) -> BoundWeb:
        return BoundWeb(self)

    def log_to(self, level: str | int, logfile: str | None) -> None:
        """Say where log lines go, and from which level on."""
        self.conf.logging_config = logging_config(self._settings, level, logfile)

    def _be_scheduler(self, config: Settings) -> None:
        publisher = Publisher(config)
        cursors = self._table(
            naming.CURSORS, config.shards, "How far each shard's runs are published."
        )
        ports = real_ports(config, self.changelog)
        scheduler = Scheduler(config, publisher, Quarantine(publisher), cursors, ports)
        jobs = JobsView(scheduler.firing.held)
        text = "The jobs that this scheduler fires, by name."
        ViewTable.add(self, "jobs", config.shards, text, jobs)
        scheduler.on_fatal = self.fail
        self._scheduler, self._publisher, self._stopping = scheduler, publisher, asyncio.Event()
        ticks = self._log_topic(naming.TICKS, config.shards)
        self.agent(ticks, name="cronstream.ticks")(scheduler.fire)
        self.timer(1.0, name="cronstream.tick")(self._tick)
        self._watch(SchedulerSubject(scheduler, publisher, config), scheduler)

    def _watch(self, subject: WorkerSubject | SchedulerSubject, of: Worker | Scheduler) -> None:
        group = FaustGroup(self, self._settings)
        self._health = HealthWatch(self._settings, subject, group, self.fail)
        self._presence = PresenceWatch(self._settings, self.role or Role.of(None, retry=False), of)
        self.page("/health")(self._health.page())

    def _be_worker(self, role: Role, config: Settings) -> None:
        member = new_member(config, role)
        view, text = LedgersView(member.ledgers), "The fold of each partition."
        ledgers = ElsewhereTable.add(self, naming.LEDGERS, config.partitions, text, view)
        self._worker = Worker(config, role, member, ledgers, self.fail)
        ledgers.reads = self._worker.snapshots.read
        runs = RunsView(member.ledgers)
        text = "The runs that this worker's partitions know, by run id."
        ViewTable.add(self, "runs", config.partitions, text, runs)
        topic = self._log_topic(role.log, config.partitions)
        self.agent(topic, name=role.log)(self._worker.folding.fold)
        self._watch(WorkerSubject(self._worker, role, config), self._worker)

    def _log_topic(self, name: str, partitions: int) -> Any:
        return self.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            value_serializer="raw",
            partitions=partitions,
            internal=True,
        )

    def _table(self, name: str, partitions: int, text: str) -> Any:
        return self.Table(name, key_type=str, partitions=partitions, help=text)

    def fail(self, reason: str) -> None:
        """End this process in good order: it can no longer do what it is there for.

        As whoever supervises it would. Faust's own way, `crash`, ends all parts at once: now and
        then its consumer's thread before the consumer, which waits for that thread without end.
        """
        logger.error("%s; this process ends", reason, extra={"action": OWN_END})
        self._health.stopping()
        if not self.has_failed:
            self.has_failed = True
            signal.raise_signal(signal.SIGTERM)

    # -- Faust's life, in its order -----------------------------------------------------------

    async def on_first_start(self) -> None:
        """Before anything connects: wait for the broker, and see that the topics are right."""
        if self._chosen:
            logger.info("its pages are at %s/table/", self._chosen)
        page = EarlyPage(self._health.report)
        if self.web_socket is not None:
            await page.start(self.web_socket)
        try:
            await self._prepare()
        except CronstreamError as error:
            self.fail(str(error))
            await asyncio.Event().wait()  # Until that has ended this start.
        finally:
            await page.stop()
        await super().on_first_start()

    async def _prepare(self) -> None:
        tables = {name: table.partitions or 1 for name, table in self.tables.items()}
        specs = topics_of(self.role, self._settings, tables) if self.role else []
        self.known_partitions = {spec.name: spec.partitions for spec in specs}
        waits_for = self._health.waits_for
        self._health.notes += await wait_for_topics(specs, self._settings, waits_for)
        Patience.lasts = True
        await self.changelog.start()
        found = await until_answered(look_at_installation, self._settings)
        await self._presence.join(waits_for)
        self._health.compared = self._presence
        self.on_partitions_revoked.connect(self._revoked, weak=False)
        self.on_rebalance_complete.connect(self._assigned, weak=False)
        if self._worker is not None:
            self._worker.level_found = found.level
            await self._worker.start()
        if self._scheduler is not None:
            announcer = self._scheduler.announcer
            announcer.found, announcer.kafka = found.level, found.kafka
            await self._publisher.start()
            await self._scheduler.start()
            self._following = self.loop.create_task(self._follow_crontab(self._scheduler))
            aside = Quarantine(self._publisher, keeps_all=True)
            self._legacy = LegacyMover(self._settings, self._publisher, aside, self.fail)
            await self._legacy.start()
        self._health.start()
        # What is loaded by now stays; and a look for cycles at every 700 objects, as is Python's
        # habit, costs a worker a tenth of its time in a burst.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)

    async def _follow_crontab(self, scheduler: Scheduler) -> None:
        """Keep the crontab in force; without that, a scheduler is none."""
        try:
            await scheduler.follow_crontab(self._stopping)
        except Exception as error:
            logger.exception("the crontab can no longer be followed")
            self.fail(f"the crontab can no longer be followed ({error})")

    async def _tick(self) -> None:
        if self._scheduler is not None:
            await asyncio.sleep(seconds_to_middle(clock.now()))
            await self._scheduler.tick()

    async def _revoked(self, *_: Any, **__: Any) -> None:
        if self._worker is not None:
            self._worker.revoked()
        if self._scheduler is not None:
            self._scheduler.revoked()

    async def _assigned(self, *_: Any, **__: Any) -> None:
        assignment = self.consumer.assignment()
        if self._worker is not None and self.role is not None:
            log = self.role.log
            self._worker.assigned({tp.partition for tp in assignment if tp.topic == log})
        if self._scheduler is not None:
            ticks = {tp.partition for tp in assignment if tp.topic == naming.TICKS}
            self._scheduler.assigned(ticks)
        self._health.begun()

    async def stop(self) -> None:
        """Give back what has not started, leave the group, and let what runs come to its end."""
        self._health.stopping()
        Patience.lasts = False
        if self._worker is not None and self.started:
            await self._worker.drain()
        await super().stop()

    async def on_shutdown(self) -> None:
        """The consumer has left: what still runs belongs to nobody else."""
        if self._worker is not None:
            await self._worker.finish()
        if self._legacy is not None:
            await self._legacy.stop()
        if self._scheduler is not None:
            self._stopping.set()
            if self._following is not None:
                await asyncio.wait([self._following], timeout=5)
            await self._scheduler.stop()
            await self._publisher.stop()
        await asyncio.gather(self._presence.stop(), self.changelog.stop())
        await self._health.stop()


mend_aiokafka()
app = Cronstream("cronstream", Router=JobRouter, PartitionAssignor=Assignor, **COMMON)
