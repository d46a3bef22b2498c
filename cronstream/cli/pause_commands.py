"""``cronstream pause`` and ``cronstream resume``: a person's word on a job, or on a cluster's."""

import asyncio
from datetime import datetime
from typing import Any, Final

import click

from cronstream import clock
from cronstream.cli import coroutine, failures, proposals
from cronstream.cli.connection import publishing, reading
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.who import by_option
from cronstream.core.crontab.change import pause_words
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from cronstream.errors import AskedError
from cronstream.history.scope import LogReader
from cronstream.steering.jobs import published_jobs
from cronstream.steering.pausing import PauseAsked, is_in_force, steer, until_of

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
            return until_of(value, clock.now())
        except AskedError as error:
            self.fail(str(error), param, ctx)


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
    as_json = chosen.pop("as_json")
    asked = PauseAsked(action=action, **chosen)
    if (asked.job is None) == (asked.cluster is None):
        raise click.UsageError("name a job, or a cluster with --cluster")
    if not coroutine.run(_steer(asked, as_json=as_json)):
        click.get_current_context().exit(failures.FAILED)


async def _steer(asked: PauseAsked, *, as_json: bool) -> bool:
    """Return whether it is in force."""
    async with reading() as reader:
        control, jobs = await steer(reader, publishing, asked)
        found = await _in_force(reader, control, jobs)
    for name in jobs:
        _print(found.get(name), control, name, as_json=as_json)
    is_done = all(name not in found or is_in_force(found[name], control) for name in jobs)
    if not is_done:
        say(
            f"no scheduler has taken it up within {_IN_FORCE_S:.0f} s: it will once one runs; "
            "see who does with 'cronstream workers'"
        )
    return is_done


async def _in_force(reader: LogReader, control: Control, names: list[str]) -> dict[str, Job]:
    """Return the jobs once they are as was asked, or as they are after a while."""
    until = clock.monotonic() + _IN_FORCE_S
    while True:
        found = await published_jobs(reader)
        about = [found[name] for name in names if name in found]
        if all(is_in_force(job, control) for job in about) or clock.monotonic() > until:
            return found
        await asyncio.sleep(_LOOK_S)


def _print(job: Job | None, control: Control, name: str, *, as_json: bool) -> None:
    said = control if job is None or job.control is None else job.control
    is_done = job is not None and is_in_force(job, control)
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
                "in_force": is_done,
            }
        )
    elif not is_done:
        emit(f"what was asked of job {name} is not in force")
    elif said.is_pause:
        stays = "stays" if not control.is_pause else "is"
        emit(f"job {name} {stays} paused {pause_words(said)}")
    elif is_paused:
        emit(f"job {name} stays paused: the crontab says enabled: false")
    else:
        emit(f"job {name} goes on")
