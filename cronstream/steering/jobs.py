"""The jobs in force, for who asks something of one."""

from cronstream.core.wire.runs import Job
from cronstream.errors import NotFoundError, nearest
from cronstream.history.jobs import jobs_in_force
from cronstream.history.scope import LogReader
from cronstream.settings import settings
from cronstream.trust.keyring import judge_for_command


async def published_jobs(reader: LogReader) -> dict[str, Job]:
    """Return the jobs in force by name.

    Raises:
        NotFoundError: If no scheduler has published any.
    """
    if not await reader.partitions(reader.names.jobs):
        raise NotFoundError(
            "no scheduler has published its jobs on this broker yet; "
            "start one with 'cronstream up' or 'faust -A cronstream worker'"
        )
    return await jobs_in_force(reader, judge_for_command(settings()))


def find_job(jobs: dict[str, Job], name: str) -> Job:
    """Return the job of that name.

    Raises:
        NotFoundError: If there is none; the sentence names the nearest.
    """
    if name in jobs:
        return jobs[name]
    hint = nearest(name, jobs) or f"{len(jobs)} jobs are in force"
    raise NotFoundError(f"there is no job {name!r} in the crontab that is in force; {hint}")


async def homes(reader: LogReader) -> dict[str, str]:
    """Return the cluster of each job that is in force, as far as schedulers have announced."""
    jobs = await jobs_in_force(reader, judge_for_command(settings()))
    return {name: job.cluster for name, job in jobs.items()}
