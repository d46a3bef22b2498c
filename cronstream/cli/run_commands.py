"""``cronstream runs`` and ``cronstream show``: what became of runs."""

from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cronstream import clock
from cronstream.cli import coroutine, following, proposals
from cronstream.cli.connection import reading
from cronstream.cli.options import (
    check_job,
    chosen_clusters,
    cluster_option,
    job_option,
    state_option,
)
from cronstream.cli.output import (
    Column,
    emit,
    emit_json,
    emit_table,
    json_option,
    say,
)
from cronstream.cli.progress import READING, progress
from cronstream.cli.story_output import emit_story
from cronstream.cli.times import Moment
from cronstream.core.wire.times import format_time
from cronstream.errors import NotFoundError
from cronstream.history.fields import change_fields, full_fields, run_fields
from cronstream.history.loading import LATEST, History, load
from cronstream.history.scope import Scope
from cronstream.history.story import RunState, RunStory
from cronstream.history.words import change_text, exit_text, format_duration, state_text

#: A run is on its log at most this long before its due time (the largest look-ahead, and more).
_BEFORE_DUE = timedelta(minutes=15)
_CANDIDATES = 5
_HOUR = timedelta(hours=1)

_COLUMNS = (
    Column("Run"),
    Column("State", styled=True),
    Column("Attempts"),
    Column("Delay", "right"),
    Column("Took", "right"),
    Column("Exit"),
    Column("Worker"),
)


@dataclass(frozen=True, slots=True)
class View:
    """Which runs a person wants to see, and how."""

    job: str | None
    cluster: str | None
    state: RunState | None
    limit: int
    as_json: bool


@click.command
@job_option
@cluster_option
@state_option
@click.option(
    "--since",
    type=Moment(),
    metavar="WHEN",
    help="What the ledgers say from then on (15m, 1h, 7d, or an ISO time).  [default: 1h]",
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@click.option("--follow", "follows", is_flag=True, help="Print each change as it happens.")
@json_option
def runs(*, since: datetime | None, follows: bool, **chosen: Any) -> None:
    """List runs, the newest last.

    With --follow, each change of a run's state is one line, from now on or from --since on, until
    Ctrl-C.
    """
    view = View(**chosen)
    begin = since or (clock.now() if follows else clock.now() - _HOUR)
    # What began before is known when the first change of it is reported, if it was not long before.
    earlier = begin - _HOUR if follows else begin
    scope = Scope(since=earlier, job=view.job, keep_output=False)
    coroutine.run(_follow(scope, view, begin) if follows else _list(scope, view))


async def _list(scope: Scope, view: View) -> None:
    async with progress(READING) as update, reading() as reader:
        scope = replace(scope, clusters=await chosen_clusters(reader, view.cluster))
        history = await load(reader, scope, update)
        if not history.runs():
            await check_job(reader, view.job)
    found = history.runs(state=view.state, limit=view.limit)
    if view.as_json:
        for story in found:
            emit_json(run_fields(story, clock.now()))
        return
    emit_table(_COLUMNS, [_row(story) for story in found])
    if not found and history.clusters and scope.since is not None:
        say(f"no such runs since {_whole(scope.since)}; look further back with --since")
    if any(story.partial for story in found):
        say("~ begins before what was read; look further back with --since")


def _row(story: RunStory) -> tuple[str, ...]:
    last = story.last
    return (
        f"{story.id}{' ~' if story.partial else ''}",
        state_text(story, clock.now()),
        story.attempts_text,
        format_duration(story.start_delay_s),
        format_duration(last.duration_s if last else None),
        exit_text(last) if last else "",
        (last.worker or "") if last else "",
    )


async def _follow(scope: Scope, view: View, begin: datetime) -> None:
    async with reading() as reader:
        scope = replace(scope, clusters=await chosen_clusters(reader, view.cluster))
    async with aclosing(following.changes(scope)) as changes:
        async for change in changes:
            if change.at < begin or view.state not in (None, change.story.state):
                continue
            if view.as_json:
                emit_json(change_fields(change))
            else:
                emit(change_text(change))


def _whole(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))


@click.command
@click.argument("run", shell_complete=proposals.runs)
@click.option(
    "--since",
    type=Moment(),
    metavar="WHEN",
    help="Read from then on.  [default: from the due time in the run's id, or 7d]",
)
@json_option
def show(run: str, since: datetime | None, *, as_json: bool) -> None:
    """Show one run with all its attempts, and what they wrote.

    RUN is a run's id, the beginning of one if it is the only one, or JOB@latest: the run of the
    job that started last.
    """
    scope = Scope(since=since or since_of(run), job=run.partition("@")[0] if "@" in run else None)
    story = coroutine.run(find_run(run, scope))
    if as_json:
        emit_json(full_fields(story, clock.now()))
    else:
        emit_story(story)


def since_of(run: str) -> datetime:
    """Return from when on the log can show the runs that `run` may mean."""
    due = run.partition("@")[2].partition("!")[0].partition("..")[0]
    for text in (due, due[:10]):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _BEFORE_DUE
    return clock.now() - timedelta(days=7)


async def find_run(run: str, scope: Scope) -> RunStory:
    """Return the run that is meant.

    Raises:
        UsageError: If several may be.
        NotFoundError: If there is none.
    """
    async with progress(READING) as update, reading() as reader:
        await chosen_clusters(reader, is_needed=True)
        history = await load(reader, scope, update)
        found = history.find(run)
        if not found:
            await check_job(reader, run.partition("@")[0])
    if len(found) > 1:
        raise click.UsageError(f"{run!r} may be any of {len(found)} runs: {_some(found)}")
    if not found:
        raise NotFoundError(_not_found(history, run, scope))
    return found[0]


def _some(found: list[RunStory]) -> str:
    some = ", ".join(story.id for story in found[:_CANDIDATES])
    return some + (f" and {len(found) - _CANDIDATES} more" if len(found) > _CANDIDATES else "")


def _not_found(history: History, run: str, scope: Scope) -> str:
    since = _whole(scope.since) if scope.since else "the beginning"
    job, _, rest = run.partition("@")
    if rest != LATEST:
        return (
            f"there is no run {run!r} on the ledgers since {since}; "
            "list what there is with 'cronstream runs', or look further back with --since"
        )
    upcoming = history.upcoming(job)
    hint = f"the next is {upcoming.id}" if upcoming else "look further back with --since"
    return f"no run of job {job!r} has started since {since}; {hint}"
