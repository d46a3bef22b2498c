"""``cronstream cancel``: ends runs that are under way, and drops those that wait."""

from dataclasses import dataclass
from typing import Any

import click

from cronstream.cli import coroutine, failures, proposals
from cronstream.cli.connection import publishing, reading
from cronstream.cli.options import check_job, chosen_clusters
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.run_commands import since_of
from cronstream.cli.who import by_option
from cronstream.history.loading import load
from cronstream.history.scope import LogReader, Scope, clusters
from cronstream.history.words import state_text
from cronstream.steering.cancelling import (
    Target,
    cancel_runs,
    hint,
    patience_s,
    target_of,
    targets_of_job,
    until_ended,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be cancelled, and how.

    Attributes:
        runs: These; or, if there are none, all live runs of `job`.
        within_s: How long it is waited for; None for the usual.
    """

    runs: tuple[str, ...]
    job: str | None
    cluster: str | None
    by: str
    within_s: float | None
    as_json: bool


@click.command
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=proposals.live)
@click.option(
    "--job",
    metavar="JOB",
    shell_complete=proposals.jobs,
    help="All runs of this job that have no verdict.",
)
@click.option(
    "--cluster", metavar="CLUSTER", shell_complete=proposals.clusters, help="Only on this cluster."
)
@by_option
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Wait so long for what becomes of it.  [default: 30, and the grace of what runs]",
)
@json_option
def cancel(**chosen: Any) -> None:
    """End runs that are under way, and drop those that wait.

    A command that runs gets TERM, its grace, and KILL; a run that waits, for its time, a slot or a
    retry, never starts. Each is skipped (cancelled), and is not made again. RUN is a run's id, or
    the beginning of one if it is the only one. The job stays in the crontab.
    """
    wanted = Wanted(**chosen)
    if bool(wanted.runs) == (wanted.job is not None):
        raise click.UsageError("name the runs, or a job with --job")
    click.get_current_context().exit(coroutine.run(_cancel(wanted)))


async def _cancel(wanted: Wanted) -> int:
    """Return the exit status: 0 if all that was asked for has been cancelled."""
    async with reading() as reader:
        targets, status = await _find(reader, wanted)
        if targets:
            await cancel_runs(reader, publishing, wanted.by, targets)
            limit_s = patience_s(targets) if wanted.within_s is None else wanted.within_s
            await until_ended(reader, targets, limit_s)
    for target in targets:
        _print_target(target, as_json=wanted.as_json)
    return status or (0 if all(target.is_cancelled for target in targets) else failures.FAILED)


# -- which runs ------------------------------------------------------------------------------------


async def _find(reader: LogReader, wanted: Wanted) -> tuple[list[Target], int]:
    """Return what is to be cancelled, and the exit status if something is missing."""
    chosen = await chosen_clusters(reader, wanted.cluster, is_needed=True)
    names = sorted(chosen) if chosen is not None else await clusters(reader)
    if wanted.job is not None:
        targets = await targets_of_job(reader, names, wanted.job)
        if not targets:
            await check_job(reader, wanted.job)
            say(f"nothing to cancel: job {wanted.job!r} has no run without a verdict")
        return targets, 0
    found: dict[str, Target] = {}
    status = 0
    for run in wanted.runs:
        target = await target_of(reader, names, run)
        if target is None:
            status = max(status, await _explain(reader, run))
        else:
            found[target.id] = target
    return list(found.values()), status


async def _explain(reader: LogReader, run: str) -> int:
    """Say why there is nothing to cancel, for it is over or has never been; return a status."""
    scope = Scope(since=since_of(run), job=run.partition("@")[0], keep_output=False)
    story = (await load(reader, scope)).get(run)
    if story is None:
        where = "list those without a verdict with 'cronstream runs'"
        say(f"run {run!r}: no run with this id is without a verdict; {where}")
        return failures.NOT_FOUND
    say(f"run {story.id}: it already has its verdict: {state_text(story)}")
    return failures.FAILED


# -- printing --------------------------------------------------------------------------------------


def _print_target(target: Target, *, as_json: bool) -> None:
    if as_json:
        emit_json(_fields(target))
    elif target.end is not None:
        but = "" if target.is_cancelled else " before it could be cancelled"
        on = f" on {target.holder}" if target.holder else ""
        emit(f"{target.id}  {target.end.text}{but}; it was {target.before}{on}")
    if target.end is None:
        say(f"run {target.id}: it was asked to end, but has not yet: {hint(target)}")


def _fields(target: Target) -> dict[str, Any]:
    end = target.end
    return {
        "run": target.id,
        "job": target.live.run.job,
        "cluster": target.place.cluster,
        "before": target.before,
        "worker": target.holder,
        "state": target.live.state if end is None else end.action,
        "reason": None if end is None else end.reason or None,
        "cancelled": target.is_cancelled,
    }
