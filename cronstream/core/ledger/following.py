"""What follows a run when it has its verdict (rule 24): published before the verdict stands.

A run carries what follows it. The owner of the cluster's log publishes that as it does any effect
of a decision: until `Forwarded` is read, whoever owns the partition publishes it, and the log of
the job that follows drops what comes twice, by its id. Nothing follows a run that was skipped.

What follows in another cluster goes to a topic of the installation, since nobody but schedulers
writes the logs of several: one of them puts it on its log, once more where it dies meanwhile.
"""

from datetime import datetime
from typing import Final

from cronstream.core.ledger.state import Effect, LiveRun
from cronstream.core.wire.enumerations import Ending, Verdict
from cronstream.core.wire.runs import Following, Previous, Run

#: After which endings a run follows a verdict.
_ENDINGS: Final = {
    Verdict.SUCCEEDED: (Ending.SUCCEEDED, Ending.SETTLED),
    Verdict.DISCARDED: (Ending.DISCARDED, Ending.SETTLED),
}
#: What the cluster's log publishes when the retry log has reported a verdict.
AFTER_RETRIES: Final = {
    Verdict.SUCCEEDED: Effect.AFTER_SUCCESS,
    Verdict.DISCARDED: Effect.AFTER_DISCARD,
}


def following(run: Run, verdict: Verdict | None) -> list[Following]:
    """Return what follows a run if that is its verdict."""
    if verdict is None or not run.then:
        return []
    return [one for one in run.then if one.on in _ENDINGS.get(verdict, ())]


def to_publish(
    live: LiveRun, verdict: Verdict | None, as_of: datetime, now: datetime | None = None
) -> list[Run]:
    """Return the runs that follow one whose verdict is decided, as they are to be published.

    Args:
        live: The run.
        verdict: What is decided.
        as_of: The log's time by which that is published.
        now: The time by the worker's clock: where the log's was ahead, nothing waits for that.
    """
    if verdict is None:
        return []
    decided_at = live.decided_at or as_of
    start = decided_at if now is None else min(decided_at, now)
    found = following(live.run, verdict)
    return [_published(live, verdict, one.run, (start, as_of)) for one in found]


def _published(live: LiveRun, verdict: Verdict, run: Run, times: tuple[datetime, datetime]) -> Run:
    start, as_of = times
    reason = live.reason if verdict is Verdict.DISCARDED else None
    home = live.run.cluster if run.cluster != live.run.cluster else None
    previous = Previous(live.run.id, verdict, live.last_attempt, reason or None, home)
    judged = {"as_of": as_of} if run.signature is None else {"retry_as_of": as_of}
    # It is due when its parent was; it can start no sooner than it is known to follow it.
    not_before = max(run.scheduled_at, start)
    return run.derive(not_before=not_before, previous=previous, **judged)
