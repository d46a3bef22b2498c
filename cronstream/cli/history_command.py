"""``cronstream history``: the revisions of jobs, and what each has changed."""

from datetime import datetime
from heapq import heappush, heappushpop
from typing import Final

import click

from cronstream.cli import coroutine, proposals
from cronstream.cli.connection import reading
from cronstream.cli.options import check_job
from cronstream.cli.output import Column, emit_json, emit_table, json_option, say
from cronstream.cli.times import Moment
from cronstream.core.crontab.revisions import Edit, Kind
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time
from cronstream.history.edits import Past, read_past
from cronstream.history.fields import edit_fields
from cronstream.settings import settings
from cronstream.trust.keyring import Keyring

_COLUMNS: Final = (
    Column("revision", "right"),
    Column("holds from"),
    Column("job"),
    Column("what", wraps=True),
    Column("by"),
)


@click.command
@click.argument("job", required=False, shell_complete=proposals.jobs)
@click.option("--since", type=Moment(), metavar="WHEN", help="Only those since then (1h, 7d, …).")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="How many of the newest are shown.",
)
@json_option
def history(*, job: str | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """List the revisions of JOB, or of all jobs, the newest last.

    Each with who has put it in force, from when it holds, and what it has changed.
    """
    newest = _Newest(limit, since)
    past = coroutine.run(_read(job, newest))
    if as_json:
        for edit in newest.edits():
            emit_json(edit_fields(edit))
    else:
        emit_table(_COLUMNS, map(_row, newest.edits()))
    if past.gone_before is not None:
        say(f"the topic goes back to {_second(past.gone_before)}: what was before is gone")
    if newest.count > limit:
        say(f"and {newest.count - limit} before: --limit shows more")
    elif not newest.count:
        say("no revision was put there since then" if past.names else "no job was ever in force")


class _Newest:
    """Keeps the newest edits of those that it sees."""

    def __init__(self, limit: int, since: datetime | None) -> None:
        self._limit, self._since = limit, since
        self._heap: list[tuple[datetime, int, Edit]] = []
        self.count = 0

    def see(self, edit: Edit) -> None:
        """Take one; those of a partition come in order."""
        if self._since is not None and edit.at < self._since:
            return
        self.count += 1
        item = (edit.at, self.count, edit)
        (heappush if self.count <= self._limit else heappushpop)(self._heap, item)

    def edits(self) -> list[Edit]:
        """Return them, the newest last."""
        return [edit for _, _, edit in sorted(self._heap)]


async def _read(job: str | None, newest: _Newest) -> Past:
    async with reading() as reader:
        past = await read_past(reader, job, Keyring(settings()).believes, newest.see)
        if not past.names:
            await check_job(reader, job)
    return past


def _row(edit: Edit) -> tuple[str, ...]:
    since = edit.job.effective_from or edit.at
    return (str(edit.revision), _second(since), edit.job.name, _what(edit), _by(edit.job))


def _by(job: Job) -> str:
    return (job.by or "") + (f" ({job.file}:{job.line})" if job.file else "")


def _what(edit: Edit) -> str:
    match edit.kind:
        case Kind.ADDED | Kind.KNOWN:
            return f"{edit.kind} ({edit.job.cluster}, {edit.job.schedule})"
        case Kind.CHANGED:
            return ", ".join(map(str, edit.differences))
        case _:
            return str(edit.kind)


def _second(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))
