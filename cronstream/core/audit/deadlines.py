"""Whether a run that had to start within a time did, and was skipped no sooner (rule 22)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from cronstream.core.audit.claims import Claim
from cronstream.core.audit.finding import Kind
from cronstream.core.wire.enumerations import SkipReason

#: What a worker has handed to its executor may start so long after its last word: the longest
#: fence is no longer. What a slot is kept for is dropped within a second.
_STARTS_WITHIN: Final = timedelta(seconds=61)
#: A worker whose clock is off by more claims nothing, and skips nothing (rule 18).
_CLOCKS_DIFFER: Final = timedelta(seconds=5)


def is_late(reason: str) -> bool:
    """Whether that is why a run was skipped which had to start within a time."""
    return reason == SkipReason.LATE


def faults(
    until: datetime | None, first: Claim | None, skipped_at: datetime | None
) -> Iterator[tuple[Kind, str]]:
    """Yield what is wrong with when a run began, or was skipped as late.

    Args:
        until: When its time to start was over; None if it had all the time.
        first: The claim under which it was started first.
        skipped_at: When it was skipped as late, by the log's clock; None if it was not.
    """
    if until is None:
        return
    started_at = None if first is None else first.started_at or first.told_at
    if started_at is not None and started_at > until + _STARTS_WITHIN:
        late_s = (started_at - until).total_seconds()
        yield Kind.TOO_LATE, f"it was started {late_s:.3f} s after its start_within was over"
    if skipped_at is not None and skipped_at < until - _CLOCKS_DIFFER:
        early_s = (until - skipped_at).total_seconds()
        yield Kind.EARLY, f"it was skipped as late {early_s:.3f} s before its start_within was over"
