"""``cronstream move-out`` and ``move-in``: an installation moves to another Kafka."""

import asyncio
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.connection import connections, publishing, publishing_as_it_is, reading
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.progress import READING, progress
from cronstream.cli.workers_command import read_roll
from cronstream.core.health.roll import Seen
from cronstream.core.moving.export import Export
from cronstream.core.moving.file import from_lines, to_lines
from cronstream.core.moving.renumbering import Resign
from cronstream.core.trust.judging import Standing
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time
from cronstream.errors import HouseError
from cronstream.moving.arriving import Site, bring
from cronstream.moving.leaving import closed, reopen
from cronstream.settings import Settings, settings
from cronstream.topology.changelog import Changelog
from cronstream.topology.topics import TopicSpec, ensure_topics
from cronstream.trust.keyring import Keyring
from cronstream.trust.signer import Signer

#: A process that died a moment ago counts as there for so long, with its lease.
_GONE_WITHIN_S = 30.0
_AGAIN_S = 1.0

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("move-out")
@click.argument("file", type=_FILE, required=False)
@click.option(
    "--force",
    is_flag=True,
    help="Even if processes still report: they end as soon as they hear of it, or fail.",
)
@click.option(
    "--take-back",
    "goes_on",
    is_flag=True,
    help="Write nothing: the installation goes on here after all, and is imported nowhere.",
)
@json_option
def move_out(*, file: Path | None, force: bool, goes_on: bool, as_json: bool) -> None:
    """Write into FILE all that is live of an installation, and close it.

    That is what 'cronstream move-in' needs to go on elsewhere: on another Kafka, or with other
    numbers of partitions or shards. Stop all schedulers and workers before; none that is started
    here later does anything.
    """
    if (file is None) is not goes_on:
        raise click.UsageError("name a file, or say --take-back")
    if file is None:
        _print_reopened(coroutine.run(_reopen(), cleans_up=True), as_json=as_json)
        return
    if file.exists():
        raise click.UsageError(f"{file} is there already, and stays as it is; name another file")
    found = coroutine.run(_export(file, force=force), cleans_up=True)
    _print_export(found, "exported", as_json=as_json)
    say(f"nobody works here any more; next: cronstream --broker kafka://… move-in {file}")


async def _export(file: Path, *, force: bool) -> Export:
    if not force:
        await _see_that_nobody_is_there()
    async with progress(READING), reading() as reader, publishing() as publisher:
        async with closed(reader, publisher, secrets.token_hex(16)) as found:
            await asyncio.to_thread(_write, file, to_lines(found))
        return found


async def _reopen() -> str:
    async with reading() as reader, publishing() as publisher:
        return (await reopen(reader, publisher)).export


def _print_reopened(export_id: str, *, as_json: bool) -> None:
    if as_json:
        emit_json({"export": export_id, "state": "open"})
    else:
        emit(export_id)
    say(f"export {export_id} is void: this installation goes on here, so never import its file")


async def _see_that_nobody_is_there() -> None:
    """Wait until whoever has died counts no more.

    Raises:
        HouseError: If somebody lives.
    """
    first: dict[str, Seen] | None = None
    until = clock.monotonic() + _GONE_WITHIN_S
    while True:
        roll, now = await read_roll()
        there = {seen.who.name: seen for seen in roll.all() if seen.counts(now)}
        if not there:
            return
        first = there if first is None else first
        alive = [seen for name, seen in there.items() if seen.last > _last(first, name)]
        if alive or clock.monotonic() > until:
            names = ", ".join(str(seen.who) for seen in alive or there.values())
            raise HouseError(
                f"still there: {names}; stop every scheduler and worker, then export "
                "(--force, if they are not yours to stop)"
            )
        await asyncio.sleep(_AGAIN_S)


def _last(first: dict[str, Seen], name: str) -> int:
    return first[name].last if name in first else -1


def _write(file: Path, lines: Iterable[bytes]) -> None:
    """Write a file so that it is whole or not there."""
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("xb") as out:
            out.writelines(lines)
            out.flush()
            os.fsync(out.fileno())
        os.link(part, file)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


@click.command("move-in")
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Say what is in the file; put nothing anywhere.")
@json_option
def move_in(*, file: Path, dry_run: bool, as_json: bool) -> None:
    """Put what was exported into FILE on a Kafka where no installation is yet.

    As many partitions and shards are made as CRONSTREAM_PARTITIONS and CRONSTREAM_SHARDS say.
    Start schedulers and workers once it is done. One that was broken off is given again; it does
    nothing where it was done before.
    """
    found = from_lines(str(file), file.read_bytes())
    if dry_run:
        _print_export(found, "in the file", as_json=as_json)
        return
    was_to_be_done = coroutine.run(_import(found), cleans_up=True)
    _print_export(found, "imported" if was_to_be_done else "imported before", as_json=as_json)
    say("next: start schedulers and workers here, with the same settings as this command")


def resigning(there: Settings) -> Resign:
    """Return what signs a run whose number has changed: only what was to be believed before.

    Else who could write to the former house would have anything signed here.
    """
    keyring, signer = Keyring(there), Signer(there, at_once=True)

    def resign(former: Run, run: Run) -> Run:
        if former.signature is None or keyring.judge(former).standing is not Standing.TRUSTED:
            return run
        return signer.sign(run.derive(signature=None))

    return resign


async def _import(found: Export) -> bool:
    there = settings()

    async def declare(specs: Iterable[TopicSpec]) -> None:
        await ensure_topics(specs, there)

    await connections().probe(there)
    roll, now = await read_roll()
    if here := [str(seen.who) for seen in roll.all() if seen.is_there(now)]:
        raise HouseError(
            f"processes are there already: {', '.join(here)}; stop them, import, then start them"
        )
    changelog = Changelog(there)
    async with reading() as reader, publishing_as_it_is() as publisher:
        await changelog.start()
        try:
            return await bring(
                found,
                Site(there, reader, publisher, changelog, declare, resigning(there)),
            )
        finally:
            await changelog.stop()


def _print_export(found: Export, what: str, *, as_json: bool) -> None:
    at = found.reached
    if as_json:
        counts = {name.replace(" ", "_"): count for name, count in found.counts.items()}
        emit_json({"export": found.id, "state": what, "published_up_to": at, **counts})
        return
    emit(found.id)
    counted = ", ".join(f"{count:,} {name}" for name, count in found.counts.items())
    until = f"; published up to {format_time(at.replace(microsecond=0))}" if at else ""
    say(f"{what}: {counted}{until}")
