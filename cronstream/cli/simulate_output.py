"""A forecast as people read it, and as programs do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from cronstream.cli.durations import GUESS_S, Durations
from cronstream.cli.output import Column, emit, emit_table, say
from cronstream.core.forecast.figures import BusySecond, Forecast, JobFigures, Level, PoolFigures
from cronstream.core.forecast.given import Crew
from cronstream.core.schedule.duration import format_duration as length_of
from cronstream.core.wire.times import format_time
from cronstream.history.words import format_duration

#: As many as there is room for in a line.
TEXT_STEPS: Final = 72
_BARS: Final = "▁▂▃▄▅▆▇█"
_POOLS: Final = (
    *map(Column, ("cluster", "role")),
    Column("attempts", "right"),
    Column("slots", "right"),
    Column("most in use", "right"),
    Column("at"),
    Column("on average", "right"),
    Column("most waiting", "right"),
    Column("waited", "right"),
    Column("longest wait", "right"),
)
_SECONDS: Final = (Column("busiest second"), Column("cluster"), Column("due", "right"))
_JOBS: Final = (
    *map(Column, ("job", "cluster", "overlap")),
    *(
        Column(title, "right")
        for title in (
            *("runs", "waited", "longest wait", "overlapped", "at once", "skipped", "replaced"),
            *("late", "discarded"),
        )
    ),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A forecast with what it was made from.

    Attributes:
        file: Of which crontab it is.
        durations: How long runs were taken to last.
        observed: How far back the ledgers were asked for that.
    """

    file: str
    forecast: Forecast
    durations: Durations
    crew: Crew
    observed: timedelta

    @property
    def title(self) -> str:
        """What it is about, in a line."""
        found, crew = self.forecast, self.crew
        length = length_of((found.until - found.start).total_seconds())
        workers = "a worker" if crew.workers == 1 else f"{crew.workers} workers"
        return (
            f"{self.file} from {format_time(found.start)} on, {length}: "
            f"{_count(found.runs, 'run')} of {_count(len(found.jobs), 'job')}; "
            f"each cluster has {workers} with {_count(crew.slots, 'slot')}"
        )

    @property
    def sources(self) -> str:
        """From where it is known how long runs take, in a line."""
        known = self.durations
        counts = (
            (known.given, "as given"),
            (known.read, "as in the file"),
            (known.observed, f"as in the last {length_of(self.observed.total_seconds())}"),
            (known.guessed, f"unknown, taken to be {length_of(GUESS_S)}"),
        )
        said = ", ".join(f"{number} {how}" for number, how in counts if number)
        return f"how long runs take, by job: {said or 'there are none'}"


def show(shown: Shown, limit: int) -> None:
    """Print it for people."""
    found = shown.forecast
    emit(shown.title)
    emit(shown.sources)
    pools = [pool for pool in found.pools if pool.used.most]
    if pools:
        emit("")
    emit_table(_POOLS, map(_pool_row, pools))
    for pool in pools:
        _show_levels(pool, found.step_s)
    if found.busiest:
        emit("")
    emit_table((*_SECONDS, Column("jobs")), map(_second_row, found.busiest))
    _show_jobs(found.jobs, limit)
    herd = next((b for b in found.busiest if b.count > shown.crew.slots * shown.crew.workers), None)
    if herd is not None:
        say(
            f"more is due at {format_time(herd.at)} than there are slots: 'H' in schedules spreads "
            "jobs, and 'cronstream check --advice' says how"
        )


def _pool_row(pool: PoolFigures) -> tuple[str, ...]:
    return (
        pool.cluster,
        _role(pool),
        str(pool.started),
        str(pool.slots),
        str(pool.used.most),
        format_time(pool.used.most_at.replace(microsecond=0)),
        f"{pool.used.mean:.2f}",
        str(pool.waiting.most),
        str(pool.waited),
        format_duration(pool.longest_wait_s) if pool.waited else "",
    )


def _role(pool: PoolFigures) -> str:
    return "retry worker" if pool.retry else "worker"


def _show_levels(pool: PoolFigures, step_s: float) -> None:
    emit("")
    each = length_of(round(step_s, 3))
    emit(f"{pool.cluster}, {_role(pool)}: slots in use, of {pool.slots} (a column is {each})")
    emit(_bars(pool.used.steps, pool.slots))
    if pool.waiting.most:
        emit(f"attempts that wait for a slot, {pool.waiting.most} at most")
        emit(_bars(pool.waiting.steps, pool.waiting.most))


def _bars(values: Sequence[int], whole: int) -> str:
    """Return a bar for each value: a dot for 0, and the highest only for all of it."""
    top = len(_BARS) - 1
    return "".join(_BARS[value * top // whole] if value else "." for value in values)


def _second_row(busy: BusySecond) -> tuple[str, ...]:
    more = busy.count - len(busy.jobs)
    names = ", ".join(busy.jobs) + (f" and {more} more" if more else "")
    return (format_time(busy.at), busy.cluster, str(busy.count), names)


def _show_jobs(jobs: Sequence[JobFigures], limit: int) -> None:
    """Print the jobs that something happens to, those that it happens to most first."""
    loud = [job for job in jobs if not job.is_quiet]
    loud.sort(key=lambda job: (-job.late - job.skipped - job.discarded, -job.longest_wait_s))
    if loud[:limit]:
        emit("")
    emit_table(_JOBS, map(_job_row, loud[:limit]))
    if len(loud) > limit:
        say(f"and {len(loud) - limit} more jobs: --limit shows more")


def _job_row(job: JobFigures) -> tuple[str, ...]:
    counts = (job.overlapped, job.at_once, job.skipped, job.replaced, job.late, job.discarded)
    return (
        job.job.name,
        job.job.cluster,
        job.job.overlap.value,
        str(job.runs),
        str(job.waited),
        format_duration(job.longest_wait_s) if job.waited else "",
        *map(str, counts),
    )


def objects(shown: Shown) -> Iterator[dict[str, Any]]:
    """Yield it for programs: the sum, the workers, the busiest seconds, the jobs."""
    found, known = shown.forecast, shown.durations
    yield {
        "kind": "sum",
        "crontab": shown.file,
        "from": found.start,
        "until": found.until,
        "step_s": found.step_s,
        "runs": found.runs,
        "jobs": len(found.jobs),
        "workers": shown.crew.workers,
        "slots": shown.crew.slots,
        "durations": {
            "given": known.given,
            "file": known.read,
            "observed": known.observed,
            "guessed": known.guessed,
        },
    }
    for pool in found.pools:
        yield {
            "kind": "workers",
            "cluster": pool.cluster,
            "role": "retry-worker" if pool.retry else "worker",
            "slots": pool.slots,
            "attempts": pool.started,
            "waited": pool.waited,
            "longest_wait_s": pool.longest_wait_s,
            "longest_wait": pool.longest_wait or None,
            "used": _level(pool.used),
            "waiting": _level(pool.waiting),
        }
    for busy in found.busiest:
        about = {"cluster": busy.cluster, "due": busy.count, "jobs": busy.jobs}
        yield {"kind": "second", "at": busy.at, **about}
    for job in found.jobs:
        yield {"kind": "job", "job": job.job.name, "cluster": job.job.cluster} | {
            name: getattr(job, name) for name in JobFigures.__slots__ if name != "job"
        }


def _level(level: Level) -> dict[str, Any]:
    return {
        "most": level.most,
        "most_at": level.most_at.replace(microsecond=0),
        "mean": round(level.mean, 3),
        "steps": level.steps,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
