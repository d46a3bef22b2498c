"""The jobs that are paused, by whom, why and until when: for ``jobs --paused`` and ``doctor``."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.cli.output import Column, emit_json, emit_table, say
from cronstream.core.wire.times import format_time
from cronstream.history.pauses import halted, said
from cronstream.history.scope import LogReader
from cronstream.steering.jobs import published_jobs

_COLUMNS = tuple(map(Column, ("job", "cluster", "paused by", "since", "until", "why")))
#: No more pauses are named to people beside something else.
_NAMED: Final = 20


def list_paused(*, as_json: bool) -> None:
    """List them: by people, by the crontab, and by their discarded runs."""
    found = coroutine.run(paused_jobs())
    if as_json:
        for one in found:
            emit_json(one)
        return
    emit_table(
        _COLUMNS,
        [
            (
                x["job"],
                x["cluster"],
                x["by"],
                _time(x["since"]),
                _time(x["until"]),
                x["reason"] or "",
            )
            for x in found
        ],
    )
    if not found:
        say("no job is paused")


async def paused_jobs() -> list[dict[str, Any]]:
    """Return each pause that is in force, as `pauses` does."""
    async with reading() as reader:
        return await pauses(reader)


async def pauses(reader: LogReader) -> list[dict[str, Any]]:
    """Return each pause that is in force, by job, as programs read it.

    Raises:
        NotFoundError: If no scheduler has published any job.
    """
    jobs = await published_jobs(reader)
    found = [one for job in jobs.values() for one in said(job, clock.now())]
    for cluster in sorted({job.cluster for job in jobs.values()}):
        found += await halted(reader, cluster, jobs)
    return sorted(found, key=lambda one: (one["job"], one["by"]))


def _sentence(one: dict[str, Any]) -> str:
    """Return what a pause is, for people: who has paused which job, since when, and why."""
    since = f" since {_time(one['since'])}" if one["since"] else ""
    until = f" until {_time(one['until'])}" if one["until"] else ""
    why = f" ({one['reason']})" if one["reason"] else ""
    return f"job {one['job']} is paused by {one['by']}{since}{until}{why}"


def sentences(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what pauses are, for people: of the first, and how many more there are."""
    yield from map(_sentence, found[:_NAMED])
    if (more := len(found) - _NAMED) > 0:
        yield f"and {more} more: 'cronstream jobs --paused' lists all"


def _time(moment: datetime | None) -> str:
    return "" if moment is None else format_time(moment.replace(microsecond=0))
