"""``cronstream run-now``: one run of a job at once, whatever its schedule says."""

from contextlib import aclosing
from datetime import timedelta
from typing import Any

import click

from cronstream import clock
from cronstream.cli import coroutine, following, proposals
from cronstream.cli.connection import publishing, reading
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.who import by_option
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError
from cronstream.history.fields import full_fields
from cronstream.history.scope import Scope
from cronstream.history.story import RunState, RunStory
from cronstream.history.words import change_text
from cronstream.steering import running as steering
from cronstream.steering.running import RunAsked
from cronstream.topology.publish import Ack

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
def run_now(*, wait: bool, as_json: bool, **asked: Any) -> None:
    """Run JOB now, as it stands in the crontab that is in force.

    The new run's id is printed once it is on its cluster's log. It obeys the job's overlap
    policy: with another run under way it may be skipped, or wait.
    """
    succeeded = coroutine.run(_run_now(RunAsked(**asked), wait=wait, as_json=as_json))
    if not succeeded:
        click.get_current_context().exit(1)


async def _run_now(asked: RunAsked, *, wait: bool, as_json: bool) -> bool:
    async with reading() as reader:
        run, ack = await steering.run_now(reader, publishing, asked)
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
