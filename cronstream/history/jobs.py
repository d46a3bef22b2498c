"""The jobs that the schedulers have published, for who asks now."""

from collections.abc import Callable
from functools import partial

from cronstream.core.trust.judging import TRUSTED, Judgement
from cronstream.core.wire.control import Control
from cronstream.core.wire.job_messages import decode_jobs
from cronstream.core.wire.runs import Job
from cronstream.history.scope import LogReader, Scope, read_topics
from cronstream.topology.jobs import JobsLog
from cronstream.topology.last_rows import rows_on


async def jobs_in_force(
    reader: LogReader, judge: Callable[[Job | Control], Judgement] = lambda _: TRUSTED
) -> dict[str, Job]:
    """Return the newest definition of each job that has not been removed, by name.

    Args:
        reader: Reads the topic.
        judge: Says what is thought of a job: only what is trusted counts.
    """
    partitions = await reader.partitions(reader.names.jobs)
    log = JobsLog(reader, partial(rows_on, reader, reader.names.kept_jobs), partitions)
    log.judge = judge
    known = await log.read_on() if partitions else log.known
    return {job.name: job for job in known.jobs}


async def known_jobs(reader: LogReader) -> set[str]:
    """Return the names of all jobs that were ever in a crontab; it reads all of the topic."""
    found = set[str]()
    async for message in read_topics(reader, [reader.names.jobs], Scope()):
        found.update(job.name for job in decode_jobs(message.value)[0])
    return found
