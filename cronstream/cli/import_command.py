"""``cronstream import``: a crontab out of files of other cron programs."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cronstream.cli.output import emit_json, json_option, say
from cronstream.core.crontab.parser import MAX_BYTES
from cronstream.core.schedule.schedule import find_zone
from cronstream.core.wire.naming import cluster_problem
from cronstream.errors import CronstreamError, ScheduleError
from cronstream.importers.found import Found, Source
from cronstream.importers.reading import FORMATS, read
from cronstream.importers.writing import Written, write

_STDIN = Path("-")
#: How a file begins that `cronstream move-out` has written.
_MOVED_OUT = re.compile(r'\s*\{"cronstream export":')


class _FilesError(CronstreamError):
    """A file cannot be read, or written; nothing was changed."""


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--from",
    "kind",
    type=click.Choice(list(FORMATS)),
    help="What the files are, if they do not look like it.",
)
@click.option("--timezone", "zone", metavar="ZONE", help="By whose clock their machine goes.")
@click.option("--cluster", default="cluster-a", show_default=True, help="Which cluster runs them.")
@click.option(
    *("-o", "--output"),
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the crontab to this file, which must not be there; else it is printed.",
)
@json_option
@click.pass_context
def import_(ctx: click.Context, /, *, files: tuple[Path, ...], **options: Any) -> None:
    """Make a crontab of FILES of other cron programs.

    These are crontabs of users and systems, supercronic's too, manifests of Kubernetes with
    CronJobs, Ofelia's configuration or a compose file with its labels, and timers of systemd,
    whose services lie beside them. - is standard input. What could not be carried over is said at
    its line, and stands in the crontab as a comment. Exit status 1 says that a job was left out.
    """
    output: Path | None = options["output"]
    if options["as_json"] and output is None:
        raise click.UsageError("--json prints what is noted: name a file for the crontab with -o")
    _check(options["cluster"], options["zone"])
    found = Found()
    for path in files:
        if path.suffix != ".service":  # Which its timer names.
            found += read(_source(path, files), options["kind"], options["zone"])
    written = write(found, cluster=options["cluster"], sources=[str(path) for path in files])
    _put(written.text, output)
    _report(written, as_json=options["as_json"])
    ctx.exit(1 if any(note.loses_job for note in written.notes) else 0)


def _check(cluster: str, zone: str | None) -> None:
    if problem := cluster_problem(cluster):
        raise click.UsageError(problem)
    try:
        find_zone(zone or "UTC")
    except ScheduleError as error:
        raise click.UsageError(str(error)) from error


def _source(path: Path, given: Sequence[Path]) -> Source:
    text = _text(path)
    if _MOVED_OUT.match(text[:200]):
        raise _FilesError(
            f"{path} is what 'cronstream move-out' has written: give it to 'cronstream move-in'"
        )
    beside: dict[str, str] = {}
    if path.suffix == ".timer":
        services = [*path.parent.glob("*.service"), *(p for p in given if p.suffix == ".service")]
        beside = {str(service): _text(service) for service in services if service.is_file()}
    return Source(str(path), text, beside)


def _text(path: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if path == _STDIN else path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _FilesError(f"{path} cannot be read ({reason}): name another file") from error
    if len(raw) > MAX_BYTES:
        raise _FilesError(f"{path} is larger than 16 MiB: name another file")
    try:
        return raw.decode("utf-8-sig").replace("\0", "\N{REPLACEMENT CHARACTER}")
    except UnicodeDecodeError:
        return raw.decode("latin-1").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _put(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _FilesError(
            f"{output} is there already, and stays as it is; remove it, or name another file"
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _FilesError(f"{output} cannot be written ({reason}): name another file") from error


def _report(written: Written, *, as_json: bool) -> None:
    if as_json:
        for name, job in written.names:
            emit_json({"kind": "job", "job": name, "file": job.file, "line": job.line})
        for note in written.notes:
            kind = "left-out" if note.loses_job else "note"
            about = {"kind": kind, "file": note.file, "line": note.line, "note": note.what}
            emit_json(about)
        return
    for note in written.notes:
        say(str(note))
    losing = [note for note in written.notes if note.loses_job]
    lost = sum(note.jobs for note in losing)
    jobs = len(written.names)
    said = f"{jobs} {'job' if jobs == 1 else 'jobs'} carried over, {lost} left out"
    others = len(written.notes) - len(losing)
    say(f"{said}, {others} {'note' if others == 1 else 'notes'}")
