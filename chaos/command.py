"""``python -m chaos``: an installation on this machine, faults on purpose, and a table."""

import asyncio
import random
import shutil
import tempfile
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from chaos.plan import FaultKind
from chaos.report import Report, Row
from chaos.session import Wish, run
from cronstream import clock
from cronstream.broker.guard import Guard
from cronstream.cli.output import Column, emit, emit_json, emit_table, json_option, say
from cronstream.core.schedule.duration import parse_duration

_ALL = ",".join(FaultKind)
_TOLD = 20
_COLUMNS = (
    Column("Fault"),
    Column("Times", "right"),
    Column("Late > 1 s", "right"),
    Column("Worst delay", "right"),
    Column("Made elsewhere", "right"),
    Column("Slowest", "right"),
)


class Duration(click.ParamType):
    """A length of time, such as ``90s``, ``10m`` or ``1h``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class Kinds(click.ParamType):
    """Sorts of faults, separated by commas."""

    name = "kinds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[FaultKind]:
        """Return them as a set."""
        if isinstance(value, frozenset):
            return value
        try:
            return frozenset(FaultKind(part.strip()) for part in value.split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r} must be some of {_ALL}", param, ctx)


@click.command("python -m chaos", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--duration", type=Duration(), default="60s", show_default=True, help="How long to strike."
)
@click.option(
    "--brokers", type=click.Choice(["1", "3"]), default="1", show_default=True, help="Kafkas."
)
@click.option(
    "--faults", type=Kinds(), default=_ALL, show_default=True, help="Which sorts of faults."
)
@click.option(
    "--every", type=Duration(), default="7s", show_default=True, help="Between two faults."
)
@click.option("--seed", type=int, help="Of the plan of faults; random if not given.")
@click.option(
    "--workers", type=click.IntRange(1, 20), default=2, show_default=True, help="Of each cluster."
)
@click.option("--schedulers", type=click.IntRange(1, 5), default=2, show_default=True)
@click.option("--clusters", type=click.IntRange(1, 5), default=2, show_default=True)
@click.option(
    "--late-after",
    type=Duration(),
    default="1s",
    show_default=True,
    help="A start this late misses the target, if no fault excuses it.",
)
@click.option(
    "--herd",
    type=click.IntRange(0, 5000),
    default=100,
    show_default=True,
    help="Jobs of each cluster that are due in the same second.",
)
@click.option(
    "--secured",
    is_flag=True,
    help="Kafka with TLS, logins and literal rules; workers that run only what is signed.",
)
@click.option(
    "--alerts",
    type=click.IntRange(1, 60),
    metavar="FACTOR",
    help="Watch it by the alerts of ops/, and divide by FACTOR what they wait for (1: in earnest).",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep logs and data in this folder; else they are kept only if a target was missed.",
)
@json_option
def main(*, seed: int | None, keep: Path | None, as_json: bool, **chosen: Any) -> None:
    """Run an installation, break it on purpose, and see whether it keeps its promises.

    Starts its own Kafka, schedulers and workers, kills and pauses them at the worst instants, and
    compares what the commands wrote with what the ledgers say. Exit status 1 if a run was lost,
    doubled, or late without an excuse.
    """
    folder = _folder(keep)
    wish = Wish(
        duration_s=chosen["duration"],
        brokers=int(chosen["brokers"]),
        kinds=chosen["faults"],
        seed=random.randrange(10**6) if seed is None else seed,  # noqa: S311 - any will do
        workers=chosen["workers"],
        schedulers=chosen["schedulers"],
        clusters=chosen["clusters"],
        late_s=chosen["late_after"],
        herd=chosen["herd"],
        every_s=chosen["every"],
        secured=chosen["secured"],
        alerts=chosen["alerts"] or 0,
        folder=folder,
    )
    with closing(Guard()) as guard:
        report = asyncio.run(run(wish, _say, guard))
    if as_json:
        emit_json(asdict(report))
    else:
        _show(report)
    if report.all_well and keep is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        say(f"logs, truth and data are in {folder}")
    raise SystemExit(0 if report.all_well else 1)


def _say(text: str) -> None:
    say(f"{clock.now():%H:%M:%S} {text}")


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="cronstream-chaos-"))
    if keep.exists() and any(keep.iterdir()):
        raise click.UsageError(f"{keep} is not empty: name a folder that is, or a new one")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.absolute()


def _show(report: Report) -> None:
    emit(
        f"{report.faults} faults in {report.duration_s:.0f} s (seed {report.seed}); "
        f"{report.due} runs due, {report.started} starts"
    )
    spread = ", ".join(f"{name} {value:.3f} s" for name, value in report.delay_s.items())
    emit(f"start delay {spread}")
    if report.borrowed:
        emit(f"{report.borrowed} attempts were made by workers that had borrowed them")
    if report.poisoned:
        emit(f"{report.poisoned} malformed messages put on the logs")
    emit_table(_COLUMNS, [_cells(row) for row in report.rows])
    for label, alerts in (report.alerts or {}).items():
        emit(f"{label} raised {', '.join(alerts)}")
    for text in report.ended:
        emit(f"note: {text}")
    for finding in report.findings[:_TOLD]:
        emit(f"{finding.wrong}: {finding.run}: {finding.text}")
    if len(report.findings) > _TOLD:
        emit(f"and {len(report.findings) - _TOLD} more")
    for text in report.missed:
        emit(f"target missed: {text}")
    emit("all targets met" if report.all_well else f"{len(report.missed)} targets missed")


def _cells(row: Row) -> tuple[str, ...]:
    slowest = "" if row.worst_takeover_s is None else f"{row.worst_takeover_s:.1f} s"
    return (
        row.label,
        str(row.faults or ""),
        str(row.late),
        f"{row.worst_delay_s:.2f} s",
        str(row.takeovers or ""),
        slowest,
    )
