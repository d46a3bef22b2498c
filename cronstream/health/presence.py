"""What a process announces of itself to the others, and whether it may join those that are there.

It does not join with another number of partitions or shards than those have. What else follows from
what the others announce is its role's: see `Peer`.
"""

import asyncio
from collections.abc import Callable

from cronstream import clock
from cronstream.core.health import agreement, clocks, crontabs, trusted
from cronstream.core.health.presence import EVERY_S, Presence, Shared
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.naming import Role, RoleKind
from cronstream.errors import SettingsError
from cronstream.health.subject import Peer
from cronstream.settings import Settings
from cronstream.system import tzdata_version, version
from cronstream.topology.presence import WorkersTopic

#: Between two looks at a clock that has to be right before a worker may join.
_LOOK_S = 1.0
#: Between two looks of a scheduler at its clock: it starts nothing by it, and compares it at ticks.
_SCHEDULER_LOOK_S = 1.0
#: Between two looks whether those are gone that have other numbers.
_AGAIN_S = 0.25


class PresenceWatch:
    """Announces one process, and compares it with the others.

    Attributes:
        topic: Its end of the workers' topic.
        clock_fault: What is wrong with its clock, so that it may start nothing; empty if nothing.
    """

    def __init__(self, settings: Settings, role: Role, peer: Peer) -> None:
        self._peer = peer
        self._first = Presence(
            name=peer.name,
            role=role.kind,
            cluster=role.cluster,
            version=version(),
            level=LEVEL,
            shared=Shared.model_validate(settings, from_attributes=True),
            tzdata=tzdata_version(),
            since=clock.now(),
            requires_signatures=settings.signatures == "require",
        )
        self.topic = WorkersTopic(settings, self.describe)
        self.topic.on_news = self.look
        if role.kind is RoleKind.SCHEDULER:
            self.topic.look_s = _SCHEDULER_LOOK_S
        self.clock_fault = ""

    def describe(self, clock_s: float | None, every_s: float) -> Presence:
        """Return what there is to announce now."""
        news = {"clock_s": clock_s, "every_s": every_s, **self._peer.news()}
        return self._first.model_copy(update=news)

    # -- life -----------------------------------------------------------------------------------

    async def join(self, say: Callable[[str], None]) -> None:
        """Announce this process, and see that it may join those that are there.

        A worker waits until its clock is right; a scheduler as long as another's is.

        Args:
            say: Is given what is waited for.

        Raises:
            SettingsError: If others have another number of partitions or shards.
        """
        place = await self.topic.join()
        self.topic.follow()
        if place is not None:
            await self._see_that_it_fits(place, say)
        self.look()
        while self.clock_fault:
            say(self.clock_fault)
            await asyncio.sleep(_LOOK_S)

    async def _see_that_it_fits(self, place: int, say: Callable[[str], None]) -> None:
        """Return once nobody is there that came before and has other numbers.

        One that does not announce itself again was killed: it is gone in a moment.
        """
        while True:
            before = [seen for seen in self.topic.roll.present() if seen.first < place]
            if sentence := agreement.refusal(
                self._first, [seen.who for seen in before if seen.last > place]
            ):
                await self.stop()
                raise SettingsError(sentence)
            if not (doubt := agreement.refusal(self._first, [seen.who for seen in before])):
                return
            say(doubt)
            await asyncio.sleep(_AGAIN_S)

    async def stop(self) -> None:
        """Say that this process ends, having ended all that it ran; and disconnect."""
        await self.topic.stop()

    @property
    def clock_s(self) -> float | None:
        """How many seconds this machine's clock is ahead of the broker's, if that is known."""
        return self.topic.clock_s

    # -- comparing ------------------------------------------------------------------------------

    def warnings(self) -> list[str]:
        """Return what people should see to."""
        there = self.topic.present
        return [
            *filter(None, (self.topic.trouble, self._broken)),
            *agreement.warnings(there),
            *clocks.warnings(there),
            *trusted.warnings(there),
        ]

    @property
    def _broken(self) -> str:
        """What is wrong with the crontab that this process reads; empty if it reads none."""
        is_scheduler = self._first.role is RoleKind.SCHEDULER
        return crontabs.broken(self.describe(self.clock_s, EVERY_S)) if is_scheduler else ""

    def look(self) -> None:
        """Do what follows from what all announce."""
        self.clock_fault = self._peer.heed(self._first, self.topic)
