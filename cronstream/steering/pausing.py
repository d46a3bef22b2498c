"""A job stops and goes on, or all jobs of a cluster do, by a person's word on ``jobs``."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cronstream import clock
from cronstream.core.schedule.duration import moment_of
from cronstream.core.wire.control import MOST_CHARACTERS, Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from cronstream.errors import AskedError, BrokerError, NotFoundError, nearest
from cronstream.history.house import see_that_one_may_publish
from cronstream.history.scope import LogReader
from cronstream.steering.believed import see_that_schedulers_believe
from cronstream.steering.connecting import Publishing
from cronstream.steering.jobs import find_job, published_jobs
from cronstream.topology.publish import partition_of

_ACK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """What is asked of a job, or of all jobs of a cluster: one of the two is named.

    Attributes:
        by: Who wants it.
        reason: Why, for people.
        until: When a pause ends by itself (UTC).
        retries: Whether later attempts of what has begun are skipped, too.
    """

    action: ControlAction
    job: str | None
    cluster: str | None
    by: str
    reason: str = ""
    until: datetime | None = None
    retries: bool = False


def until_of(text: str, now: datetime) -> datetime:
    """Return when a pause is to end: how long from now, such as ``2h 1d``, or an ISO time (UTC).

    Raises:
        AskedError: If it is neither, or is over.
    """
    try:
        moment = moment_of(text, now).replace(microsecond=0)  # Nobody means the fraction.
    except (ValueError, OverflowError) as error:
        raise AskedError(f"{text!r} is neither like 30m, 2h or 1d nor an ISO time") from error
    if moment <= now:
        raise AskedError(f"{text} is over")
    return moment


async def steer(
    reader: LogReader, publishing: Publishing, asked: PauseAsked
) -> tuple[Control, list[str]]:
    """Put the word on ``jobs``; return it, and the names of the jobs that it is about.

    A scheduler puts it in force within seconds (`is_in_force`).

    Raises:
        NotFoundError: If there is no such job, or no job of the cluster.
        AskedError: If the reason is too long.
        CronstreamError: If it cannot be published, or schedulers would not heed it.
    """
    if len(asked.reason) > MOST_CHARACTERS:
        raise AskedError(f"the reason is longer than {MOST_CHARACTERS} characters; shorten it")
    control, names = _control(asked, await published_jobs(reader))
    await see_that_one_may_publish(reader)
    await see_that_schedulers_believe(reader, control)
    await _put(reader, publishing, control)
    return control, names


def _control(asked: PauseAsked, jobs: dict[str, Job]) -> tuple[Control, list[str]]:
    if asked.job is not None:
        cluster, names = find_job(jobs, asked.job).cluster, [asked.job]
    else:
        cluster = asked.cluster or ""
        names = sorted(name for name, job in jobs.items() if job.cluster == cluster)
    if not names:
        there = sorted({job.cluster for job in jobs.values()})
        hint = nearest(cluster, there) or f"there are: {', '.join(there)}"
        raise NotFoundError(f"no job of a cluster {cluster!r} is in force; {hint}")
    control = Control(
        action=asked.action,
        cluster=cluster,
        by=asked.by,
        at=clock.now(),
        reason=asked.reason,
        job=asked.job,
        until=asked.until,
        retries=asked.retries,
    )
    return control, names


async def _put(reader: LogReader, publishing: Publishing, control: Control) -> None:
    """Put it on the partition of its job, or on each.

    Raises:
        BrokerError: If the broker does not acknowledge it in time.
    """
    partitions = await reader.partitions(reader.names.jobs)
    if control.job is not None:
        partitions = [partition_of(control.job, len(partitions))]
    try:
        async with publishing() as publisher, asyncio.timeout(_ACK_S):
            sent = [publisher.append(reader.names.jobs, p, control) for p in partitions]
            await asyncio.gather(*sent)
    except TimeoutError as error:
        raise BrokerError(
            f"not acknowledged within {_ACK_S:.0f} s, so it is not known whether it is on "
            f"{reader.names.jobs}; it does no harm to try again"
        ) from error


def is_in_force(job: Job, control: Control) -> bool:
    """Return whether a job's definition says what was asked of it, or what counts for more."""
    said = job.control
    if said is None:
        return False
    is_same = (said.at, said.by, said.action) == (control.at, control.by, control.action)
    if is_same or not said.is_pause or said.ends_at <= control.at:
        return is_same
    if not control.is_pause:
        return said.resumed_at is not None and said.resumed_at >= control.at
    # A pause stands beside one that is about other jobs, too, or about this one.
    return (said.job is None) != (control.job is None) and said.ends_at >= control.ends_at
