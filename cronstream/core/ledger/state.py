"""What the fold of a log knows of runs, jobs and workers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from cronstream.core.ledger.mark import SUPERSEDED
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.runs import Run

#: Ids of runs with a cause, and of later attempts, are known this long after their verdict.
KEEP: Final = timedelta(hours=1)
#: The last so many are known longer: a clock that is ahead for a moment makes none forgotten.
KEEP_LEAST: Final = 100
#: What was handed over from another cluster is known so long after its verdict: for longer than
#: `HAND_OVER`, after which nobody hands it over any more.
KEEP_HANDED_OVER: Final = timedelta(days=4)
HAND_OVER: Final = timedelta(days=3)
#: From this level on what a message says is judged by its own append time, not by the latest.
OWN_TIME_SINCE: Final = 2
#: From this level on a later attempt has one attempt fewer than the one before it.
COUNTS_SINCE: Final = 3
#: From this level on jobs are paused, and hours of it are told.
PAUSES_SINCE: Final = 4
#: Such a message that the broker got this long after it was judged is stale, and refused.
STALE: Final = timedelta(minutes=10)
#: What is published is due within this of its append time, and as much again, unless a clock is
#: wrong: the look-ahead is a minute at most.
AHEAD: Final = timedelta(minutes=2)
#: At one more loss after a start, the run is discarded (rule 9).
MAX_LOSSES: Final = 5
#: What has ended so many executors that it had for itself is discarded (rule 9).
MAX_DEATHS: Final = 2
#: Why a run was refused: its sender judged it too long ago; for other reasons see `mark`.
TOO_OLD: Final = "stale"
#: It counts as published already, by a clock that was ahead.
FROM_AHEAD: Final = "ahead"
#: It has more attempts left than the ledger knows of (rule 10).
TOO_MANY: Final = "attempts"
#: It may have come before the log's beginning as well, and nobody has taken it up since.
FORGOTTEN: Final = "forgotten"


class State(StrEnum):
    """Where a run without a verdict stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    #: An attempt has ended, and what follows from it is not yet published.
    DECIDING = "deciding"
    #: A later attempt is on the retry log.
    RETRYABLE = "retryable"


#: Where a claim stands.
_HELD: Final = frozenset((State.CLAIMED, State.RUNNING))


class Effect(StrEnum):
    """What has to be published before a decision is done."""

    RETRY = "retry"
    DISCARD = "discard"
    #: A retry log's success, to be reported to the cluster's log.
    SETTLE = "settle"
    #: Its run is on the retry log, which has to hear that the run is cancelled.
    CANCEL = "cancel"
    #: A retry log's run that was cancelled, to be reported to the cluster's log.
    SKIP = "skip"
    #: A success on the cluster's log that other runs follow (rule 24).
    SUCCEED = "succeed"
    #: Likewise one on the retry log, once that has reported it; and a run that it has discarded.
    AFTER_SUCCESS = "after-success"
    AFTER_DISCARD = "after-discard"

    @property
    def verdict(self) -> Verdict | None:
        """What becomes of the run when it is done; None if the run goes on."""
        return _VERDICTS.get(self)


_VERDICTS: Final = {
    Effect.SETTLE: Verdict.SUCCEEDED,
    Effect.DISCARD: Verdict.DISCARDED,
    Effect.SKIP: Verdict.SKIPPED,
    Effect.SUCCEED: Verdict.SUCCEEDED,
    Effect.AFTER_SUCCESS: Verdict.SUCCEEDED,
    Effect.AFTER_DISCARD: Verdict.DISCARDED,
}
_VERDICT_WORDS: Final = {verdict.value: verdict for verdict in Verdict}
_ENDS: Final = frozenset((*_VERDICT_WORDS, "withdrawn"))


@dataclass(slots=True)
class LiveRun:
    """A run without a verdict. It changes in place: there may be many, and only the fold does it.

    Attributes:
        version: Offset of the message that last changed it; judgements name it (rule 1).
        holder: The worker whose claim stands.
        claim: The version that the standing claim named; with the holder, the claim's name.
        begun: Whether an attempt was started, or may have been.
        begun_before: The same, before the standing claim.
        asked_to_give_way: Whether the holder was asked to give way to a newer revision (rule 13).
        successor: What takes its place then.
        paused: Whether nothing does, since its job was paused: it is skipped then.
        cancelled: Whether it is to end as skipped (rule 17), for the reason in `cancel`.
        cancelled_by: The person who asked for that, if one did.
        losses: Attempts lost after their start.
        unsure: Whether an attempt was lost of which nobody knows whether it had started: from then
            on it starts only once its `Started` has been read back (rule 9).
        alone: Whether its executor has died with it: it has one for itself from then on.
        deaths: Executors that have died with it while they were its own.
        not_before: With effect RETRY, when the next attempt may start.
        decided_at: When the attempt ended, by the log's clock.
        entered: At which offset it came, if it may have come before the log's beginning as well.
        settled_attempt: The last attempt, as the retry log has reported it with the verdict.
    """

    run: Run
    version: int
    state: State = State.QUEUED
    holder: str | None = None
    claim: int | None = None
    begun: bool = False
    begun_before: bool = False
    asked_to_give_way: bool = False
    successor: Run | Skip | None = None
    paused: bool = False
    cancelled: bool = False
    cancel: SkipReason = SkipReason.OVERLAP
    cancelled_by: str | None = None
    losses: int = 0
    unsure: bool = False
    alone: bool = False
    deaths: int = 0
    effect: Effect | None = None
    reason: str = ""
    not_before: datetime | None = None
    decided_at: datetime | None = None
    entered: int | None = None
    settled_attempt: int | None = None

    @property
    def last_attempt(self) -> int:
        """The number of its last attempt, wherever that was made."""
        return self.settled_attempt or self.run.attempt

    @property
    def held(self) -> bool:
        """Whether somebody's claim stands."""
        return self.state in _HELD

    @property
    def begun_for_good(self) -> bool:
        """Whether an attempt has begun that cannot be given back any more.

        Who says `Started` before the command is started may still release it.
        """
        return self.begun_before or (self.begun and not starts_after_word(self.run, retry=False))


def starts_after_word(run: Run, *, retry: bool) -> bool:
    """Whether `Started` is read back before a first command is started (rules 9 and 17).

    On a retry log every run has begun, so only at_most_once waits there.
    """
    if run.delivery is Delivery.AT_MOST_ONCE:
        return True
    return run.overlap is not Overlap.ALLOW and not retry


def at_once(run: Run) -> int:
    """Return how many runs of its job may be under way once this one is (rule 17)."""
    counts = run.overlap in (Overlap.SKIP, Overlap.QUEUE)
    return max(1, run.max_running) if counts else 1


@dataclass(slots=True)
class Beginning:
    """The first message that is left of a log.

    Attributes:
        offset: Its offset: what names an older one is about what was deleted.
        at: When it was appended.
        begun: Ids of runs that had begun before, as entries say that came before their doubles.
        withdrawn: Ids of those that may have come before, and have given way to an edit since.
    """

    offset: int
    at: datetime
    begun: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)

    def may_follow(self, run: Run) -> bool:
        """Whether the same may have been published before, so that this is its double."""
        return (run.judged_at or run.not_before - AHEAD) <= self.at


@dataclass(slots=True)
class Beat:
    """The last that was heard of a worker: its heartbeat's number, and when, by the log."""

    number: int
    at: datetime


class News(NamedTuple):
    """One change of a run's state, for log lines, metrics and pages.

    Attributes:
        action: ``queued``, ``claimed``, ``running``, … or a verdict.
        text: The rest of the sentence that begins with the run's id.
        reason: With a verdict, why: of `SkipReason` for what was skipped.
        is_detail: Whether it is shown only to who asks for details: another line says as much.
    """

    run: Run
    action: str
    text: str
    reason: str = ""
    is_detail: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that it reports, if it does."""
        return _VERDICT_WORDS.get(self.action)

    @property
    def is_end(self) -> bool:
        """Whether the run is no longer live: it has a verdict, or was withdrawn."""
        return self.action in _ENDS


class Ended(NamedTuple):
    """An attempt that has ended, or was lost; for metrics.

    Attributes:
        run: The run, with the attempt as its last.
        is_retried: Whether a later attempt follows from it, on the retry log.
    """

    run: Run
    outcome: Outcome
    is_retried: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run, or a span of due times, that has not entered.

    Attributes:
        run: The run's id, or the job's name where it is a span.
        revision: That it names.
        why: `UNKNOWN`, `SUPERSEDED`, `OUTDATED`, `TOO_OLD`, `FROM_AHEAD`, `TOO_MANY` or
            `FORGOTTEN`.
        from_at: The first of the due times; `to_at` is the last.
    """

    job: str
    run: str
    revision: int | None
    why: str
    from_at: datetime
    to_at: datetime

    @property
    def is_ordinary(self) -> bool:
        """Whether it was to be expected: runs of a newer revision stand for it."""
        return self.why == SUPERSEDED


@dataclass(frozen=True, slots=True)
class SkipNews:
    """Due times of a job that got their verdict without a run."""

    job: str
    reason: SkipReason
    from_at: datetime
    to_at: datetime
    count: int
