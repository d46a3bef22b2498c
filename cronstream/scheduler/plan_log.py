"""What people are told of a plan once all of it is on the logs."""

import logging
from datetime import datetime

from cronstream.core.planning.plan import Plan
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time
from cronstream.logs import fields

logger = logging.getLogger("cronstream.scheduler.firing")

#: So many skips of a plan are told one by one.
_TOLD_SKIPS = 20


def second(moment: datetime) -> str:
    """Return a moment as people read it, to the second."""
    return format_time(moment.replace(microsecond=0))


def log_plan(number: int, plan: Plan) -> None:
    """Log what was missed, and for who asks for it what was published."""
    skips = [entry for _, entry in plan.messages if isinstance(entry, Skip)]
    for skip in skips[:_TOLD_SKIPS]:
        logger.info(
            "%s: %d due times missed, %s to %s; not run (missed_grace)",
            skip.job,
            skip.count,
            format_time(skip.from_at),
            format_time(skip.to_at),
            extra=fields("missed", job=skip.job, shard=number),
        )
    if len(skips) > _TOLD_SKIPS:
        about = fields("missed", shard=number)
        text = "shard %d: due times of %d jobs missed; not run"
        logger.info(text, number, len(skips), extra=about)
    if logger.isEnabledFor(logging.DEBUG) and plan.messages:
        runs = sum(isinstance(entry, Run) for _, entry in plan.messages)
        logger.debug("shard %d: %d runs published up to %s", number, runs, second(plan.cursor.at))
