"""The jobs that the schedulers have published, for who asks now."""

from functools import partial

from cronstream.core.wire import naming
from cronstream.core.wire.job_messages import decode_jobs
from cronstream.core.wire.runs import Job
from cronstream.history.scope import LogReader, Scope, read_topics
from cronstream.topology.jobs import JobsLog
from cronstream.topology.last_rows import rows_on


async def jobs_in_force(reader: LogReader) -> dict[str, Job]:
    """Return the newest definition of each job that has not been removed, by name."""
    partitions = await reader.partitions(naming.JOBS)
    log = JobsLog(reader, partial(rows_on, reader, naming.kept_jobs()), partitions)
    known = await log.read_on() if partitions else log.known
    return {job.name: job for job in known.jobs}


async def known_jobs(reader: LogReader) -> set[str]:
    """Return the names of all jobs that were ever in a crontab; it reads all of the topic."""
    found = set[str]()
    async for message in read_topics(reader, [naming.JOBS], Scope()):
        found.update(job.name for job in decode_jobs(message.value)[0])
    return found
