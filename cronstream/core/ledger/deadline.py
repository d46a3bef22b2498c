"""Until when a run may start: what still waits then is skipped (rule 22).

Only of what a schedule asks for, and only as long as it has not begun: a person who asks for a run
wants it whenever it can be made, and what was begun is brought to its end.
"""

from datetime import datetime, timedelta

from cronstream.core.ledger.state import LiveRun
from cronstream.core.wire.entries import Skipped
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Run


def start_by(run: Run) -> datetime | None:
    """Return until when the run may start (UTC); None if whenever it can."""
    if run.start_within_s is None or run.cause is not None or run.attempt > 1:
        return None
    return run.scheduled_at + timedelta(seconds=run.start_within_s)


def is_too_late(live: LiveRun, now: datetime) -> bool:
    """Whether a run that waits is to be skipped, by the clock of the worker that owns it."""
    until = start_by(live.run)
    return until is not None and now > until and not live.begun


def skip_of(live: LiveRun) -> Skipped:
    """Return the word of the owner that this version of a run comes too late."""
    return Skipped(run=live.run.id, version=live.version, reason=SkipReason.LATE)
