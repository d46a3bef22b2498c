"""Whether a run without a verdict is explained: somebody works on it, or it is not yet its time."""

from datetime import datetime, timedelta
from typing import Final

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.wire.enumerations import Overlap
from cronstream.core.wire.times import format_clock

#: What nobody has taken up this long after its time is reported as waiting.
TAKEN_UP_WITHIN: Final = timedelta(seconds=60)


def unexplained_wait(
    first: Ledger | None, later: Ledger | None, run_id: str, now: datetime
) -> str | None:
    """Return what a run waits for without an explanation, or None if there is one.

    Args:
        first: The cluster's log, which has no verdict of it.
        later: The retry log.
        run_id: The run.
        now: Up to when both were read.
    """
    live = first.book.live.get(run_id) if first is not None else None
    if first is None or live is None:
        return "no log knows it any more"
    if live.state is State.RETRYABLE or live.not_before is not None:
        again = later.book.live.get(run_id) if later is not None else None
        if later is not None and again is not None:
            return _on(later, again, now)
        due = live.not_before or live.run.not_before
        return _late("its retry is not on the retry log", due, now)
    return _on(first, live, now)


def _on(log: Ledger, live: LiveRun, now: datetime) -> str | None:
    due = live.run.not_before
    if live.state is State.QUEUED and _waits_for_another(log, live):
        return None
    if live.state is State.QUEUED:
        return _late("queued, and nobody has claimed it", due, now)
    if live.state is State.DECIDING:
        return _late("what was decided is not published", live.decided_at or due, now)
    beat = log.book.beats.get(live.holder or "")
    if beat is not None and now - beat.at <= TAKEN_UP_WITHIN:
        return None  # Its worker is there, and runs it or waits for a slot.
    heard = f"was last heard at {format_clock(beat.at)}" if beat else "was never heard"
    return _late(f"{live.state}, but {live.holder} {heard} and is not taken for lost", due, now)


def _waits_for_another(log: Ledger, live: LiveRun) -> bool:
    """Whether it may not overlap, and another run of its job is under way (rule 17)."""
    if live.run.overlap is Overlap.ALLOW:
        return False
    others = (other for other in log.book.live.values() if other.run.job == live.run.job)
    return any(other is not live and (other.begun or other.held) for other in others)


def _late(what: str, since: datetime, now: datetime) -> str | None:
    if now - since <= TAKEN_UP_WITHIN:
        return None
    return f"waiting, {(now - since).total_seconds():.0f} s past due: {what}"
