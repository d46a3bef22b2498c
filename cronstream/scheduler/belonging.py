"""Whether the crontab of this scheduler is one of the installation whose jobs are in force.

Two installations that were given one Kafka by mistake would take each other's jobs out, each time
the shard changes its owner. So a crontab that has nothing to do with what is in force is not put in
force: not without ``--adopt``.
"""

import asyncio
import logging
import secrets
from pathlib import Path

from cronstream.core.crontab.parser import Crontab
from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.wire.installation import Installation
from cronstream.core.wire.levels import KINDS, LEVEL
from cronstream.logs import fields
from cronstream.scheduler.world import Memory, RunPublisher
from cronstream.settings import Settings

logger = logging.getLogger(__name__)


class Belonging:
    """Judges a crontab by what is in force, by what this process has done, and by its memory.

    Attributes:
        foreign: Why the crontab is not put in force; empty if it may be.
        kafka: The id of the Kafka that this is on; None if it is not known.
        is_adopting: Whether it is to replace what is in force, whatever that is: as it begins.
    """

    def __init__(
        self,
        settings: Settings,
        publisher: RunPublisher,
        memory: Memory,
        in_force: JobsKnown,
    ) -> None:
        self.foreign = ""
        self.kafka: str | None = None
        self._settings, self._publisher, self._memory = settings, publisher, memory
        self._in_force = in_force
        self._is_ours = settings.adopt
        self.is_adopting = settings.adopt
        self._remembered: str | None = None

    async def may_apply(self, crontab: Crontab) -> bool:
        """Return whether a crontab may take the place of what is in force; say why not, once."""
        if await self._belongs(crontab):
            self.foreign = ""
            return True
        count = len(self._in_force.jobs)
        which = self._in_force.installation
        before = self.foreign
        self.foreign = (
            f"{Path(self._settings.crontab).name} is not put in force: it has none of the {count} "
            f"jobs that are in force on this Kafka, which belong to another installation"
            f"{f' ({which})' if which else ''} and go on as they are. Start this scheduler with "
            "--adopt if it is to replace them; else give it another Kafka (CRONSTREAM_BROKER), or "
            "the right file (CRONSTREAM_CRONTAB)"
        )
        if self.foreign != before:
            logger.error("%s", self.foreign, extra=fields("crontab-foreign"))
        return False

    async def _belongs(self, crontab: Crontab) -> bool:
        if self._is_ours or not self._in_force.jobs or self.is_akin(crontab):
            return True
        which = self._in_force.installation
        return which is not None and await asyncio.to_thread(self._memory.knows, which)

    def is_akin(self, crontab: Crontab) -> bool:
        """Whether a crontab has any of the jobs that are in force."""
        names = {job.name for job in crontab.jobs}
        return any(job.name in names for job in self._in_force.jobs)

    async def compared(self, crontab: Crontab) -> None:
        """Take a crontab that stands by: one that has jobs which are in force belongs to them."""
        if self.is_akin(crontab):
            self._is_ours = True
            await self._remember(self._in_force.installation)

    async def settle(self) -> None:
        """Note that the crontab here is one of the installation; give that its id if it has none.

        From now on an edit of it may replace all that is in force.

        Raises:
            BrokerError: If the broker does not take it.
        """
        self._is_ours, self.is_adopting = True, False
        known, begun_on = self._in_force.installation, self._in_force.kafka
        which = known or (secrets.token_hex(16) if KINDS[Installation] <= LEVEL else None)
        if which is not None and (known is None or (begun_on is None and self.kafka)):
            told = Installation(id=which, kafka=self.kafka)
            await self._publisher.append(self._settings.names.jobs, 0, told)
        await self._remember(which)

    async def _remember(self, which: str | None) -> None:
        if which is not None and which != self._remembered:
            await asyncio.to_thread(self._memory.remember, which)
            self._remembered = which
