"""``cronstream discarded`` and ``cronstream replay``: runs that are out of attempts."""

import sys
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import click

from cronstream.cli import coroutine, proposals
from cronstream.cli.connection import publishing, reading
from cronstream.cli.options import (
    check_job,
    chosen_clusters,
    cluster_option,
    job_option,
    since_option,
)
from cronstream.cli.output import Column, emit, emit_json, emit_table, is_terminal, json_option, say
from cronstream.cli.progress import READING, progress
from cronstream.cli.times import Moment
from cronstream.cli.who import by_option
from cronstream.core.trust.judging import Standing
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time
from cronstream.history.discards import DiscardedRun, discarded_runs, with_replays
from cronstream.history.fields import discarded_fields
from cronstream.history.scope import LogReader, Scope
from cronstream.steering.jobs import homes
from cronstream.steering.publishing import publish_runs
from cronstream.steering.replaying import (
    discarded_by_id,
    fresh_runs,
    judged,
    see_that_all_are_trusted,
)

_COLUMNS = (
    Column("Run"),
    Column("Attempts"),
    Column("Reason", wraps=True),
    Column("Discarded at"),
    Column("Replayed as"),
)


@click.command
@job_option
@cluster_option
@since_option("7d", "Discarded from then on")
@json_option
def discarded(*, job: str | None, cluster: str | None, since: datetime, as_json: bool) -> None:
    """List the runs that are out of attempts, the newest last, and which were replayed."""
    found = coroutine.run(_discarded(Scope(since=since, job=job), cluster))
    if as_json:
        for one in found:
            emit_json(discarded_fields(one))
    else:
        emit_table(_COLUMNS, [_row(one) for one in found])


async def _discarded(scope: Scope, cluster: str | None) -> list[DiscardedRun]:
    async with progress(READING), reading() as reader:
        scope = replace(scope, clusters=await chosen_clusters(reader, cluster))
        found = await discarded_runs(reader, scope)
        if not found:
            await check_job(reader, scope.job)
        return await _with_replays(reader, found)


def _row(one: DiscardedRun) -> tuple[str, ...]:
    return (
        one.run.id,
        f"{one.run.attempt} of {one.run.max_attempts}",
        one.reason,
        format_time(one.discarded_at.replace(microsecond=0)),
        one.replays[-1] if one.replays else "",
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be replayed.

    Attributes:
        run_ids: Exactly these, or none for all that the rest of the options choose.
        again: Whether what was replayed before is replayed once more, when chosen by options.
        distrusted: Whether what no trusted key had signed is replayed, too.
    """

    run_ids: tuple[str, ...]
    job: str | None
    cluster: str | None
    since: datetime | None
    until: datetime | None
    again: bool
    distrusted: bool
    by: str
    dry_run: bool
    as_json: bool

    @property
    def has_filter(self) -> bool:
        """Whether an option chooses among the discarded runs."""
        return any((self.job, self.cluster, self.since, self.until))


@click.command
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=proposals.discarded)
@job_option
@cluster_option
@click.option("--since", type=Moment(), metavar="WHEN", help="Discarded from then on.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Discarded before then.")
@click.option("--all", "everything", is_flag=True, help="Every discarded run that is retained.")
@click.option("--again", is_flag=True, help="With options: those that were replayed before, too.")
@click.option(
    "--distrusted",
    is_flag=True,
    help="Those, too, whose signature does not hold: look at each of them before.",
)
@by_option
@click.option("--dry-run", is_flag=True, help="Print what would be replayed; publish nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def replay(*, runs: tuple[str, ...], everything: bool, yes: bool, **chosen: Any) -> None:
    """Publish discarded runs once more, each as a new run with all its attempts.

    Choose them by id, or by options: then you are asked first, and those that were replayed before
    are left out. Each new run's id is printed.
    """
    wanted = Wanted(runs, **chosen)
    by_options = everything or wanted.has_filter
    if not runs and not by_options:
        raise click.UsageError("name the runs, or choose them with --job, --since, … or --all")
    if runs and by_options:
        raise click.UsageError("name the runs or choose them with options, not both")
    coroutine.run(_replay(wanted, ask=not (yes or runs)))


async def _replay(wanted: Wanted, *, ask: bool) -> None:
    async with reading() as reader:
        chosen = await _choose(reader, wanted)
        if not wanted.distrusted:
            chosen = _trusted(chosen, is_named=bool(wanted.run_ids))
        if not chosen:
            say("nothing to replay")
            return
        if ask and not wanted.dry_run:
            _confirm(chosen)
        fresh = await fresh_runs(reader, chosen, wanted.by)
        _print_moved(chosen, fresh)
        if not wanted.dry_run:
            async with publishing() as publisher:
                await publish_runs(publisher, reader, fresh)
        _print(chosen, fresh, wanted)


async def _choose(reader: LogReader, wanted: Wanted) -> list[DiscardedRun]:
    if wanted.run_ids:
        return await _named(reader, wanted.run_ids)
    clusters = await chosen_clusters(reader, wanted.cluster)
    scope = Scope(since=wanted.since, clusters=clusters, job=wanted.job)
    found = await discarded_runs(reader, scope)
    if not found:
        await check_job(reader, wanted.job)
    if wanted.until is not None:
        found = [one for one in found if one.discarded_at < wanted.until]
    if wanted.again:
        return found
    fresh = [one for one in await _with_replays(reader, found) if not one.replays]
    if len(fresh) < len(found):
        say(f"left out: {len(found) - len(fresh)} that were replayed already (see --again)")
    return fresh


def _trusted(chosen: list[DiscardedRun], *, is_named: bool) -> list[DiscardedRun]:
    """Return those that were asked for by who may.

    Raises:
        KeysError: If one was named that was not.
    """
    if is_named:
        see_that_all_are_trusted(chosen)
        return chosen
    trusted = [one for one, found in judged(chosen) if found.standing is Standing.TRUSTED]
    if len(trusted) < len(chosen):
        wrong = len(chosen) - len(trusted)
        say(f"left out: {wrong} whose signature does not hold (see --distrusted)")
    return trusted


async def _named(reader: LogReader, run_ids: tuple[str, ...]) -> list[DiscardedRun]:
    await chosen_clusters(reader, is_needed=True)
    return await discarded_by_id(reader, run_ids)


def _confirm(chosen: list[DiscardedRun]) -> None:
    jobs = sorted({one.run.job for one in chosen})
    names = ", ".join(jobs[:5]) + (f" and {len(jobs) - 5} more" if len(jobs) > 5 else "")
    if not is_terminal(sys.stdin):
        what = f"{len(chosen)} runs would be replayed ({names})"
        raise click.UsageError(f"{what}: confirm with --yes")
    click.confirm(f"Replay {len(chosen)} runs of {names}?", abort=True, err=True)


async def _with_replays(reader: LogReader, found: list[DiscardedRun]) -> list[DiscardedRun]:
    return await with_replays(reader, found, await homes(reader) if found else {})


def _print_moved(chosen: list[DiscardedRun], fresh: list[Run]) -> None:
    moved = {
        f"job {new.job!r} is in cluster {new.cluster!r} now, and is replayed there"
        for one, new in zip(chosen, fresh, strict=True)
        if one.run.cluster != new.cluster
    }
    for sentence in sorted(moved):
        say(sentence)


def _print(chosen: list[DiscardedRun], fresh: list[Run], wanted: Wanted) -> None:
    for one, new in zip(chosen, fresh, strict=True):
        published = None if wanted.dry_run else new.id
        if wanted.as_json:
            emit_json({"run": published, "replays": one.run.id, "cluster": new.cluster})
        else:
            emit(published or one.run.id)
    runs = "1 run" if len(chosen) == 1 else f"{len(chosen)} runs"
    say(f"{runs} {'would be' if wanted.dry_run else 'published to be'} replayed")
