"""What a scheduler does about its crontab while it is another's turn to put one in force."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError

from cronstream.core.crontab.change import compare, count, describe_some
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.parts import as_far_as_known
from cronstream.core.health.presence import MOST_PROBLEMS
from cronstream.core.planning.recent import Recent
from cronstream.errors import CronstreamError
from cronstream.logs import fields
from cronstream.scheduler.belonging import Belonging
from cronstream.scheduler.world import Clock
from cronstream.system import give_memory_back
from cronstream.topology.jobs import JobsLog

logger = logging.getLogger(__name__)

#: A file that differs from what is in force for this long was not only edited a moment sooner.
LOOK_S = 5.0
#: With so many jobs in force, what it takes to read and compare them is given back to the system.
_MANY: Final = 5_000


class StandingBy:
    """Says, once, if the file here is not the one that is in force."""

    def __init__(self, file: Path, clock: Clock, jobs: JobsLog, belonging: Belonging) -> None:
        self._file, self._clock = file, clock
        self._jobs, self._belonging = jobs, belonging
        #: How the file differs, when it was last looked, and what was said of it.
        self._differing = self._told = ""
        self._looked_at = clock.monotonic()
        #: What was compared last, how far the topic had been read then, and how they differed.
        self._compared: Crontab | None = None
        self._read: dict[int, tuple[Recent, int]] = {}
        self._found, self._lines = "", list[str]()
        #: What would change with the file, as far as it is told; None if it was not compared.
        self.differences: list[str] | None = None

    def over(self) -> None:
        """Take it that it is this scheduler's turn: the file has been put in force."""
        self._told, self.differences = "", None

    async def look(self, crontab: Crontab, *, is_known: bool) -> None:
        """Compare the file with what is in force, if that was not done just now.

        Args:
            crontab: What is in the file.
            is_known: Whether it is known whose turn it is; if not, it is most likely ours.
        """
        now = self._clock.monotonic()
        if not is_known:
            self._looked_at, self._differing, self.differences = now, "", None
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        try:
            await self._compare(crontab)
        except (CronstreamError, KafkaError, OSError, TimeoutError):
            return  # It is no scheduler's turn to say that the broker is away, least of all this.
        except Exception:  # Its turn to apply may come, so its loop goes on, whatever it was.
            text = "%s could not be compared; trying again"
            logger.exception(text, self._file, extra=fields("crontab-not-compared"))
            return
        before, self._differing, self.differences = self._differing, self._found, self._lines
        if self._differing and self._differing == before != self._told:
            self._told = before
            self._say_how_it_differs(crontab)

    async def _compare(self, crontab: Crontab) -> None:
        """Compare them, unless neither has changed since that was done."""
        in_force = await self._jobs.read_on()
        read = {p: (recent, recent.position) for p, recent in in_force.of.items()}
        if crontab is self._compared and read == self._read:
            return
        jobs = in_force.jobs
        wanted = in_force.steered(crontab.jobs, jobs)
        change = await asyncio.to_thread(compare, jobs, wanted)
        await self._belonging.compared(crontab)
        crontab.share(jobs, change.names)
        change = as_far_as_known(crontab, change)
        self._lines = describe_some(change, MOST_PROBLEMS)
        self._compared, self._read, self._found = crontab, read, count(change)
        if len(jobs) >= _MANY:
            await asyncio.to_thread(give_memory_back)

    def _say_how_it_differs(self, crontab: Crontab) -> None:
        remedy = "give all schedulers the same file"
        if not self._belonging.is_akin(crontab):
            remedy += "; this one has none of its jobs, and does not take over without --adopt"
        logger.warning(
            "%s differs from the crontab in force (%s), which the scheduler that has shard 0 "
            "has put there: %s",
            self._file.name,
            self._differing,
            remedy,
            extra=fields("crontab-differs"),
        )
