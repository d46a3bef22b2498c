"""``cronstream doctor``: what is wrong with an installation as a whole, and with one's rights."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TypeAlias

import click
from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import connections, reading
from cronstream.cli.doctor_facts import Facts, facts_of, sentences
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.repair import survey
from cronstream.cli.several_clusters import clusters_option
from cronstream.cli.workers_command import read_roll
from cronstream.core.health import agreement, clocks, crontabs
from cronstream.core.health.overdue import overdue_of, sentence
from cronstream.core.health.presence import Presence
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.rights import Actor, rights
from cronstream.errors import BrokerError
from cronstream.history.scope import clusters
from cronstream.settings import settings
from cronstream.topology.rights import remedy, words

#: A kind, and a sentence.
_Finding: TypeAlias = tuple[str, str]


@click.command
@click.option(
    "--role",
    type=click.Choice([one.value for one in Actor]),
    default=Actor.READER.value,
    show_default=True,
    help="Whether this user may do what that role has to.",
)
@clusters_option
@json_option
def doctor(*, role: str, cluster: tuple[str, ...], as_json: bool) -> None:
    """Say what this user may not do, which topics are wrong, and what differs between processes.

    What is to be alike are settings, versions and clocks. Exit status 1 if there is anything.
    Before that it says which versions are there, and how this machine's clock and Kafka are.
    """
    found, there, facts = coroutine.run(_examine(Actor(role), cluster))
    if not as_json:
        for fact in sentences(facts):
            say(fact)
    for kind, text in found:
        if as_json:
            emit_json({"kind": kind, "text": text})
        else:
            emit(f"{kind}: {text}")
    if as_json:
        emit_json({"kind": "facts", **facts})
    if found:
        click.get_current_context().exit(1)
    count = "1 process is there" if there == 1 else f"{there} processes are there"
    say(f"nothing is wrong: {count}, with the same settings, and with clocks that agree")


async def _examine(actor: Actor, chosen: tuple[str, ...]) -> tuple[list[_Finding], int, Facts]:
    """Return what was found, how many processes are there, and what else is good to know."""
    await connections().probe(settings())
    blind = [one async for one in _lacking(Actor.READER, ())]
    if blind:  # Nothing of the rest could be seen.
        return blind, 0, {}
    async with reading() as reader:
        known = list(chosen) or await clusters(reader)
    found = [one async for one in _lacking(actor, known)]
    found += [("topic", text) for text in await _topics(known)]
    roll, now = await read_roll()
    there = [seen.who for seen in roll.all() if seen.is_there(now)]
    found += [*_findings(there), *await _ledgers(now if there else clock.now())]
    return found, len(there), await facts_of(there)


async def _lacking(actor: Actor, known: list[str] | tuple[str, ...]) -> AsyncIterator[_Finding]:
    chosen = settings()
    wanted = rights(chosen.names, actor, known)
    for right in await connections().lacking(chosen, wanted):
        yield "right", f"this user may not {words(right)}: {remedy(actor, known)} prints all"


async def _topics(known: list[str]) -> list[str]:
    try:
        return await connections().topic_faults(settings(), known)
    except (KafkaError, OSError) as error:
        raise BrokerError(f"Kafka has failed: {str(error) or type(error).__name__}") from error


async def _ledgers(now: datetime) -> list[_Finding]:
    async with reading() as reader:
        return [("clock", found.sentence) for found in await survey(reader, now)]


def _findings(there: list[Presence]) -> list[_Finding]:
    absent = [
        ("process", f"no {role.value} is there, as far as any has reported in the last seconds")
        for role in RoleKind
        if all(who.role is not role for who in there)
    ]
    told = [("crontab", text) for text in crontabs.faults(there)]
    told += [("settings", text) for text in agreement.warnings(there)]
    overdue = [("job", sentence(one)) for _, one in overdue_of(there)]
    return [*absent, *told, *(("clock", text) for text in clocks.warnings(there)), *overdue]
