"""Commands about the crontab file: ``check``, ``jobs`` and ``next``. They need no broker."""

import heapq
import re
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from cronstream import clock
from cronstream.cli.options import Moment
from cronstream.cli.output import Column, emit, emit_json, emit_table, json_option, say
from cronstream.core.crontab import Crontab
from cronstream.core.records import Job, format_time
from cronstream.core.schedule import compile_schedule
from cronstream.crontab_file import read_crontab
from cronstream.errors import CrontabError
from cronstream.settings import settings

_PLACE = re.compile(r"line (\d+), column (\d+): (.*)", re.DOTALL)

file_argument = click.argument(
    "file", required=False, type=click.Path(path_type=Path, dir_okay=False)
)
file_option = click.option(
    "--file", type=click.Path(path_type=Path, dir_okay=False), help="Another crontab."
)


@click.command()
@file_argument
@json_option
def check(file: Path | None, as_json: bool) -> None:
    """Say everything that is wrong with a crontab.

    Exits with 0 if nothing is; with 1 and one line for each problem, file:line:column, if it
    cannot be used.
    """
    path = file or settings().crontab
    try:
        crontab = read_crontab(path)
    except CrontabError as error:
        for problem in error.problems:
            _emit_problem(path, problem, as_json=as_json)
        say(f"{path}: {_count(len(error.problems), 'problem')}")
        raise SystemExit(1) from error
    clusters = ", ".join(cluster.name for cluster in crontab.clusters)
    say(f"{path}: {_count(len(crontab.jobs), 'job')} in {clusters}; all is well")


def _emit_problem(path: Path, problem: str, *, as_json: bool) -> None:
    match = _PLACE.fullmatch(problem)
    line, column, text = (int(match[1]), int(match[2]), match[3]) if match else (1, 1, problem)
    if as_json:
        emit_json({"file": str(path), "line": line, "column": column, "problem": text})
    else:
        emit(f"{path}:{line}:{column}: {text}")


@click.command()
@file_argument
@json_option
def jobs(file: Path | None, as_json: bool) -> None:
    """List the jobs of a crontab, with when each is due next."""
    crontab, now = read_crontab(file or settings().crontab), clock.now()
    if as_json:
        for job in crontab.jobs:
            emit_json(_job_fields(job, now))
        return
    columns = [Column(title) for title in ("job", "cluster", "schedule", "zone", "next due")]
    columns.insert(4, Column("attempts", "right"))
    emit_table(
        columns,
        [
            [
                job.name,
                job.cluster,
                job.schedule,
                job.timezone,
                str(job.max_attempts),
                _local(job, _next(job, now)),
            ]
            for job in crontab.jobs
        ],
    )


@click.command("next")
@click.argument("job", required=False)
@click.option("--count", type=click.IntRange(1, 100_000), default=10, show_default=True)
@click.option("--from", "start", type=Moment(), metavar="WHEN", help="From then on, not from now.")
@file_option
@json_option
def next_(
    job: str | None, count: int, start: datetime | None, file: Path | None, as_json: bool
) -> None:
    """Show the next runs of one JOB, or of all of them in the order of time."""
    crontab = read_crontab(file or settings().crontab)
    chosen = crontab.jobs if job is None else (_find(crontab, job),)
    rows = _runs(chosen, start or clock.now(), count)
    if as_json:
        for due, it in rows:
            fields = {"job": it.name, "cluster": it.cluster, "scheduled_at": due}
            emit_json({**fields, "local": _at(it, due).isoformat(), "run": _run_id(it, due)})
        return
    columns = [Column(title) for title in ("due (UTC)", "in the job's zone", "job", "cluster")]
    emit_table(
        columns,
        [[format_time(due), _local(it, due), it.name, it.cluster] for due, it in rows],
    )


def _find(crontab: Crontab, name: str) -> Job:
    for job in crontab.jobs:
        if job.name == name:
            return job
    near = get_close_matches(name, [job.name for job in crontab.jobs], n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`cronstream jobs` lists them"
    raise click.UsageError(f"there is no job {name!r}; {hint}")


def _runs(jobs: tuple[Job, ...], start: datetime, count: int) -> list[tuple[datetime, Job]]:
    merged = heapq.merge(*(_due(job, start) for job in jobs), key=lambda pair: pair[0])
    return [pair for pair, _ in zip(merged, range(count), strict=False)]


def _due(job: Job, start: datetime) -> Iterator[tuple[datetime, Job]]:
    due = _next(job, start)
    while due is not None:
        yield due, job
        due = _next(job, due)


def _next(job: Job, after: datetime) -> datetime | None:
    return compile_schedule(job.schedule, job.timezone).next_after(after)


def _at(job: Job, due: datetime) -> datetime:
    return due.astimezone(ZoneInfo(job.timezone))


def _local(job: Job, due: datetime | None) -> str:
    return "never" if due is None else _at(job, due).strftime("%a %Y-%m-%d %H:%M:%S %Z")


def _run_id(job: Job, due: datetime) -> str:
    return f"{job.name}@{format_time(due)}"


def _job_fields(job: Job, now: datetime) -> dict[str, Any]:
    fields = ("name", "cluster", "schedule", "timezone", "command", "max_attempts")
    return {
        **{name: getattr(job, name) for name in fields},
        "timeout_s": job.timeout_s,
        "delivery": job.delivery.value,
        "description": job.description,
        "next_due": _next(job, now),
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
