"""``cronstream pause`` and ``cronstream resume``: a person's word on a job, or on a cluster's."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from cronstream import clock
from cronstream.cli import coroutine, failures, proposals
from cronstream.cli.believed import see_that_schedulers_believe
from cronstream.cli.connection import publishing, reading
from cronstream.cli.output import emit, emit_json, json_option, nearest, say
from cronstream.cli.run_now import find_job, published_jobs
from cronstream.cli.who import by_option
from cronstream.core.crontab.change import pause_words
from cronstream.core.schedule.duration import parse_duration
from cronstream.core.wire.control import MOST_CHARACTERS, Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from cronstream.errors import BrokerError, NotFoundError
from cronstream.history.house import see_that_one_may_publish
from cronstream.history.scope import LogReader
from cronstream.topology.publish import partition_of

_ACK_S: Final = 30.0
#: A scheduler looks every two seconds; who takes over has the shard after some more.
_IN_FORCE_S: Final = 15.0
_LOOK_S: Final = 0.5


class _Until(click.ParamType):
    """A time to come: how long from now, such as ``90s 2h 1d``, or an ISO time."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware UTC time; an ISO time without a zone is in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = _moment(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither like 30m, 2h or 1d nor an ISO time", param, ctx)
        if moment <= clock.now():
            self.fail(f"{value} is over", param, ctx)
        return moment


def _moment(text: str) -> datetime:
    if text[:1].isdigit() and text[-1:] in "smhdw":
        moment = clock.now() + timedelta(seconds=parse_duration(text))
        return moment.replace(microsecond=0)  # Nobody means the fraction.
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was asked for."""

    action: ControlAction
    job: str | None
    cluster: str | None
    by: str
    reason: str
    as_json: bool
    until: datetime | None = None
    retries: bool = False


_job = click.argument("job", required=False, shell_complete=proposals.jobs)
_cluster = click.option(
    "--cluster", metavar="CLUSTER", shell_complete=proposals.clusters, help="All of its jobs."
)
_reason = click.option("--reason", metavar="WHY", default="", help="Why, for whoever looks.")


@click.command
@_job
@_cluster
@_reason
@click.option(
    "--until", type=_Until(), metavar="WHEN", help="It ends by itself then (2h, or an ISO time)."
)
@click.option("--retries", is_flag=True, help="Skip later attempts of what has begun, too.")
@by_option
@json_option
def pause(**chosen: Any) -> None:
    """Pause JOB, or all jobs of a cluster, until somebody resumes it.

    What has not begun is skipped as paused, whenever it was due; what has begun goes on, with its
    later attempts. What is run by hand goes through. No edit of the crontab ends the pause.
    """
    _run(ControlAction.PAUSE, chosen)


@click.command
@_job
@_cluster
@_reason
@by_option
@json_option
def resume(**chosen: Any) -> None:
    """Have JOB, or the jobs of a cluster, go on.

    Also a job that its own discarded runs have paused (pause_after). A job stays paused as long as
    its cluster is, or the crontab says so (enabled: false).
    """
    _run(ControlAction.RESUME, chosen)


def _run(action: ControlAction, chosen: dict[str, Any]) -> None:
    wanted = _Wanted(action=action, **chosen)
    if (wanted.job is None) == (wanted.cluster is None):
        raise click.UsageError("name a job, or a cluster with --cluster")
    if len(wanted.reason) > MOST_CHARACTERS:
        raise click.UsageError(f"--reason is longer than {MOST_CHARACTERS} characters")
    if not coroutine.run(_steer(wanted)):
        click.get_current_context().exit(failures.FAILED)


async def _steer(wanted: _Wanted) -> bool:
    """Return whether it is in force."""
    async with reading() as reader:
        control, jobs = _control(wanted, await published_jobs(reader))
        await see_that_one_may_publish(reader)
        await see_that_schedulers_believe(reader, control)
        await _put(reader, control)
        found = await _in_force(reader, control, jobs)
    for name in jobs:
        _print(found.get(name), control, name, as_json=wanted.as_json)
    is_done = all(name not in found or _is_in_force(found[name], control) for name in jobs)
    if not is_done:
        say(
            f"no scheduler has taken it up within {_IN_FORCE_S:.0f} s: it will once one runs; "
            "see who does with 'cronstream workers'"
        )
    return is_done


def _control(wanted: _Wanted, jobs: dict[str, Job]) -> tuple[Control, list[str]]:
    """Return the word, and the jobs that it is about.

    Raises:
        NotFoundError: If there is no such job, or no job of the cluster.
    """
    if wanted.job is not None:
        cluster, names = find_job(jobs, wanted.job).cluster, [wanted.job]
    else:
        cluster = wanted.cluster or ""
        names = sorted(name for name, job in jobs.items() if job.cluster == cluster)
    if not names:
        there = sorted({job.cluster for job in jobs.values()})
        hint = nearest(cluster, there) or f"there are: {', '.join(there)}"
        raise NotFoundError(f"no job of a cluster {cluster!r} is in force; {hint}")
    control = Control(
        action=wanted.action,
        cluster=cluster,
        by=wanted.by,
        at=clock.now(),
        reason=wanted.reason,
        job=wanted.job,
        until=wanted.until,
        retries=wanted.retries,
    )
    return control, names


async def _put(reader: LogReader, control: Control) -> None:
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


async def _in_force(reader: LogReader, control: Control, names: list[str]) -> dict[str, Job]:
    """Return the jobs once they are as was asked, or as they are after a while."""
    until = clock.monotonic() + _IN_FORCE_S
    while True:
        found = await published_jobs(reader)
        about = [found[name] for name in names if name in found]
        if all(_is_in_force(job, control) for job in about) or clock.monotonic() > until:
            return found
        await asyncio.sleep(_LOOK_S)


def _is_in_force(job: Job, control: Control) -> bool:
    """Whether a job's definition says what was asked of it, or what counts for more."""
    said = job.control
    if said is None:
        return False
    is_same = (said.at, said.by, said.action) == (control.at, control.by, control.action)
    lasts = said.is_pause and said.ends_at > control.at
    return is_same or (lasts and _counts_for_more(said, control))


def _counts_for_more(said: Control, control: Control) -> bool:
    """Whether a pause stands beside a word that is about other jobs, too, or about this one."""
    is_other = (said.job is None) != (control.job is None)
    return is_other and (not control.is_pause or said.ends_at >= control.ends_at)


def _print(job: Job | None, control: Control, name: str, *, as_json: bool) -> None:
    said = control if job is None or job.control is None else job.control
    is_in_force = job is not None and _is_in_force(job, control)
    is_paused = job is not None and job.paused_to is not None
    if as_json:
        emit_json(
            {
                "job": name,
                "cluster": control.cluster,
                "paused": is_paused,
                "by": said.by,
                "reason": said.reason or None,
                "until": said.until,
                "retries": said.retries,
                "in_force": is_in_force,
            }
        )
    elif not is_in_force:
        emit(f"what was asked of job {name} is not in force")
    elif said.is_pause:
        stays = "stays" if not control.is_pause else "is"
        emit(f"job {name} {stays} paused {pause_words(said)}")
    elif is_paused:
        emit(f"job {name} stays paused: the crontab says enabled: false")
    else:
        emit(f"job {name} goes on")
