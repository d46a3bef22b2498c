"""``cronstream doctor``: what is wrong with an installation as a whole."""

from datetime import datetime

import click

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.repair import survey
from cronstream.cli.workers_command import read_roll
from cronstream.core.health import agreement, clocks
from cronstream.core.health.presence import Presence
from cronstream.core.wire.naming import RoleKind


@click.command
@json_option
def doctor(*, as_json: bool) -> None:
    """Say what differs between processes and is to be alike: settings, versions, clocks.

    Exit status 1 if there is anything.
    """
    roll, now = coroutine.run(read_roll())
    there = [seen.who for seen in roll.all() if seen.is_there(now)]
    found = [*_findings(there), *coroutine.run(_ledgers(now if there else clock.now()))]
    for kind, text in found:
        if as_json:
            emit_json({"kind": kind, "text": text})
        else:
            emit(f"{kind}: {text}")
    if found:
        click.get_current_context().exit(1)
    count = "1 process is there" if len(there) == 1 else f"{len(there)} processes are there"
    say(f"nothing is wrong: {count}, with the same settings, and with clocks that agree")


async def _ledgers(now: datetime) -> list[tuple[str, str]]:
    async with reading() as reader:
        return [("clock", found.sentence) for found in await survey(reader, now)]


def _findings(there: list[Presence]) -> list[tuple[str, str]]:
    absent = [
        ("process", f"no {role.value} is there, as far as any has reported in the last seconds")
        for role in RoleKind
        if all(who.role is not role for who in there)
    ]
    settings = [("settings", text) for text in agreement.warnings(there)]
    return [*absent, *settings, *(("clock", text) for text in clocks.warnings(there))]
