"""``cronstream workers``: which processes are there, and in what they differ."""

import asyncio
from datetime import datetime, timedelta

import click

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.cli.options import cluster_option
from cronstream.cli.output import Column, emit_json, emit_table, json_option, say
from cronstream.core.health import agreement, clocks, trusted
from cronstream.core.health.presence import EVERY_S
from cronstream.core.health.roll import Roll, Seen, fields
from cronstream.core.wire.times import format_time
from cronstream.errors import NotFoundError, nearest
from cronstream.history.roll import first_offset, read_on

_COLUMNS = (
    Column("Process"),
    Column("Role"),
    Column("State"),
    Column("Version"),
    Column("Running", "right"),
    Column("Waiting", "right"),
    Column("Owns"),
    Column("Since"),
    Column("Clock", "right"),
)
#: Less than this is the way of a message.
_NO_DIFFERENCE_S = 0.05
#: How long it is waited for somebody to announce itself, if nobody has for as long.
_SOON_S = EVERY_S + 0.5
_AGAIN_S = 0.25


@click.command
@cluster_option
@json_option
def workers(*, cluster: str | None, as_json: bool) -> None:
    """List the processes that are there, and those that were there in the last ten minutes.

    What differs between them and is to be alike is reported on standard error.
    """
    roll, now = coroutine.run(read_roll())
    shown = [seen for seen in roll.all() if cluster in (None, seen.who.cluster)]
    if cluster is not None and not shown:
        known = sorted({seen.who.cluster for seen in roll.all() if seen.who.cluster})
        hint = nearest(cluster, known) or f"there are: {', '.join(known) or 'none'}"
        raise NotFoundError(f"no process of cluster {cluster!r} is there, or was lately; {hint}")
    for line in _differences(roll, now):
        say(line)
    if as_json:
        for seen in shown:
            emit_json(fields(seen, now))
        return
    emit_table(_COLUMNS, [_row(seen, now) for seen in shown])
    if not shown:
        say("no process is running, nor was one in the last ten minutes")


def _differences(roll: Roll, now: datetime) -> list[str]:
    there = [seen.who for seen in roll.all() if seen.is_there(now)]
    return [*agreement.warnings(there), *clocks.warnings(there), *trusted.warnings(there)]


async def read_roll() -> tuple[Roll, datetime]:
    """Return who has announced itself, and what time it is by the log's clock."""
    roll, next_offset = Roll(), 0
    async with reading() as reader:
        if reader.names.workers not in await reader.topics():
            return roll, clock.now()
        newest = await read_on(reader, roll, await first_offset(reader))
        until = clock.monotonic() + _SOON_S
        now = clock.now()
        while _is_stale(roll, now) and clock.monotonic() < until:
            # Either nobody is there, or this machine's clock is not the broker's.
            await asyncio.sleep(_AGAIN_S)
            next_offset, newest = newest, await read_on(reader, roll, newest)
            if newest > next_offset and roll.now is not None:
                return roll, roll.now
    return roll, max(now, roll.now or now)


def _is_stale(roll: Roll, now: datetime) -> bool:
    return roll.now is None or abs(now - roll.now) > timedelta(seconds=_SOON_S)


def _row(seen: Seen, now: datetime) -> tuple[str, ...]:
    who, told = seen.who, fields(seen, now)
    is_worker = who.cluster is not None
    return (
        who.name,
        str(who.as_role),
        told["state"],
        who.version,
        f"{who.running}/{who.slots}" if is_worker else "",
        str(who.waiting) if is_worker else "",
        who.owns if seen.is_there(now) else "",
        format_time(who.since.replace(microsecond=0)),
        _clock(who.clock_s),
    )


def _clock(clock_s: float | None) -> str:
    if clock_s is None:
        return "unknown"
    return "right" if abs(clock_s) < _NO_DIFFERENCE_S else f"{clock_s:+.1f} s"
