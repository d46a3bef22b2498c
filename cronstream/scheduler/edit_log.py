"""What a scheduler logs of its crontab: each problem, each edit, and what becomes of due times."""

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from cronstream.core.crontab.change import Change, count, describe
from cronstream.core.crontab.outlook import Span, outlook
from cronstream.core.crontab.parts import PartlyGoodError
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError, Part, Problem
from cronstream.logs import Fields, fields

logger = logging.getLogger(__name__)

#: Due times are compared so far ahead.
_WITHIN: Final = timedelta(hours=24)
#: A scheduler has no time to work out more due times than these: that takes a tenth of a second.
_MOST: Final = 20_000
#: No more edits are said one by one: so many lines take longer than all else of an edit.
_MOST_SAID: Final = 1_000


def log_problems(found: CrontabError, *, has_one: bool) -> None:
    """Log each problem of a crontab, and that it is not used.

    Args:
        found: What is wrong.
        has_one: Whether there was a good one before.
    """
    for problem in found.problems:
        about = fields("crontab-problem", **_about(problem))
        logger.error("%s: %s", found.source, problem, extra=about)
    if isinstance(found, PartlyGoodError):
        files = ", ".join(dict.fromkeys(problem.file or "" for problem in found.problems))
        what = "the jobs of these files stay as they were, and all else is put in force"
        logger.error("%s: %s: %s", found.source, files, what, extra=fields("crontab-partly-used"))
        return
    what = "the crontab before it stays in force" if has_one else "waiting for a good one"
    logger.error("%s: not used; %s", found.source, what, extra=fields("crontab-refused"))


def _about(problem: Problem) -> Fields:
    """Return the job that a problem is in, or the cluster."""
    match problem.part:
        case Part("job", str(name)):
            return {"job": name}
        case Part("cluster", str(name)):
            return {"cluster": name}
        case _:
            return {}


def log_applied(name: str, change: Change, jobs: int) -> None:
    """Log what was put in force: how much of it is new, and then each edit."""
    text = f"jobs {count(change)}; {jobs} in all" if change else f"{jobs} jobs, nothing changed"
    counts: Fields = {
        "jobs": jobs,
        "added": len(change.added),
        "changed": len(change.changed),
        "removed": len(change.removed),
    }
    logger.info("%s: %s", name, text, extra=fields("crontab-applied", **counts))
    lines = describe(change)
    for line in lines[:_MOST_SAID]:
        logger.info("%s", line, extra=fields("edit"))
    if len(lines) > _MOST_SAID:
        logger.info("and %d edits more", len(lines) - _MOST_SAID, extra=fields("edit"))


async def log_due_times(
    name: str, before: Collection[Job], change: Change, now: datetime, look_ahead_s: float
) -> None:
    """Log what an edit means for the due times of the next 24 hours.

    Nothing is said where no job was in force before: then all of them are new.
    """
    if not before or not change:
        return
    span = Span(now, now + _WITHIN, timedelta(seconds=look_ahead_s))
    due = await asyncio.to_thread(outlook, change, span, most=_MOST)
    about = fields("due-times", added=due.added, moved=due.moved, removed=due.removed)
    logger.info("%s: due times of the next 24 h: %s", name, due, extra=about)
