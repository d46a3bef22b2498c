"""One run of a job at once, whatever its schedule says."""

from dataclasses import dataclass
from datetime import datetime

from cronstream import clock
from cronstream.core.planning import making
from cronstream.core.planning.chain import chained
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Job, Run
from cronstream.history.scope import LogReader
from cronstream.steering.connecting import Publishing
from cronstream.steering.given import with_given
from cronstream.steering.jobs import find_job, published_jobs
from cronstream.steering.publishing import publish_runs
from cronstream.topology.publish import Ack


@dataclass(frozen=True, slots=True)
class RunAsked:
    """Which run is wanted.

    Attributes:
        by: Who wants it.
        cluster: Where; None for where the job is.
        arguments: Behind its command.
        variables: Each as ``NAME=VALUE``.
    """

    job: str
    by: str
    cluster: str | None = None
    arguments: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


async def run_now(reader: LogReader, publishing: Publishing, asked: RunAsked) -> tuple[Run, Ack]:
    """Publish a run of a job as it is in force; return it, and where it stands.

    Raises:
        NotFoundError: If there is no such job, or no such cluster.
        AskedError: If the job does not allow what is given.
        CronstreamError: If it cannot be published (see `publish_runs`).
    """
    found = find_job(await published_jobs(reader), asked.job)
    job = with_given(found, asked.arguments, asked.variables)
    run = run_of(job, asked.cluster, clock.now(), asked.by)
    async with publishing() as publisher:
        [ack] = await publish_runs(publisher, reader, [run])
    return run, ack


def run_of(job: Job, cluster: str | None, now: datetime, by: str | None = None) -> Run:
    """Return a run of `job` that is due now, and asked for by a person.

    Its scheduled time is the whole second, its number the time in milliseconds: so two runs that
    are asked for within one second are two.
    """
    run = making.run_of(
        job,
        None,
        now.replace(microsecond=0),
        cause=Cause.RUN_NOW,
        number=int(now.timestamp() * 1000),
        by=by,
    )
    moved = run.derive(cluster=cluster or job.cluster, not_before=now, as_of=now)
    return chained(moved, job.cluster)
