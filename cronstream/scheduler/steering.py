"""Puts into the definitions of jobs what people have asked of them: to pause, or to go on.

That is done whatever the crontab's file is like: who stops a job at night need not mend it first.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any

from aiokafka.errors import KafkaError

from cronstream.core.crontab.change import pause_words
from cronstream.core.planning.cursor import Place
from cronstream.core.planning.known_jobs import JobsKnown, State
from cronstream.core.planning.pauses import MARGIN
from cronstream.core.wire.runs import Job
from cronstream.errors import CronstreamError
from cronstream.logs import fields
from cronstream.scheduler.announcing import Announcer
from cronstream.scheduler.foreign import JobsInForce
from cronstream.scheduler.news import JobsNews
from cronstream.scheduler.signing import see_that_they_count
from cronstream.settings import Settings
from cronstream.topology.installation_level import see_that_it_is_open
from cronstream.topology.publish import partition_of

logger = logging.getLogger(__name__)

#: How long the logs have to take the level; whoever publishes there sees to it again.
ANNOUNCED_S = 3.0
#: No more jobs are named in the log at a time.
_NAMED = 20


class Steering:
    """Sees what has been asked, and that it may be said; what fails is tried again at each look."""

    def __init__(
        self, settings: Settings, jobs: JobsNews, announcer: Announcer, in_force: JobsInForce
    ) -> None:
        self._settings, self._jobs, self._announcer = settings, jobs, announcer
        self._in_force = in_force
        #: How far the topic had been read when all that was asked was in force.
        self._done: State = ()

    async def asked(self, doubt: Callable[[Job], str]) -> list[Job]:
        """Return the jobs in force of which people have asked what is not in force yet.

        Args:
            doubt: Returns why a job that this process publishes would not count.
        """
        found: list[Job] = []

        async def look() -> None:
            known = await self._jobs.read_on()
            see_that_it_is_open(known.house)
            state = known.state
            if not known.controls or state == self._done:
                return
            jobs = await asyncio.to_thread(self._asked_of, known)
            self._done = () if jobs else state
            places = {self._place_of(job) for job in jobs}
            if places:
                await self._announcer.announce(places, ANNOUNCED_S)
            see_that_they_count(jobs, doubt)
            found.extend(jobs)

        await self.put(look())
        return found

    async def put(self, publishing: Coroutine[Any, Any, None]) -> bool:
        """Return whether something was done; if not, it is on the topic, and tried again."""
        try:
            await publishing
        except (CronstreamError, KafkaError, OSError, TimeoutError) as error:
            logger.debug("what was asked of jobs is not put in force now (%s)", error)
        except Exception:
            text = "what was asked of jobs could not be put in force; trying again"
            logger.exception(text, extra=fields("jobs-not-steered"))
        else:
            return True
        return False

    def _asked_of(self, known: JobsKnown) -> list[Job]:
        before = self._in_force.of(known)
        after = known.steered(before)
        return [job for was, job in zip(before, after, strict=True) if job.control != was.control]

    def _place_of(self, job: Job) -> Place:
        return Place(job.cluster, partition_of(job.name, self._settings.partitions))


def log_asked(jobs: Iterable[Job]) -> None:
    """Say which jobs are paused now, and which go on."""
    for count, job in enumerate(jobs):
        if count == _NAMED:
            logger.info("and so are more", extra=fields("jobs-steered"))
            return
        control = job.control
        if control is not None and control.is_pause:
            about = fields("job-paused", job=job.name)
            verb = "is" if control.resumed_at is None else "stays"
            logger.warning("job %s %s paused %s", job.name, verb, pause_words(control), extra=about)
        else:
            by = "its cluster" if control is None else control.by
            about = fields("job-resumed", job=job.name)
            logger.info("job %s goes on (%s)", job.name, by, extra=about)


def holds_from(job: Job, now: datetime, look_ahead_s: float) -> datetime:
    """Return from when a definition is said to hold that is published now.

    One by which a job is paused holds beyond what is published ahead: that is skipped run by run,
    and what comes after it by the hour (rule 25).
    """
    if job.removed or job.paused_to is None or job.paused_to <= now:
        return now
    return now + timedelta(seconds=look_ahead_s) + MARGIN
