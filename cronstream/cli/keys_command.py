"""``cronstream keys``: keys that sign runs, by whom they are trusted, and what is not signed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from cronstream.cli import coroutine
from cronstream.cli.connection import reading
from cronstream.cli.output import Column, emit, emit_json, emit_table, json_option, say
from cronstream.core.health.presence import Presence
from cronstream.core.trust.judging import Judge, Standing
from cronstream.core.trust.keys import CAUSES, TrustedKey, parse_causes, parse_clusters
from cronstream.core.wire.naming import Role
from cronstream.core.wire.runs import Job, Run
from cronstream.errors import KeysError
from cronstream.history.jobs import jobs_in_force
from cronstream.history.live import LiveLedger
from cronstream.history.roll import roll_now
from cronstream.history.scope import LogReader, clusters
from cronstream.settings import settings
from cronstream.trust.keyring import Keyring, verify
from cronstream.trust.signer import Signer, new_key

_COLUMNS = (
    Column("Key"),
    Column("Name"),
    Column("May ask for"),
    Column("In clusters"),
    Column("Trusted by"),
    Column("Signs here"),
)


@click.group
def keys() -> None:
    """Make keys that sign runs, and see who trusts them (docs/signed-runs.md)."""


def _parsed(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """Return what has click refuse an option's value as a file of keys would be."""

    def convert(_: click.Context, __: click.Parameter, value: str) -> Any:
        try:
            return parse(value)
        except KeysError as error:
            raise click.BadParameter(str(error)) from error

    return convert


@keys.command
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--causes",
    default="*",
    show_default=True,
    callback=_parsed(parse_causes),
    metavar="CAUSES",
    help=f"What it may ask for, with commas between: {', '.join(sorted(CAUSES))}; * for all.",
)
@click.option(
    "--clusters",
    "where",
    default="*",
    show_default=True,
    callback=_parsed(parse_clusters),
    metavar="CLUSTERS",
    help="For which clusters, with commas between; * for all.",
)
@click.option("--name", default="", metavar="WHO", help="Who is to have it, for people.")
def new(*, file: Path, causes: frozenset[str], where: frozenset[str] | None, name: str) -> None:
    """Make a private key in FILE, and print its line for the file of trusted keys.

    The file is for who signs (CRONSTREAM_SIGNING_KEY) and for nobody else; the line is no secret.
    """
    key = new_key(file)
    emit(TrustedKey(key.id, key.public, causes, where, " ".join(name.split())).line())
    say(f"the private key is in {file}, which nobody but you may read: keep it so")
    say("append the line to the file that CRONSTREAM_TRUSTED_KEYS names, in every process")


@keys.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the keys that are trusted here, and how many of the processes there trust them."""
    keyring, signer = Keyring(settings()), Signer(settings(), at_once=True)
    there = coroutine.run(_present())
    for key in keyring.keys.values():
        row = _row(key, there, signer.id)
        if as_json:
            emit_json(row)
    if not as_json:
        rows = [tuple(_row(key, there, signer.id).values()) for key in keyring.keys.values()]
        emit_table(_COLUMNS, [tuple(map(str, row)) for row in rows])
    if not keyring.keys:
        say("no keys are trusted here: CRONSTREAM_TRUSTED_KEYS names no file, or it is empty")
    if signer.id is not None and signer.id not in keyring.keys:
        say(f"key {signer.id}, which signs here (CRONSTREAM_SIGNING_KEY), is not among them")


async def _present() -> list[Presence]:
    async with reading() as reader:
        return [seen.who for seen in (await roll_now(reader)).present()]


def _row(key: TrustedKey, there: list[Presence], signs: str | None) -> dict[str, Any]:
    _, _, causes, where, *_ = key.line().split()
    judging = [who for who in there if who.trusts is not None]
    trusting = sum(key.id in (who.trusts or ()) for who in judging)
    return {
        "key": key.id,
        "name": key.name,
        "causes": causes,
        "clusters": where,
        "trusted_by": f"{trusting} of {len(there)}",
        "signs_here": "yes" if key.id == signs else "",
    }


@keys.command
@json_option
def check(*, as_json: bool) -> None:
    """Find what would not run if all had to be signed: exit with 1 if there is anything.

    Look before CRONSTREAM_SIGNATURES=require is set, and before a key is taken from the file.
    """
    keyring = Keyring(settings())
    if keyring.ids is None:
        raise KeysError("CRONSTREAM_TRUSTED_KEYS names no file here: there is nothing to check by")
    found = coroutine.run(_distrusted(Judge(keyring.keys, requires=True, verify=verify)))
    for what, name, why in found:
        if as_json:
            emit_json({"kind": what, "name": name, "why": why})
        else:
            emit(f"{what} {name}: {why}")
    say(f"{len(found)} would not run" if found else "all jobs and live runs are signed and trusted")
    if found:
        click.get_current_context().exit(1)


async def _distrusted(judge: Judge) -> list[tuple[str, str, str]]:
    async with reading() as reader:
        believed = Judge(judge.keys, requires=False, verify=verify).judge
        jobs = (await jobs_in_force(reader, believed)).values()
        runs = [run async for run in _live_runs(reader)]
    return [*_judged(judge, jobs), *_judged(judge, runs)]


def _judged(judge: Judge, records: Any) -> Iterator[tuple[str, str, str]]:
    record: Job | Run
    for record in records:
        judged = judge.judge(record)
        if judged.standing is not Standing.TRUSTED:
            name = record.name if isinstance(record, Job) else record.id
            yield type(record).__name__.lower(), name, judged.why


async def _live_runs(reader: LogReader) -> Any:
    roles = [
        Role.of(name, retry=retry) for name in await clusters(reader) for retry in (False, True)
    ]
    for role in roles:
        partitions = await reader.partitions(reader.names.log_of(role))
        for one in await LiveLedger.of_log(reader, role, partitions) if partitions else []:
            for live in one.ledger.book.live.values():
                yield live.run
