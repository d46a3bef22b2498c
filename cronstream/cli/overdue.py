"""``cronstream jobs --overdue``: the jobs that have not succeeded as often as is expected.

Workers announce them; without a worker of a cluster nobody knows of its jobs.
"""

from cronstream.cli import coroutine
from cronstream.cli.output import Column, emit_json, emit_table, say
from cronstream.cli.workers_command import read_roll
from cronstream.core.health.overdue import more_overdue, overdue_of
from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.times import format_time

_COLUMNS = tuple(
    map(Column, ("job", "cluster", "expected within", "last success", "watched since"))
)


def list_overdue(*, as_json: bool) -> None:
    """List them, those that are overdue the longest first."""
    roll, now = coroutine.run(read_roll())
    there = [seen.who for seen in roll.all() if seen.is_there(now)]
    found = overdue_of(there)
    if as_json:
        for cluster, one in found:
            emit_json({"job": one.job, "cluster": cluster, **one.model_dump(exclude={"job"})})
    else:
        rows = []
        for cluster, one in found:
            since = format_time(one.since)
            known = (since, "") if one.has_succeeded else ("unknown, or never", since)
            rows.append((one.job, cluster, format_duration(one.within_s), *known))
        emit_table(_COLUMNS, rows)
    if more := more_overdue(there):
        say(f"and {more} more: each worker names 100")
    if not any(who.role is RoleKind.WORKER for who in there):
        say("no worker is there, so nobody knows which jobs are overdue")
    elif not found:
        say("no job is overdue")
