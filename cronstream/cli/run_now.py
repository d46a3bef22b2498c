"""``cronstream run-now``: one run of a job at once, whatever its schedule says."""

from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import click

from cronstream import clock
from cronstream.cli import coroutine, following, proposals
from cronstream.cli.connection import publish_runs, publishing, reading
from cronstream.cli.output import emit, emit_json, json_option, nearest, say
from cronstream.cli.run_now_given import with_given
from cronstream.cli.who import by_option
from cronstream.core.planning import draft
from cronstream.core.planning.chain import chained
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Job, Run
from cronstream.errors import BrokerError, NotFoundError
from cronstream.history.fields import full_fields
from cronstream.history.jobs import jobs_in_force
from cronstream.history.scope import LogReader, Scope
from cronstream.history.story import RunState, RunStory
from cronstream.history.words import change_text
from cronstream.settings import settings
from cronstream.topology.publish import Ack
from cronstream.trust.keyring import judge_for_command

#: Read from a little before the run's own entry: a broker's timestamps are in milliseconds.
_MARGIN = timedelta(seconds=1)


@click.command("run-now")
@click.argument("job", shell_complete=proposals.jobs)
@click.option(
    "--cluster",
    metavar="CLUSTER",
    shell_complete=proposals.clusters,
    help="Run it there, not on the job's own cluster.",
)
@click.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="X",
    help="One more argument for the command, $1 of a shell; the job has to have allow_args.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable for the command; the job has to name it in allow_env.",
)
@by_option
@click.option("--wait", is_flag=True, help="Wait for its verdict; exit with 0 if it succeeded.")
@json_option
def run_now(*, job: str, wait: bool, as_json: bool, **asked: Any) -> None:
    """Run JOB now, as it stands in the crontab that is in force.

    The new run's id is printed once it is on its cluster's log. It obeys the job's overlap
    policy: with another run under way it may be skipped, or wait.
    """
    succeeded = coroutine.run(_run_now(job, asked, wait=wait, as_json=as_json))
    if not succeeded:
        click.get_current_context().exit(1)


async def _run_now(name: str, asked: dict[str, Any], *, wait: bool, as_json: bool) -> bool:
    cluster, by = asked.pop("cluster"), asked.pop("by")
    async with reading() as reader:
        job = with_given(find_job(await published_jobs(reader), name), **asked)
        run = run_of(job, cluster, clock.now(), by)
        async with publishing() as publisher:
            [ack] = await publish_runs(publisher, reader, [run])
    if not wait:
        _print(run, as_json=as_json)
        return True
    if not as_json:
        _print(run, as_json=False)
    story = await _verdict(run, ack)
    if as_json:
        emit_json(full_fields(story, clock.now()))
    return story.state is RunState.SUCCEEDED


def _print(run: Run, *, as_json: bool) -> None:
    if as_json:
        emit_json({"run": run.id, "job": run.job, "cluster": run.cluster})
    else:
        emit(run.id)


async def _verdict(run: Run, ack: Ack) -> RunStory:
    scope = Scope(since=ack.at - _MARGIN, clusters=frozenset({run.cluster}), job=run.job)
    async with aclosing(following.changes(scope)) as changes:
        async for change in changes:
            if change.story.id != run.id:
                continue
            say(change_text(change))
            if change.story.state.settled:
                return change.story
    raise BrokerError(f"the ledgers ended before run {run.id} had its verdict")


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


def run_of(job: Job, cluster: str | None, now: datetime, by: str | None = None) -> Run:
    """Return a run of `job` that is due now, and asked for by a person.

    Its scheduled time is the whole second, its number the time in milliseconds: so two runs that
    are asked for within one second are two.
    """
    run = draft.run_of(
        job,
        None,
        now.replace(microsecond=0),
        cause=Cause.RUN_NOW,
        number=int(now.timestamp() * 1000),
        by=by,
    )
    return chained(run.derive(cluster=cluster or job.cluster, not_before=now, as_of=now))
