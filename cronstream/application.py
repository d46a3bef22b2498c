"""Wires one process: a Faust app, the duty of its role, its health, and its place among others."""

import asyncio
import gc
import logging
import signal
import socket
from functools import partial
from typing import Any

from cronstream.core.wire.naming import Role
from cronstream.core.wire.rights import Actor
from cronstream.duties import Duty, new_duty
from cronstream.errors import CronstreamError
from cronstream.executor.tree import become_unreadable
from cronstream.fitted.to_aiokafka.bootstrap import AtStart
from cronstream.fitted.to_faust.app import App
from cronstream.fitted.to_faust.commands import give_commands_a_role
from cronstream.fitted.to_faust.configuration import COMMON
from cronstream.fitted.to_faust.group import FaustGroup
from cronstream.fitted.to_faust.records import make_records_of_faust
from cronstream.health import HealthWatch, OwnServer, PresenceWatch, RightsWatch, metrics_view
from cronstream.logs import OWN_END, fields
from cronstream.metrics.process import ProcessMetrics
from cronstream.topology.installation_level import look_at_installation
from cronstream.topology.rights import check_rights
from cronstream.topology.topics import topics_of
from cronstream.topology.waiting import until_answered, wait_for_topics

#: Not this module's name: Faust logs the life of an app under that of its class.
logger = logging.getLogger("cronstream.app")


class Cronstream(App):
    """The application: `Duty` says what its role asks of it."""

    #: What its role has it do; None before it has taken one.
    duty: Duty | None = None
    _health: HealthWatch
    _presence: PresenceWatch
    _metrics_server: OwnServer | None = None

    def configure_for(self, role: Role, **chosen: Any) -> None:
        """Declare what the role needs; nothing is declared before, since it fixes the app's id."""
        super().configure_for(role, **chosen)
        duty = self.duty = new_duty(self, role, self.settings, self.fail)
        duty.declare(self)
        group = FaustGroup(self, self.settings)
        self._health = HealthWatch(self.settings, duty.subject, group, self.fail)
        self._presence = PresenceWatch(self.settings, role, duty.peer)
        ProcessMetrics(self.metrics, role, self._health.vitals)
        self.page("/health")(self._health.page())
        self.page("/metrics")(metrics_view(self.metrics.page))

    def fail(self, reason: str) -> None:
        """End this process in good order: it can no longer do what it is there for.

        As whoever supervises it would. Faust's own way, `crash`, ends all parts at once: now and
        then its consumer's thread before the consumer, which waits for that thread without end.
        """
        logger.error("%s; this process ends", reason, extra=fields(OWN_END))
        self._health.stopping()
        if not self.has_failed:
            self.has_failed = True
            signal.raise_signal(signal.SIGTERM)

    # -- Faust's life, in its order -----------------------------------------------------------

    async def on_first_start(self) -> None:
        """Before anything connects: wait for the broker, and see that the topics are right."""
        become_unreadable()  # It has what Kafka lets it in by, and commands have its user.
        if self.chosen_address:
            logger.info("its pages are at %s/table/", self.chosen_address, extra=fields("pages"))
        page = OwnServer(self._health.report, self.metrics.page, self.page_guard)
        if self.metrics_socket is not None:
            await self._serve_metrics(self.metrics_socket)
        if self.web_socket is not None:
            await page.start(self.web_socket)
        try:
            if self.duty is not None:
                await self._begin(self.duty)
        except CronstreamError as error:
            self.fail(str(error))
            await asyncio.Event().wait()  # Until that has ended this start.
        finally:
            await page.stop()
        await super().on_first_start()

    async def _serve_metrics(self, bound: socket.socket) -> None:
        self._metrics_server = OwnServer(self._health.report, self.metrics.page)
        await self._metrics_server.start(bound)
        host, port = bound.getsockname()[:2]
        text, about = "its metrics are at %s, port %d", fields("metrics")
        logger.info(text, host, port, extra=about)

    async def _begin(self, duty: Duty) -> None:
        tables = {name: table.partitions or 1 for name, table in self.tables.items()}
        specs = topics_of(duty.role, self.settings, tables)
        self.known_partitions = {spec.name: spec.partitions for spec in specs}
        waits_for = self._health.waits_for
        actor, clusters = Actor(duty.role.kind), [duty.role.cluster] if duty.role.cluster else []
        may = partial(check_rights, self.settings, actor, clusters)
        self._health.notes += await wait_for_topics(specs, self.settings, waits_for, may)
        await until_answered(may)  # Once more: of a topic that was not there it says nothing.
        self._health.rights = RightsWatch(may)
        AtStart.waits = True
        await self.changelog.start()
        found = await until_answered(look_at_installation, self.settings)
        await self._presence.join(waits_for)
        self._health.compared = self._presence
        self.on_partitions_revoked.connect(self._revoked, weak=False)
        self.on_rebalance_complete.connect(self._assigned, weak=False)
        await duty.start(found)
        self._health.start()
        _keep_what_is_loaded()

    async def _revoked(self, *_: Any, **__: Any) -> None:
        if self.duty is not None:
            self.duty.revoked()

    async def _assigned(self, *_: Any, **__: Any) -> None:
        if self.duty is not None:
            self.duty.assigned(self.consumer.assignment())
        self._health.begun()

    async def stop(self) -> None:
        """Give back what has not started, leave the group, and let what runs come to its end."""
        self._health.stopping()
        AtStart.waits = False
        if self.duty is not None and self.started:
            await self.duty.drain()
        await super().stop()

    async def on_shutdown(self) -> None:
        """The consumer has left: what still runs belongs to nobody else."""
        if self.duty is not None:
            await self.duty.finish()
        await asyncio.gather(self._presence.stop(), self.changelog.stop())
        await self._health.stop()
        if self._metrics_server is not None:
            await self._metrics_server.stop()


def _keep_what_is_loaded() -> None:
    """Have the garbage collector pass over what is loaded by now, and look at the rest less often.

    A look for cycles at every 700 objects, as is Python's habit, costs a worker a tenth of its time
    in a burst.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


make_records_of_faust()
give_commands_a_role()
app = Cronstream("cronstream", **COMMON)
