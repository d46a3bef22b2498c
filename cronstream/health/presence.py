"""What a process tells the others of itself, and what it does about what they tell.

It does not join with another number of partitions or shards than those have that are there. A
worker judges by the longest lease and starts by the shortest fence that any worker has; and one
whose clock is off claims nothing (`core.presence`, `core.clocks`).
"""

import asyncio
import logging
from collections.abc import Callable

from cronstream import clock
from cronstream.core.health import clocks, presence
from cronstream.core.health.presence import Presence, Shared
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.naming import Role, RoleKind
from cronstream.errors import SettingsError
from cronstream.executor.protocol import Clock
from cronstream.scheduler import Scheduler
from cronstream.settings import Settings
from cronstream.system import tzdata_version, version
from cronstream.topology.presence import WorkersTopic
from cronstream.worker import Worker, new_name

logger = logging.getLogger(__name__)

#: Between two looks at a clock that has to be right before a worker may join.
_LOOK_S = 1.0
#: Clocks that differ by less are one.
_CLOCKS_DIFFER_S = 0.001
#: Between two looks whether those are gone that have other numbers.
_AGAIN_S = 0.25


class PresenceWatch:
    """Tells of one process, and compares it with the others.

    Attributes:
        topic: Its end of the workers' topic.
        clock_fault: What is wrong with its clock, so that it may start nothing; empty if nothing.
    """

    def __init__(self, settings: Settings, role: Role, subject: Worker | Scheduler) -> None:
        self._settings, self._role, self._subject = settings, role, subject
        self._worker = subject if isinstance(subject, Worker) else None
        self._first = Presence(
            name=new_name() if self._worker is None else self._worker.member.me,
            role=role.kind,
            cluster=role.cluster,
            version=version(),
            level=LEVEL,
            shared=Shared.model_validate(settings, from_attributes=True),
            tzdata=tzdata_version(),
            since=clock.now(),
        )
        self.topic = WorkersTopic(settings, self.describe)
        self.topic.on_news = self.look
        self.clock_fault = ""
        if isinstance(subject, Scheduler):
            subject.newer_zones = self.newer_zones
        self._offset = float("-inf")

    def describe(self, clock_s: float | None, every_s: float) -> Presence:
        """Return what there is to tell now."""
        news = {"clock_s": clock_s, "every_s": every_s}
        if isinstance(self._subject, Scheduler):
            owns = presence.spans(self._subject.firing.shards)
            return self._first.model_copy(update={**news, "owns": owns})
        member, late = self._subject.member, self._subject.late_watch.late
        of_worker = {
            "slots": self._settings.slots,
            "running": sum(held.started for held in member.holding.values()),
            "waiting": 0 if late is None else late.count,
            "owns": presence.spans(member.owners),
        }
        return self._first.model_copy(update={**news, **of_worker})

    # -- life -----------------------------------------------------------------------------------

    async def join(self, tell: Callable[[str], None]) -> None:
        """Tell of this process, and see that it may join those that are there.

        A worker waits until its clock is right; a scheduler as long as another's is.

        Args:
            tell: Is given what is waited for.

        Raises:
            SettingsError: If others have another number of partitions or shards.
        """
        place = await self.topic.join()
        self.topic.follow()
        if place is not None:
            await self._see_that_it_fits(place, tell)
        self.look()
        while self.clock_fault:
            tell(self.clock_fault)
            await asyncio.sleep(_LOOK_S)

    async def _see_that_it_fits(self, place: int, tell: Callable[[str], None]) -> None:
        """Return once nobody is there that came before and has other numbers.

        One that does not tell of itself again was killed: it is gone in a moment.
        """
        while True:
            before = [seen for seen in self.topic.roll.present() if seen.first < place]
            if sentence := presence.refusal(
                self._first, [seen.who for seen in before if seen.last > place]
            ):
                await self.stop()
                raise SettingsError(sentence)
            if not (doubt := presence.refusal(self._first, [seen.who for seen in before])):
                return
            tell(doubt)
            await asyncio.sleep(_AGAIN_S)

    async def stop(self) -> None:
        """Say that this process ends, having ended all that it ran; and disconnect."""
        await self.topic.stop()

    def newer_zones(self) -> str:
        """Return the name of a scheduler whose time zones are newer than here; or nothing."""
        others = (who for who in self._present if who.role is RoleKind.SCHEDULER)
        return next((who.name for who in others if who.tzdata > self._first.tzdata), "")

    # -- comparing ------------------------------------------------------------------------------

    @property
    def _present(self) -> list[Presence]:
        return [seen.who for seen in self.topic.roll.present()]

    def warnings(self) -> list[str]:
        """Return what people should see to."""
        trouble = [self.topic.trouble] if self.topic.trouble else []
        there = self._present
        return [*trouble, *presence.warnings(there), *clocks.warnings(there)]

    def look(self) -> None:
        """Do what follows for a worker from what all tell."""
        offset = self.topic.clock_offset
        clock_s = self.topic.clock_s_at(offset)
        if self._worker is None:
            me = self._first.model_copy(update={"clock_s": clock_s})
            self.clock_fault = clocks.firing_fault(me, self._present)
            return
        self._keep_lease(self._worker)
        was_fault = self.clock_fault
        self.clock_fault = clocks.fault(clock_s, clocks.right_s(self._present))
        if not self.clock_fault:
            self._set_dials(self._worker, offset)
        if self.clock_fault and not was_fault:
            logger.error("%s; set it by NTP", self.clock_fault)
            self._worker.member.rest()
        elif was_fault and not self.clock_fault:
            logger.info("this machine's clock is right again")
            self._worker.member.resume()

    def _set_dials(self, worker: Worker, offset: float) -> None:
        """Have commands start by this machine's clock as it is now, for it was found right."""
        if worker.executor is not None and abs(offset - self._offset) > _CLOCKS_DIFFER_S:
            self._offset = offset
            worker.executor.send(Clock(offset))

    def _keep_lease(self, worker: Worker) -> None:
        mine, others = self._first.shared, self.topic.roll.counted()
        held, before = presence.held(mine, others), worker.member.timing
        timing = held.of(before)
        if timing == before:
            return
        worker.member.keep_to(timing)
        if (held.lease_s, held.fence_s) != (before.lease_s, before.fence_s):
            logger.warning(
                "a lease of %g s and a fence of %g s hold from now on: the longest and the "
                "shortest of all workers; here %g and %g are set",
                *(held.lease_s, held.fence_s, mine.lease_s, mine.fence_s),
            )
