"""``cronstream plan``: what a crontab would change, in jobs and in due times, before it does.

Exit status: 0 nothing, 1 no answer (also for wrong usage), 2 something, 3 something that a
scheduler would hold back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from cronstream import clock
from cronstream.cli.crontab_commands import read_named, shown_name
from cronstream.cli.lean import load
from cronstream.cli.output import Column, emit, emit_json, emit_table, json_option, say
from cronstream.cli.times import Length
from cronstream.core.crontab.change import (
    Change,
    by_whom_paused,
    compare,
    count,
    describe,
    differences,
)
from cronstream.core.crontab.outlook import Outlook, Span, outlook
from cronstream.core.crontab.removals import Removal, unmeant_removal
from cronstream.core.crontab.words import difference_words
from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time
from cronstream.settings import settings

WOULD_CHANGE: Final = 2
WOULD_BE_HELD_BACK: Final = 3
_FAILED: Final = 1
_IN_FORCE: Final = "what is in force"
_COLUMNS = tuple(map(Column, ("change", "was due", "is due", "job", "cluster")))


class _PlanCommand(click.Command):
    """A command whose exit status 2 is an answer: what is mistyped ends with 1."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Return the context of a command line that was understood."""
        try:
            ctx = super().make_context(*args, **kwargs)
            _refuse_one_for_two(**ctx.params)
        except click.UsageError as error:
            error.exit_code = _FAILED
            raise
        return ctx


def _refuse_one_for_two(*, file: Path | None = None, file2: Path | None = None, **_: Any) -> None:
    if file == file2 == Path("-"):
        raise click.UsageError("standard input is one file, and here are two; name one")


@dataclass(frozen=True, slots=True)
class _Found:
    """What would change.

    Attributes:
        before: What the file is compared with: a file, or what is in force.
        after: The file.
        unmeant: What the file would take out, so that it would be held back.
    """

    before: str
    after: str
    change: Change
    due: Outlook
    unmeant: Removal | None


@click.command(cls=_PlanCommand)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.argument("file2", required=False, type=click.Path(path_type=Path))
@click.option(
    "--within",
    type=Length(),
    default="24h",
    show_default=True,
    metavar="LENGTH",
    help="How far ahead due times are compared.",
)
@click.option(
    "--limit",
    type=click.IntRange(0, 10_000),
    default=50,
    show_default=True,
    help="How many jobs, and due times, are shown; all are counted.",
)
@json_option
@click.pass_context
def plan(ctx: click.Context, /, *, limit: int, as_json: bool, **given: Any) -> None:
    """Show what a crontab would change, in jobs and in due times.

    FILE (the one that the scheduler reads, unless another is named; - is standard input) is
    compared with what is in force. With FILE2, that is compared with FILE, and no broker is asked.
    Exit status 2 says that something would change; 3, that a scheduler would hold it back.
    """
    found = _found(limit=limit, **given)
    if as_json:
        for fields in _objects(found, limit):
            emit_json(fields)
    else:
        _show(found, limit)
    if found.unmeant:
        ctx.exit(WOULD_BE_HELD_BACK)
    if found.change:
        ctx.exit(WOULD_CHANGE)


def _found(*, file: Path | None, file2: Path | None, within: timedelta, limit: int) -> _Found:
    named = file if file2 is None else file2
    crontab = read_named(named)
    if file2 is None:
        before, jobs = _IN_FORCE, load("cronstream.cli.in_force").jobs_now()
    else:
        before, jobs = str(shown_name(file)), read_named(file).jobs
    change, now = compare(jobs, crontab.jobs), clock.now().replace(microsecond=0)
    span = Span(now, now + within, timedelta(seconds=settings().look_ahead_s))
    due = outlook(change, span, keep=limit)
    unmeant = unmeant_removal(jobs, change, crontab.allow_removals)
    return _Found(before, str(shown_name(named)), change, due, unmeant)


def _show(found: _Found, limit: int) -> None:
    """Print it for people: what it is in short, then the jobs, then the due times."""
    change, due = found.change, found.due
    emit(f"{found.after}, compared with {found.before}: {_in_short(change)}")
    lines = describe(change)
    for line in lines[:limit]:
        emit(f"  {line}")
    _say_more(len(lines) - limit, "jobs")
    paused = [line for job in (*change.added, *change.changed) for line in _paused(job, due)]
    for line in paused[:limit]:
        emit(f"  {line}")
    _say_more(len(paused) - limit, "paused jobs")
    if not change:
        return
    length = format_duration((due.span.until - due.span.start).total_seconds())
    emit(f"due times of {length} from {format_time(due.span.start)} on: {due}")
    emit_table(
        _COLUMNS,
        [
            (one.kind, _time(one.before), _time(one.after), one.job.name, one.job.cluster)
            for one in due.first
        ],
    )
    _say_more(due.total - len(due.first), "due times")
    if found.unmeant:
        emit(f"held back: it would take out {found.unmeant}")
        say(f"if that is meant, write 'allow_removals: {found.unmeant.mark}' into {found.after}")
    if any(a.cluster != b.cluster for a, b in zip(change.before, change.changed, strict=True)):
        ahead = format_duration(due.span.look_ahead.total_seconds())
        say(f"a job that changes its cluster is due on its former one for {ahead} more")


def _paused(job: Job, due: Outlook) -> Iterator[str]:
    """Yield that a job is paused, if it is so."""
    words = by_whom_paused(job, due.span.start)
    if words is not None:
        yield f"job {job.name} is paused {words}"


def _in_short(change: Change) -> str:
    return f"jobs {count(change)}" if change else "nothing would change"


def _say_more(number: int, what: str) -> None:
    if number > 0:
        say(f"and {number} more {what}: --limit shows more")


def _objects(found: _Found, limit: int) -> Iterator[dict[str, Any]]:
    """Yield it for programs: the sum, then the jobs, then the due times."""
    change, due = found.change, found.due
    counts = {
        "added": len(change.added),
        "changed": len(change.changed),
        "removed": len(change.removed),
    }
    yield {
        "kind": "sum",
        "before": None if found.before == _IN_FORCE else found.before,
        "after": found.after,
        "jobs": counts,
        "due_times": {"added": due.added, "moved": due.moved, "removed": due.removed},
        "jobs_not_counted": due.unknown,
        "held_back": _removal(found.unmeant),
        "from": due.span.start,
        "until": due.span.until,
    }
    yield from islice(_job_objects(change, due.span.start), limit)
    for one in due.first:
        about = {"job": one.job.name, "cluster": one.job.cluster}
        yield {"kind": "due", "change": one.kind, **about, "was": one.before, "is": one.after}


def _job_objects(change: Change, now: datetime) -> Iterator[dict[str, Any]]:
    for job in change.added:
        about = {"job": job.name, "cluster": job.cluster, "paused": by_whom_paused(job, now)}
        yield {"kind": "job", "change": "added", **about}
    for job in change.removed:
        yield {"kind": "job", "change": "removed", "job": job.name, "cluster": job.cluster}
    for before, after in zip(change.before, change.changed, strict=True):
        said = [difference_words(one) for one in differences(before, after)]
        paused = by_whom_paused(after, now)
        about = {"job": after.name, "cluster": after.cluster, "paused": paused}
        yield {"kind": "job", "change": "changed", **about, "keys": said}


def _removal(one: Removal | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"jobs": len(one.jobs), "clusters": one.clusters, "allow_removals": one.mark}


def _time(due: datetime | None) -> str:
    return "" if due is None else format_time(due)
