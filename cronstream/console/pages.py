"""What each page shows, as plain values: its template shows them, and its ``.json`` twin is them.

Nothing here waits: all is in the projection, or in what is known of the installation.
"""

from dataclasses import dataclass
from typing import Any, Final

from cronstream.console.ahead import schedule_problem
from cronstream.console.answers import COUNTED, Wanted
from cronstream.console.course import course
from cronstream.console.job import STRIP, brief, dues, is_failing, pauses
from cronstream.console.overview import clusters, differences
from cronstream.console.sight import Sight
from cronstream.core.health.overdue import overdue_of
from cronstream.core.health.roll import fields as process_fields
from cronstream.core.wire.enumerations import Cause
from cronstream.history.story import RunState

#: Rows of a list, before one asks for more.
ROWS: Final = 50
_REASONS: Final = 12


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
        troubled = overdue | sight.store.failing([job.name for job in found])
        found = [job for job in found if job.name in troubled]
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
                "problem": schedule_problem(job),
                "last_success": succeeded.get(job.name),
                "is_overdue": job.name in overdue,
                "is_failing": is_failing(strips[job.name]),
                "pauses": pauses(job, sight),
                "strip": [brief(one) for one in strips[job.name]],
            }
            for job in shown
        ],
        "count": len(found),
        "start": wanted.start,
        "clusters": sorted({job.cluster for job in sight.installed.jobs.values()}),
    }


def runs(sight: Sight, wanted: Wanted) -> dict[str, Any]:
    """Return the newest runs that are wanted, and from where on there is more."""
    found = sight.store.runs(wanted)
    last = found[-1] if len(found) == wanted.limit else None
    more = last and (last.scheduled_at if wanted.job is not None else last.changed_at)
    return {
        "runs": [sight.brief(one) for one in found],
        "more_before": more,
        "states": [state.value for state in RunState if state is not RunState.UNKNOWN],
        "clusters": sorted({job.cluster for job in sight.installed.jobs.values()}),
    }


def run(sight: Sight, run_id: str) -> dict[str, Any] | None:
    """Return one run with all its attempts, without what they wrote; None if it is not known."""
    story = sight.store.get(run_id)
    if story is None:
        return None
    return {**sight.full(story), "course": course(story, sight.now)}


def discarded(sight: Sight, wanted: Wanted) -> dict[str, Any]:
    """Return the newest discarded runs, what became of replays, and all reasons that there are."""
    found = sight.store.runs(wanted)
    siblings = sight.store.siblings(found)
    last = found[-1] if len(found) == wanted.limit else None
    return {
        "runs": [
            {
                **sight.brief(one),
                "replays": [
                    sight.brief(other)
                    for other in siblings.get((one.job, one.scheduled_at), ())
                    if other.cause is Cause.REPLAY
                    and other.changed_at >= one.changed_at
                    and other.id != one.id
                ],
            }
            for one in found
        ],
        "reasons": [
            {
                "reason": one.reason,
                "count": one.runs,
                "jobs": one.jobs,
                "job": one.job,
                "last": one.last,
            }
            for one in sight.store.reasons(wanted, _REASONS)
        ],
        "counted_at_most": COUNTED,
        "more_before": last and (last.scheduled_at if wanted.job is not None else last.changed_at),
        "clusters": sorted({job.cluster for job in sight.installed.jobs.values()}),
    }


def workers(sight: Sight) -> dict[str, Any]:
    """Return all processes that are there, or were in the last ten minutes."""
    now = sight.installed.now
    return {
        "processes": [process_fields(one, now) for one in sight.installed.processes],
        "differences": differences(sight),
        "clusters": clusters(sight),
    }
