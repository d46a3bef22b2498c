"""What people are shown of a plan once all of it is on the logs."""

import logging
from datetime import datetime
from typing import Final

from cronstream.core.planning.plan import Plan
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time
from cronstream.logs import fields

logger = logging.getLogger("cronstream.scheduler.firing")

#: So many skips of a plan are logged one by one.
_TOLD_SKIPS = 20
_WHY: Final = {SkipReason.COALESCED: "missed: once, a later one is run for them"}


def second(moment: datetime) -> str:
    """Return a moment as people read it, to the second."""
    return format_time(moment.replace(microsecond=0))


def log_plan(number: int, plan: Plan) -> None:
    """Log what was missed, and for who asks for it what was published.

    What is paused the owner of the log's partition reports, as of any verdict.
    """
    skips = [
        (cluster, entry)
        for cluster, entry in plan.messages
        if isinstance(entry, Skip) and entry.reason is not SkipReason.PAUSED
    ]
    for cluster, skip in skips[:_TOLD_SKIPS]:
        logger.info(
            "%s: %d due times missed, %s to %s; not run (%s)",
            skip.job,
            skip.count,
            format_time(skip.from_at),
            format_time(skip.to_at),
            _WHY.get(skip.reason, "missed_grace"),
            extra=fields("missed", job=skip.job, cluster=cluster, shard=number),
        )
    if len(skips) > _TOLD_SKIPS:
        about = fields("missed", shard=number)
        text = "shard %d: due times of %d jobs missed; not run"
        logger.info(text, number, len(skips), extra=about)
    _log_made_up(number, plan)
    if logger.isEnabledFor(logging.DEBUG) and plan.messages:
        runs = sum(isinstance(entry, Run) for _, entry in plan.messages)
        logger.debug("shard %d: %d runs published up to %s", number, runs, second(plan.cursor.at))


def _log_made_up(number: int, plan: Plan) -> None:
    runs = [m for _, m in plan.messages if isinstance(m, Run) and m.as_of is not None]
    if runs:
        jobs = len({run.job for run in runs})
        logger.info(
            "shard %d: %s of %s to be made up for, the last from %s on",
            number,
            f"{len(runs)} missed due time{'s' * (len(runs) > 1)}",
            f"{jobs} job{'s' * (jobs > 1)} {'are' if len(runs) > 1 else 'is'}",
            second(max(run.not_before for run in runs)),
            extra=fields("making-up", shard=number),
        )
