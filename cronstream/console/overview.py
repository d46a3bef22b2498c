"""What is wrong now, who works, how the last hour was, and what the next one brings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cronstream.console.sight import Sight
from cronstream.console.words import place
from cronstream.core.health import agreement, clocks, trusted
from cronstream.core.health.overdue import overdue_of
from cronstream.core.health.presence import Presence
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.runs import Job
from cronstream.history.story import RunState, RunStory

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
#: Rows of each list.
_FEW: Final = 10
#: Jobs that are named among what somebody should see to, and the most that are counted there.
_NAMED: Final = 5
_MANY: Final = 1_000


def overview(sight: Sight) -> dict[str, Any]:
    """Return what is wrong now, how the last hour was, and what is due in the next."""
    late = [one for one in sight.store.live() if one.late_s(sight.now) is not None]
    since = sight.now - _HOUR
    missed = sight.store.missed(since, _FEW)
    return {
        "troubles": _troubles(sight, late, missed),
        "late": [sight.brief(one) for one in late[:_FEW]],
        "missed": [sight.brief(one) for one in missed],
        "clusters": clusters(sight),
        "hour": _hour(sight),
        "ahead": sight.ahead.minutes(sight.now),
        "next": sight.ahead.next(sight.now, _FEW),
        "discarded": _discarded(sight),
        "jobs": len(sight.installed.jobs),
    }


def _troubles(
    sight: Sight, late: Sequence[RunStory], missed: Sequence[RunStory]
) -> list[dict[str, str]]:
    """Return each thing that somebody should see to: what it is, and where there is more."""
    found = [
        {"what": f"{row['cluster']} has no {row['lacks']}", "more": "/workers"}
        for row in clusters(sight)
        if row["lacks"]
    ]
    found += [
        {"what": f"job {one.job} is overdue", "more": f"/jobs/{place(one.job)}"}
        for _, one in overdue_of(sight.there)[:_FEW]
    ]
    if late:
        found.append({"what": f"{_count(len(late), 'run')} late", "more": "/runs?state=queued"})
    if missed:
        count = sum(one.count for one in missed)
        more = "/runs?state=skipped&reason=missed"
        what = f"{_count(count, 'due time')} missed in the last hour"
        found.append({"what": what, "more": more})
    found += _of_discards(sight)
    found += _of_crontabs(sight)
    return found + [{"what": text, "more": "/workers"} for text in differences(sight)]


def _of_discards(sight: Sight) -> list[dict[str, str]]:
    """Return the jobs of which runs were discarded in the last hour."""
    gone = sight.store.discards(sight.now - _HOUR, _MANY)
    found = [
        {
            "what": f"{one.job}: {_count(one.runs, 'run')} discarded in the last hour",
            "more": f"/jobs/{place(one.job)}",
        }
        for one in gone[:_NAMED]
    ]
    if len(others := gone[_NAMED:]):
        runs = _count(sum(one.runs for one in others), "run")
        more = "+" if len(gone) == _MANY else ""
        what = f"{runs} of {len(others)}{more} other jobs discarded"
        found.append({"what": what, "more": "/discarded"})
    return found


def _discarded(sight: Sight) -> list[dict[str, Any]]:
    """Return the jobs of which runs were discarded in the last day, and if they still are."""
    gone = sight.store.discards(sight.now - _DAY, _FEW)
    names = [one.job for one in gone]
    failing, succeeded = sight.store.failing(names), sight.store.successes(names)
    return [
        {
            "job": one.job,
            "count": one.runs,
            "reason": one.reason,
            "last": one.last,
            "last_success": succeeded.get(one.job),
            "is_failing": one.job in failing,
        }
        for one in gone
    ]


def _of_crontabs(sight: Sight) -> list[dict[str, str]]:
    """Return which schedulers cannot put in force what their file says."""
    return [
        {"what": f"{who.name}: {who.crontab_file or 'its crontab'} has errors", "more": "/crontab"}
        for who in sight.there
        if who.crontab_problems
    ] + [
        {"what": f"{who.name}: {who.crontab_held}", "more": "/crontab"}
        for who in sight.there
        if who.crontab_held
    ]


def differences(sight: Sight) -> list[str]:
    """Return in what processes differ that are to be alike."""
    there = sight.there
    return [*agreement.warnings(there), *clocks.warnings(there), *trusted.warnings(there)]


def clusters(sight: Sight) -> list[dict[str, Any]]:
    """Return each cluster with who works for it, and what waits."""
    there = sight.there
    named = {job.cluster for job in sight.installed.jobs.values()}
    named |= {who.cluster for who in there if who.cluster}
    live = sight.store.live_counts()
    jobs = sight.installed.jobs.values()
    return [_cluster(name, there, jobs, live.get(name, 0)) for name in sorted(named)]


def _cluster(
    name: str, there: Iterable[Presence], jobs: Iterable[Job], live: int
) -> dict[str, Any]:
    of = [who for who in there if who.cluster == name]
    workers = [who for who in of if who.role is RoleKind.WORKER]
    retry = [who for who in of if who.role is RoleKind.RETRY_WORKER]
    needed = sum(job.cluster == name for job in jobs)
    lacks = "worker" if needed and not workers else "retry worker" if needed and not retry else ""
    return {
        "cluster": name,
        "jobs": needed,
        "workers": len(workers),
        "retry_workers": len(retry),
        "slots": sum(who.slots for who in of),
        "running": sum(who.running for who in of),
        "waiting": sum(who.waiting for who in of),
        "live": live,
        "lacks": lacks,
    }


def _hour(sight: Sight) -> list[dict[str, Any]]:
    """Return the last sixty minutes, each with how many runs got which verdict."""
    first = sight.now.replace(second=0, microsecond=0) - timedelta(minutes=59)
    counts: dict[datetime, Counter[str]] = defaultdict(Counter)
    for minute, _, state, count in sight.store.minutes(first):
        counts[minute][state.value] += count
    minutes = [first + timedelta(minutes=n) for n in range(60)]
    verdicts = (RunState.SUCCEEDED, RunState.DISCARDED, RunState.SKIPPED)
    return [
        {"minute": minute, **{verdict.value: counts[minute][verdict.value] for verdict in verdicts}}
        for minute in minutes
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
