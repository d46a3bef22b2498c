"""What each page shows, as plain values: its template shows them, and its ``.json`` twin is them.

Nothing here waits: all is in the projection, or in what is known of the installation.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from cronstream.console.overview import Sight, clusters, differences
from cronstream.console.store import Strip, Wanted
from cronstream.core.crontab.words import job_words
from cronstream.core.health.overdue import overdue_of
from cronstream.core.health.roll import fields as process_fields
from cronstream.core.schedule.changes import clock_changes
from cronstream.core.schedule.schedule import compile_schedule, find_zone
from cronstream.core.schedule.sentence import sentence
from cronstream.core.wire.runs import Job
from cronstream.history.fields import full_fields, run_fields
from cronstream.history.story import RunState

#: Rows of a list, before one asks for more.
ROWS: Final = 50
#: Runs of a job in its strip.
STRIP: Final = 30
_DUES: Final = 10
_CHANGES: Final = 2
#: Runs by which the durations of a job are judged.
_JUDGED: Final = 200


@dataclass(frozen=True, slots=True)
class JobsWanted:
    """Which jobs the list is to show; empty for all."""

    text: str = ""
    cluster: str = ""
    trouble: bool = False
    start: int = 0


def jobs(sight: Sight, wanted: JobsWanted) -> dict[str, Any]:
    """Return the jobs that are wanted, by name."""
    overdue = {one.job for _, one in overdue_of(sight.there)}
    found = [
        job
        for name, job in sorted(sight.installed.jobs.items())
        if wanted.text.lower() in name.lower() and wanted.cluster in ("", job.cluster)
    ]
    if wanted.trouble:
        strips = sight.store.strips([job.name for job in found], 1)
        found = [job for job in found if job.name in overdue or _has_failed(strips[job.name])]
    shown = found[wanted.start : wanted.start + ROWS]
    strips = sight.store.strips([job.name for job in shown], STRIP)
    succeeded = sight.store.successes([job.name for job in shown])
    return {
        "jobs": [
            {
                "job": job.name,
                "cluster": job.cluster,
                "schedule": job.schedule,
                "timezone": job.timezone,
                "description": job.description,
                "next_due": next(iter(dues(job, sight.now, 1)), None),
                "last_success": succeeded.get(job.name),
                "is_overdue": job.name in overdue,
                "strip": [_brief(one) for one in strips[job.name]],
            }
            for job in shown
        ],
        "count": len(found),
        "start": wanted.start,
        "clusters": sorted({job.cluster for job in sight.installed.jobs.values()}),
    }


def _has_failed(strip: Sequence[Strip]) -> bool:
    return bool(strip) and strip[-1].state is RunState.DISCARDED


def _brief(one: Strip) -> dict[str, Any]:
    return {"run": one.run, "state": one.state, "due": one.due, "seconds": one.seconds}


def dues(job: Job, now: datetime, count: int) -> list[datetime]:
    """Return the next due times of a job (UTC)."""
    schedule = compile_schedule(job.schedule, job.timezone)
    found: list[datetime] = []
    due = schedule.next_after(now)
    while due is not None and len(found) < count:
        found.append(due)
        due = schedule.next_after(due)
    return found


def job(sight: Sight, name: str) -> dict[str, Any] | None:
    """Return everything of one job; None if it is neither in force nor has runs."""
    found = sight.installed.jobs.get(name)
    runs = sight.store.runs(Wanted(job=name, limit=ROWS))
    if found is None and not runs:
        return None
    strip = sight.store.strips([name], _JUDGED)[name]
    overdue = [one for _, one in overdue_of(sight.there) if one.job == name]
    return {
        "job": name,
        "in_force": None if found is None else job_words(found),
        "by": found and found.by,
        "sentence": found and sentence(found.schedule, found.timezone),
        "due": found and _dues(found, sight.now),
        "clock_changes": found and _changes(found, sight.now),
        "overdue_since": overdue[0].since if overdue else None,
        "last_success": sight.store.successes([name]).get(name),
        "durations": durations(strip),
        "strip": [_brief(one) for one in strip[-STRIP * 2 :]],
        "runs": [run_fields(one, sight.now) for one in runs],
    }


def _dues(found: Job, now: datetime) -> list[dict[str, Any]]:
    zone = ZoneInfo(found.timezone)
    return [
        {"at": due, "local": f"{due.astimezone(zone):%a %Y-%m-%d %H:%M:%S %z}"}
        for due in dues(found, now, _DUES)
    ]


def _changes(found: Job, now: datetime) -> list[datetime]:
    return [one.at for one in islice(clock_changes(find_zone(found.timezone), now), _CHANGES)]


def durations(strip: Sequence[Strip]) -> dict[str, float | None]:
    """Return how long the last attempts took: half of them at most, and 95 of a hundred (s)."""
    found = sorted(one.seconds for one in strip if one.seconds is not None)
    return {"p50_s": _nth(found, 0.5), "p95_s": _nth(found, 0.95)}


def _nth(found: Sequence[float], share: float) -> float | None:
    return found[max(0, math.ceil(share * len(found)) - 1)] if found else None


def runs(sight: Sight, wanted: Wanted) -> dict[str, Any]:
    """Return the newest runs that are wanted, and from where on there is more."""
    found = sight.store.runs(wanted)
    last = found[-1] if len(found) == wanted.limit else None
    more = last and (last.scheduled_at if wanted.job is not None else last.changed_at)
    return {
        "runs": [run_fields(one, sight.now) for one in found],
        "more_before": more,
        "states": [state.value for state in RunState if state is not RunState.UNKNOWN],
        "clusters": sorted({job.cluster for job in sight.installed.jobs.values()}),
    }


def run(sight: Sight, run_id: str) -> dict[str, Any] | None:
    """Return one run with all its attempts, without what they wrote; None if it is not known."""
    story = sight.store.get(run_id)
    return None if story is None else full_fields(story, sight.now)


def discarded(sight: Sight, wanted: Wanted) -> dict[str, Any]:
    """Return the newest discarded runs, and how many there are for each reason among them."""
    found = sight.store.runs(wanted)
    reasons = Counter((one.job, one.reason or "unknown") for one in found)
    return {
        "runs": [run_fields(one, sight.now) for one in found],
        "reasons": [
            {"job": name, "reason": reason, "count": count}
            for (name, reason), count in reasons.most_common()
        ],
        "more_before": found[-1].changed_at if len(found) == wanted.limit else None,
    }


def workers(sight: Sight) -> dict[str, Any]:
    """Return all processes that are there, or were in the last ten minutes."""
    now = sight.installed.now
    return {
        "processes": [process_fields(one, now) for one in sight.installed.processes],
        "differences": differences(sight),
        "clusters": clusters(sight),
    }
