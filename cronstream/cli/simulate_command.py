"""``cronstream simulate``: what a day of a crontab would be like, by how long its runs take."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from cronstream import clock
from cronstream.cli import proposals
from cronstream.cli.crontab_commands import read_named, shown_name
from cronstream.cli.durations import Given, JobSeconds, durations
from cronstream.cli.lean import load
from cronstream.cli.output import emit_json, json_option, say
from cronstream.cli.simulate_output import TEXT_STEPS, Shown, objects, show
from cronstream.cli.simulate_picture import picture
from cronstream.cli.times import Length, Time
from cronstream.core.crontab.parser import Crontab
from cronstream.core.forecast.forecast import forecast
from cronstream.core.forecast.given import Crew, Span
from cronstream.core.wire.runs import Job
from cronstream.errors import NotFoundError, nearest
from cronstream.settings import settings

_JSON_STEPS: Final = 96
_PICTURE_STEPS: Final = 480
_LONGEST: Final = timedelta(days=31)


@click.command
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--from", "start", type=Time(), metavar="TIME", help="Begin then, not now.")
@click.option(
    "--for",
    "length",
    type=Length(),
    default="1d",
    show_default=True,
    metavar="LENGTH",
    help="How much time is looked at.",
)
@click.option(
    "--seconds",
    multiple=True,
    type=JobSeconds(),
    metavar="JOB=LENGTH",
    help="How long a run of JOB takes; '*' for all others. May be repeated.",
)
@click.option(
    "--durations",
    "recorded",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How long runs took: lines of 'cronstream runs --json'.",
)
@click.option(
    "--observed",
    type=Length(),
    default="7d",
    show_default=True,
    metavar="LENGTH",
    help="How far back the ledgers are asked how long runs took; 0s for not at all.",
)
@click.option("--slots", type=click.IntRange(1, 10_000), help="Of each worker.  [default: 64]")
@click.option(
    "--workers",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Of each cluster, and as many retry workers.",
)
@click.option(
    "--cluster", metavar="CLUSTER", shell_complete=proposals.clusters, help="Only its jobs."
)
@click.option(
    "--limit",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    help="How many jobs are shown; all are counted.",
)
@click.option("--svg", is_flag=True, help="Print a picture of it, as SVG.")
@json_option
def simulate(*, file: Path | None, limit: int, svg: bool, as_json: bool, **given: Any) -> None:
    """Show what a day would be like: slots in use, queues, overlaps, the busiest seconds.

    FILE is the crontab that the scheduler reads unless another is named; - is standard input. How
    long runs take is what --seconds says, then --durations, then what the ledgers say of the last
    days, if a broker answers; a job of which nothing is known is taken to need a minute.
    """
    if svg and as_json:
        raise click.UsageError("--svg and --json: choose one")
    steps = _PICTURE_STEPS if svg else _JSON_STEPS if as_json else TEXT_STEPS
    shown = _simulated(file, steps, **given)
    if svg:
        click.echo(picture(shown.forecast, shown.title))
    elif as_json:
        for fields in objects(shown):
            emit_json(fields)
    else:
        show(shown, limit)


def _simulated(file: Path | None, steps: int, **given: Any) -> Shown:
    chosen, observed = _chosen(read_named(file), given["cluster"]), given["observed"]
    jobs = [job for job in chosen if job.enabled]
    if paused := len(chosen) - len(jobs):
        many = f"{paused} jobs are" if paused > 1 else "a job is"
        say(f"{many} paused by the crontab (enabled: false), and left out")
    span, crew = _span(given["start"], given["length"], steps), _crew(**given)
    lasting = durations(jobs, Given(dict(given["seconds"]), given["recorded"], observed))
    try:
        found = forecast(jobs, lasting.lasting, span, crew)
    except ValueError as error:
        raise click.UsageError(f"--for: the time that is looked at {error}") from error
    return Shown(str(shown_name(file)), found, lasting, crew, observed)


def _chosen(crontab: Crontab, cluster: str | None) -> list[Job]:
    names = [one.name for one in crontab.clusters]
    if cluster is not None and cluster not in names:
        hint = nearest(cluster, names) or f"there are: {', '.join(names)}"
        raise NotFoundError(f"there is no cluster {cluster!r} in the crontab; {hint}")
    return [job for job in crontab.jobs if cluster in (None, job.cluster)]


def _span(start: datetime | None, length: timedelta, steps: int) -> Span:
    if not timedelta(seconds=1) <= length <= _LONGEST or length % timedelta(seconds=1):
        raise click.UsageError("--for must be from 1s to 31d, in whole seconds")
    begin = (start or clock.now()).replace(microsecond=0)
    try:
        return Span(begin, begin + length, length.total_seconds() / steps)
    except OverflowError as error:
        raise click.UsageError("--from is too close to the end of the calendar") from error


def _crew(*, workers: int, slots: int | None, **_: Any) -> Crew:
    each = slots or settings().slots
    if workers == 1:
        return Crew(slots=each)
    partition_of: Callable[[str, int], int] = load("cronstream.topology.publish").partition_of
    partitions = settings().partitions
    return Crew(workers, each, lambda job: partition_of(job, partitions) % workers)
