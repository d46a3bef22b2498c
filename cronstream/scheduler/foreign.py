"""Sees what others have put on ``jobs``: a job stands there as the file has it, or is put right.

Only the scheduler that has shard 0 puts jobs there, as its file says. Whoever else may write there
could have any command run; so what is in force is compared with the file whenever something has
come, and the file is put in force again. A job on another partition than its name's is none.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from cronstream.core.crontab.change import Change, compare, count
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.parts import as_far_as_known
from cronstream.core.planning.known_jobs import JobsKnown, State
from cronstream.core.wire.runs import Job
from cronstream.logs import fields
from cronstream.scheduler.news import JobsNews
from cronstream.scheduler.world import Clock
from cronstream.topology.publish import partition_of

logger = logging.getLogger(__name__)

#: It is looked whether something has come this often.
LOOK_S: Final = 2.0
#: No more jobs are named in a line.
_NAMED: Final = 5


def belongs(job: Job, partition: int, partitions: int) -> bool:
    """Whether a job stands on the partition of its name."""
    return partition_of(job.name, partitions) == partition


def in_force_of(known: JobsKnown) -> Sequence[Job]:
    """Return the jobs in force that stand where they belong."""
    of = known.of.items()
    return [job for p, recent in of for job in recent.in_force() if belongs(job, p, len(known.of))]


class JobsInForce:
    """Those jobs, as long as nothing has come: very many are not looked through each time."""

    def __init__(self) -> None:
        self._of: tuple[State, Sequence[Job]] = (), ()

    def of(self, known: JobsKnown) -> Sequence[Job]:
        """Return the jobs in force that stand where they belong."""
        state, jobs = self._of
        if state != known.state or not state:
            state = known.state
            jobs = in_force_of(known)
            self._of = state, jobs
        return jobs


class ForeignJobs:
    """Compares what has come on ``jobs`` with the file.

    Args:
        topic: Its name.
    """

    def __init__(self, topic: str, jobs: JobsNews, clock: Clock, in_force: JobsInForce) -> None:
        self._topic, self._jobs, self._clock, self._in_force = topic, jobs, clock, in_force
        #: How far each partition had been read when it was compared last.
        self._compared: State = ()

    async def differ(self, crontab: Crontab) -> bool:
        """Whether the jobs in force are no longer those of the file, which is in force; say so.

        Raises:
            CronstreamError: If the topic cannot be read; or it is a KafkaError or an OSError.
        """
        known = await self._jobs.read_on()
        state = known.state
        if state == self._compared:
            return False
        in_force = self._in_force.of(known)
        wanted = known.steered(crontab.jobs, in_force)
        change = await asyncio.to_thread(compare, in_force, wanted)
        crontab.share(in_force, change.names)
        if change:
            # What people have asked is nobody else's; it is put there in a moment.
            change = await asyncio.to_thread(compare, known.steered(in_force), wanted)
        change = as_far_as_known(crontab, change)
        ahead = [job.name for job in known.ahead(self._clock.now())]
        self._compared = state
        if change or ahead:
            self._say(change, ahead)
        return bool(change or ahead)

    def _say(self, change: Change, ahead: list[str]) -> None:
        jobs = [*change.added, *change.changed, *change.removed]
        names = list(dict.fromkeys([*(job.name for job in jobs), *ahead]))
        named = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        logger.warning(
            "somebody else has put jobs on %s (%s): the file is put in force again (%s); see to "
            "who may write there",
            self._topic,
            named,
            count(change) or "from now",
            extra=fields(
                "jobs-foreign",
                jobs=len(names),
                added=len(change.added),
                changed=len(change.changed),
                removed=len(change.removed),
            ),
        )
