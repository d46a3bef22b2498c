"""The commands about the crontab: ``check``, ``jobs``, ``next``. They need no broker.

What is asked for goes to standard output: the jobs, the due times, and of ``check`` the problems,
each as ``file:line:column: sentence``, as editors and CI systems read it. With ``--json`` each is
one JSON object on a line. Exit status: 0 fine, 1 the crontab has problems, 2 wrong usage.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import click

from cronstream import clock
from cronstream.cli import proposals
from cronstream.cli.lean import load
from cronstream.cli.output import Column, emit, emit_json, emit_table, json_option, say
from cronstream.cli.times import Time
from cronstream.core.crontab.advice import Advice, advise
from cronstream.core.crontab.parser import MAX_BYTES, Crontab
from cronstream.core.crontab.words import job_words, problem_words
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time
from cronstream.crontab_file import crontab_of, origins, read_crontab
from cronstream.errors import CrontabError, NotFoundError, Place, Problem, nearest
from cronstream.settings import settings

_file_argument = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.command
@_file_argument
@click.option("--advice", is_flag=True, help="Also report what is valid, but may not be wise.")
@json_option
@click.pass_context
def check(ctx: click.Context, file: Path | None, advice: bool, as_json: bool) -> None:
    """Find every problem in a crontab.

    FILE is the one that the scheduler reads (CRONSTREAM_CRONTAB) unless another is named; - is
    standard input. Exit status 1 says that there are problems; advice is none.
    """
    path = shown_name(file)
    try:
        crontab = read_named(file)
    except CrontabError as error:
        for problem in error.problems:
            _emit_problem(problem.file or error.source, problem, as_json=as_json)
        say(f"{path}: {_count(len(error.problems), 'problem')}")
        ctx.exit(1)
    pieces = advise(crontab, settings().slots) if advice else []
    for piece in pieces:
        _emit_advice(path, piece, as_json=as_json)
    jobs, clusters = len(crontab.jobs), len(crontab.clusters)
    disabled = sum(not job.enabled for job in crontab.jobs)
    noted = f", {_count(disabled, 'job')} {_DISABLED}" if disabled else ""
    noted += f", {_count(len(pieces), 'piece')} of advice" if advice else ""
    say(f"{path}: {_count(jobs, 'job')} in {_count(clusters, 'cluster')}, no problems{noted}")


@click.command
@_file_argument
@click.option("--overdue", is_flag=True, help="Those that workers say are overdue, instead.")
@click.option("--paused", is_flag=True, help="Those that are paused, and by whom, instead.")
@json_option
def jobs(file: Path | None, overdue: bool, paused: bool, as_json: bool) -> None:
    """List the jobs of a crontab, with the time each is due next (UTC).

    One with 'enabled: false' is shown as paused. Of those that people have paused no file knows.
    Unless a FILE is named, and if a broker answers, it is said if schedulers have read different
    crontabs. With --overdue the broker is asked, and no file: which jobs have not succeeded as
    often as their expect_within says, as the workers have it. Likewise with --paused.
    """
    if overdue or paused:
        if file is not None or (overdue and paused):
            raise click.UsageError(
                "--overdue, or --paused, is about what is in force, and reads no FILE"
            )
        about = "overdue" if overdue else "paused"
        getattr(load(f"cronstream.cli.{about}"), f"list_{about}")(as_json=as_json)
        return
    path = shown_name(file)
    crontab = read_named(file)
    listed = [(job, _next_due(job, clock.now())) for job in crontab.jobs]
    origin = origins(crontab, path, crontab.jobs)
    there = _glance().crontabs_there() if file is None else None
    if as_json:
        for job, due in listed:
            at, line = origin(job.name)
            written = {"file": at, "line": line}
            emit_json({**job_words(job), **written, "next": due, "crontabs": there})
        return
    emit_table(
        [
            *map(Column, ("job", "cluster", "schedule", "zone")),
            *(_ATTEMPTS, Column("next due")),
            *([Column("written in")] if crontab.parts else []),
        ],
        [
            (
                *(job.name, job.cluster, job.schedule, job.timezone, str(job.max_attempts)),
                _utc(due) if job.enabled else _DISABLED,
                *(["{}:{}".format(*origin(job.name))] if crontab.parts else []),
            )
            for job, due in listed
        ],
    )
    if not listed:
        say(f"{path}: there are no jobs in it")


@click.command("next")
@click.argument("job", required=False, shell_complete=proposals.jobs)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=10,
    show_default=True,
    help="How many due times to show.",
)
@click.option(
    "--from", "start", type=Time(), metavar="TIME", help="Begin after this ISO time, not now."
)
@json_option
def next_(job: str | None, count: int, start: datetime | None, as_json: bool) -> None:
    """Show when jobs are due next: one JOB, or all of them in the order of time.

    Those with 'enabled: false' are not due. If a broker answers, it is said which are paused.
    """
    path = settings().crontab
    found = read_crontab(path).jobs
    chosen = found if job is None else [find_job(found, job)]
    dues = list(islice(_merged(chosen, start or clock.now()), count))
    pauses = _glance().pauses_there(chosen)
    if as_json:
        for due, each in dues:
            local = due.astimezone(ZoneInfo(each.timezone)).isoformat()
            emit_json(
                {"job": each.name, "cluster": each.cluster, "due": due, "local": local}
                | {"timezone": each.timezone, "paused": pauses.is_paused(each.name, due)}
            )
        return
    rows = []
    for due, each in dues:
        mark = "paused" if pauses.is_paused(each.name, due) else ""
        local = local_words(due, each.timezone)
        rows.append((_utc(due), local, each.timezone, each.name, each.cluster, mark))
    emit_table(list(map(Column, ("due", "local time", "zone", "job", "cluster", ""))), rows)
    for line in pauses.sentences():
        say(line)
    if not dues:
        say(f"{path}: nothing is due")


def _glance() -> ModuleType:
    """Return what asks a broker: it loads Kafka's client, which little here needs."""
    return load("cronstream.cli.glance")


def _next_due(job: Job, now: datetime) -> datetime | None:
    return compile_schedule(job.schedule, job.timezone).next_after(now) if job.enabled else None


def read_named(file: Path | None) -> Crontab:
    """Return the crontab that was named: a file, standard input as ``-``, or the scheduler's."""
    if file == _STANDARD_INPUT:
        # One byte more than may be shows that there is more.
        return crontab_of(
            click.get_binary_stream("stdin").read(MAX_BYTES + 1), str(shown_name(file))
        )
    return read_crontab(shown_name(file))


def shown_name(file: Path | None) -> Path:
    """Return what a file that was named is called."""
    return Path("<stdin>") if file == _STANDARD_INPUT else file or settings().crontab


_STANDARD_INPUT = Path("-")
#: For so many jobs of a herd it is shown how they may be spread.
_SPREADS = 20
#: Said of a job that the file has paused, in the place of when it is due, too.
_DISABLED = "paused (enabled: false)"
_ATTEMPTS = Column("attempts", justify="right")


def _merged(jobs: Sequence[Job], after: datetime) -> Iterator[tuple[datetime, Job]]:
    """Give the due times of jobs in order; those of one moment in the order of the file."""
    jobs = [job for job in jobs if job.enabled]
    schedules = [compile_schedule(job.schedule, job.timezone) for job in jobs]
    firsts = ((schedule.next_after(after), i) for i, schedule in enumerate(schedules))
    heap = [(due, i) for due, i in firsts if due is not None]
    heapq.heapify(heap)
    while heap:
        due, i = heap[0]
        yield due, jobs[i]
        following = schedules[i].next_after(due)
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (following, i))


def find_job(jobs: Sequence[Job], name: str) -> Job:
    """Return the job of a name.

    Raises:
        NotFoundError: If there is none; the sentence names one that is like it.
    """
    by_name = {job.name: job for job in jobs}
    if name in by_name:
        return by_name[name]
    hint = nearest(name, by_name) or "list them with 'cronstream jobs'"
    raise NotFoundError(f"there is no job {name!r} in the crontab; {hint}")


def _emit_problem(source: str, problem: Problem, *, as_json: bool) -> None:
    if as_json:
        about = {**problem_words(problem), "problem": problem.sentence}
        emit_json(_placed(source, problem.place) | about)
    else:
        emit(f"{_where(source, problem.place)}: {problem.sentence}")


def _emit_advice(path: Path, piece: Advice, *, as_json: bool) -> None:
    if as_json:
        about = {"advice": piece.sentence, "kind": piece.kind, "jobs": piece.jobs}
        spread = {"spread": [asdict(each) for each in piece.spreads]} if piece.spreads else {}
        emit_json(_placed(str(path), piece.place) | about | spread)
        return
    emit(f"{_where(str(path), piece.place)}: advice: {piece.sentence}")
    for each in piece.spreads[:_SPREADS]:
        said = f"write {each.instead!r} for {each.schedule!r}, which is {each.becomes!r} for it"
        emit(f"    {each.job}: {'-' if each.instead == each.schedule else said}")
    if len(piece.spreads) > _SPREADS:
        say(f"and {len(piece.spreads) - _SPREADS} more jobs: --json shows all")


def _placed(source: str, place: Place | None) -> dict[str, Any]:
    return {"file": source} | (place._asdict() if place else {})


def _where(source: str, place: Place | None) -> str:
    return ":".join(map(str, (source, *(place or ()))))


def _utc(due: datetime | None) -> str:
    return "never" if due is None else format_time(due)


def local_words(due: datetime, timezone: str) -> str:
    """Return a due time as the clock of a zone shows it."""
    return due.astimezone(ZoneInfo(timezone)).strftime("%a %Y-%m-%d %H:%M:%S %z")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
