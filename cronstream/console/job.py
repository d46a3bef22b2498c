"""The page of one job: what it is, how it has changed, what it did, and when it is due next."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from cronstream.console.ahead import schedule_problem
from cronstream.console.answers import Strip, Wanted
from cronstream.console.sight import Sight
from cronstream.core.crontab.words import job_words
from cronstream.core.health.overdue import overdue_of
from cronstream.core.schedule.changes import clock_changes
from cronstream.core.schedule.schedule import compile_schedule, find_zone
from cronstream.core.schedule.sentence import sentence
from cronstream.core.wire.runs import Job, Then
from cronstream.history.fields import edit_fields
from cronstream.history.pauses import said
from cronstream.history.story import RunState

#: Runs of a job in its strip, and in the plot of how long they take.
STRIP: Final = 30
_PLOTTED: Final = 60
#: Runs by which the durations of a job are judged.
_JUDGED: Final = 200
_DUES: Final = 10
_RUNS: Final = 25
_EDITS: Final = 20


def job(sight: Sight, name: str) -> dict[str, Any] | None:
    """Return everything of one job; None if it is neither in force nor has runs."""
    found = sight.installed.jobs.get(name)
    runs = sight.store.runs(Wanted(job=name, limit=_RUNS))
    edits = sight.pasts.of(name, _EDITS)
    if found is None and not runs and not edits:
        return None
    problem = found and schedule_problem(found)
    strip = sight.store.strips([name], _JUDGED)[name]
    overdue = [one for _, one in overdue_of(sight.there) if one.job == name]
    return {
        "job": name,
        "in_force": None if found is None else job_words(found),
        "by": found and found.by,
        "file": found and found.file,
        "line": found and found.line,
        "pauses": pauses(found, sight) if found else [],
        "allow_args": found is not None and found.allow_args,
        "sentence": None if found is None or problem else sentence(found.schedule, found.timezone),
        "due": None if found is None or problem else _dues(found, sight.now),
        "problem": problem,
        "overdue_since": overdue[0].since if overdue else None,
        "last_success": sight.store.successes([name]).get(name),
        "durations": durations(strip),
        "strip": [brief(one) for one in strip[-_PLOTTED:]],
        "runs": [sight.brief(one) for one in runs],
        "follows": _before(name, sight.installed.jobs),
        "then": list(_after(found.then or ())) if found else [],
        "revisions": [edit_fields(edit) for edit in edits],
        "gone_before": sight.pasts.gone_before,
    }


def pauses(job: Job, sight: Sight) -> list[dict[str, Any]]:
    """Return each pause of a job: by whom, why, since and until when."""
    halt = sight.installed.halted.get(job.name)
    found = [*said(job, sight.now), *([halt] if halt else [])]
    asked = ("by", "reason", "since", "until", "retries")
    return [{name: one[name] for name in asked} for one in found]


def brief(one: Strip) -> dict[str, Any]:
    """Return a run of a strip."""
    return {"run": one.run, "state": one.state, "due": one.due, "seconds": one.seconds}


def is_failing(strip: Sequence[Strip]) -> bool:
    """Whether the last run of these that has a verdict was discarded."""
    over = [one.state for one in strip if one.state.settled]
    return bool(over) and over[-1] is RunState.DISCARDED


def dues(job: Job, now: datetime, count: int) -> list[datetime]:
    """Return the next due times of a job (UTC); none if they cannot be worked out here."""
    if schedule_problem(job) is not None:
        return []
    schedule = compile_schedule(job.schedule, job.timezone)
    found: list[datetime] = []
    due = schedule.next_after(now)
    while due is not None and len(found) < count:
        found.append(due)
        due = schedule.next_after(due)
    return found


def _dues(found: Job, now: datetime) -> list[dict[str, Any]]:
    """Return the next due times, and among them the changes of the clocks."""
    zone = ZoneInfo(found.timezone)
    times = dues(found, now, _DUES)
    rows: list[dict[str, Any]] = [
        {"at": due, "local": f"{due.astimezone(zone):%a %Y-%m-%d %H:%M:%S %z}", "change": None}
        for due in times
    ]
    for change in clock_changes(find_zone(found.timezone), now):
        if not times or change.at > times[-1]:
            break
        words = f"clocks go from {change.before:%H:%M} to {change.after:%H:%M}"
        rows.append({"at": change.at, "local": f"{change.after:%a %Y-%m-%d}", "change": words})
    return sorted(rows, key=lambda row: (row["at"], row["change"] is None))


def durations(strip: Sequence[Strip]) -> dict[str, float | None]:
    """Return how long the last attempts took: half of them at most, and 95 of a hundred (s)."""
    found = sorted(one.seconds for one in strip if one.seconds is not None)
    return {"p50_s": _nth(found, 0.5), "p95_s": _nth(found, 0.95)}


def _nth(found: Sequence[float], share: float) -> float | None:
    return found[max(0, math.ceil(share * len(found)) - 1)] if found else None


def _before(name: str, jobs: Mapping[str, Job]) -> list[dict[str, str]]:
    """Return the jobs that this one follows, each with after which verdict."""
    return [
        {"job": job.name, "on": then.on.value}
        for job in jobs.values()
        for then in job.then or ()
        if then.job.name == name
    ]


def _after(then: Sequence[Then], depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the jobs that follow, and those that follow these, each with how far behind."""
    for one in then:
        yield {"job": one.job.name, "on": one.on.value, "depth": depth}
        yield from _after(one.job.then or (), depth + 1)
