"""What the fold of a log knows of runs, jobs and workers."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from cronstream.core.records import Delivery, Overlap, Run, Skip, SkipReason, Verdict

#: Due times this far behind a job's mark are no longer known one by one (rule 11): a revision
#: that reaches the log later than this holds from that far behind the mark only. It is longer
#: than a scheduler goes back for an edit (``due.REACH`` and the look-ahead), else due times in
#: between would be taken for known, and have no verdict.
WINDOW: Final = timedelta(minutes=12)
#: Ids of runs with a cause, and of later attempts, are known this long after their verdict.
KEEP: Final = timedelta(hours=1)
#: The last so many are known longer: a clock that is ahead for a moment makes none forgotten.
KEEP_LEAST: Final = 100
#: From this level on what a message says is judged by its own append time, not by the latest.
OWN_TIME_SINCE: Final = 2
#: Such a message that the broker got this long after it was judged is stale, and refused.
STALE: Final = timedelta(minutes=10)
#: At one more loss after a start, the run is discarded (rule 9).
MAX_LOSSES: Final = 5
#: What has ended so many executors that it had for itself is discarded (rule 9).
MAX_DEATHS: Final = 2
#: Why a run was refused: no word has put its revision in force, as far as this fold has read; a
#: newer one holds, or has held for so long that no scheduler should still publish the older one;
#: its sender judged it too long ago.
UNKNOWN: Final = "unknown"
SUPERSEDED: Final = "superseded"
OUTDATED: Final = "outdated"
TOO_OLD: Final = "stale"
#: Before every due time.
LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """Where a run without a verdict stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    #: An attempt has ended, and what follows from it is not yet published.
    DECIDING = "deciding"
    #: A later attempt is on the retry log.
    RETRYABLE = "retryable"


class Effect(StrEnum):
    """What has to be published before a decision is done."""

    RETRY = "retry"
    DISCARD = "discard"
    #: A retry log's success, to be reported to the cluster's log.
    SETTLE = "settle"
    #: Its run is on the retry log, which has to be told that the run is cancelled.
    CANCEL = "cancel"
    #: A retry log's run that was cancelled, to be reported to the cluster's log.
    SKIP = "skip"


@dataclass(slots=True)
class LiveRun:
    """A run without a verdict. It changes in place: there may be many, and only the fold does it.

    Attributes:
        version: Offset of the message that last changed it; judgements name it (rule 1).
        holder: The worker whose claim stands.
        claim: The version that the standing claim named; with the holder, the claim's name.
        begun: Whether an attempt was started, or may have been.
        begun_before: The same, before the standing claim.
        asked: Whether the holder was asked to give way to a newer revision (rule 13).
        successor: What takes its place then.
        cancelled: Whether it is to end as skipped (rule 17), for the reason in `cancel`.
        cancelled_by: The person who asked for that, if one did.
        losses: Attempts lost after their start.
        unsure: Whether an attempt was lost of which nobody knows whether it had started: from then
            on it starts only once its `Started` has been read back (rule 9).
        alone: Whether its executor has died with it: it has one for itself from then on.
        deaths: Executors that have died with it while they were its own.
        not_before: With effect RETRY, when the next attempt may start.
        decided_at: When the attempt ended, by the log's clock.
    """

    run: Run
    version: int
    state: State = State.QUEUED
    holder: str | None = None
    claim: int | None = None
    begun: bool = False
    begun_before: bool = False
    asked: bool = False
    successor: Run | Skip | None = None
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

    @property
    def held(self) -> bool:
        """Whether somebody's claim stands."""
        return self.state is State.CLAIMED or self.state is State.RUNNING

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


@dataclass(slots=True)
class Mark:
    """What the fold keeps of a job's scheduled runs.

    Attributes:
        high: The high-water mark of due times: at or before it, nothing is new.
        floor: The mark is never lowered to before this, `WINDOW` behind the highest it was.
        revisions: Revision and ``effective_from`` of each that still matters, oldest first.
        settled: Verdicts by due time, as far back as `WINDOW` behind the mark.
        skipped: Spans of due times that were skipped, as far back as that.
        removed: The last revision by which the job was taken out; -1 if it never was.
        learnt: The last revision that is known from its runs alone, since the log has lost the
            word that put it in force; -1 if there is none.
    """

    high: datetime = LONG_AGO
    floor: datetime = LONG_AGO
    revisions: list[tuple[int, datetime]] = field(default_factory=list)
    settled: dict[datetime, Verdict] = field(default_factory=dict)
    skipped: list[tuple[datetime, datetime]] = field(default_factory=list)
    removed: int = -1
    learnt: int = -1

    def in_force(self, revision: int | None, due: datetime) -> bool:
        """Whether `revision` is the one that holds for `due` (rule 12)."""
        holding = [known for known, effective in self.revisions if effective <= due]
        return bool(holding) and max(holding) == revision

    def why_not(self, revision: int | None, due: datetime) -> str:
        """Return why a revision that is not in force for `due` is not."""
        holding = [one for one in self.revisions if one[1] <= due and one[0] > (revision or 0)]
        if not holding:
            return UNKNOWN
        return OUTDATED if due - max(holding)[1] > WINDOW else SUPERSEDED

    def may_learn(self, revision: int, due: datetime) -> bool:
        """Whether the word that put `revision` in force was before all that is known.

        Nothing that a word has put in force may hold for `due`, and no newer revision may.
        """
        holding = max((known for known, since in self.revisions if since <= due), default=-1)
        if holding > self.learnt or revision <= holding:
            return False
        return all(revision < known for known, _ in self.revisions if known > self.learnt)

    def learn(self, revision: int, due: datetime) -> datetime:
        """Take a revision as in force, and return from when: as early as nothing else held."""
        known = dict(self.revisions)
        held = any(since <= due for since in known.values())
        known[revision] = since = due if held else LONG_AGO
        self.revisions = sorted(known.items())
        self.learnt = max(self.learnt, revision)
        return since

    def is_gone(self, revision: int | None, due: datetime) -> bool:
        """Whether the job was taken out after `revision`, and `due` is before that holds.

        What has not begun goes then, and nothing comes in its place.
        """
        if (revision or 0) >= self.removed:
            return False
        return all(known < self.removed for known, effective in self.revisions if effective <= due)

    def knows(self, due: datetime) -> bool:
        """Whether `due` is published, settled or skipped already (rule 11)."""
        if due <= self.high or due in self.settled:
            return True
        return any(start <= due <= end for start, end in self.skipped)

    def knows_all(self, first: datetime, last: datetime) -> bool:
        """Whether a span of due times has been published or skipped already, as a whole.

        After an edit the last of it may have its verdict, and one before it none.
        """
        return last <= self.high or any(s <= first and last <= e for s, e in self.skipped)

    def settle(self, due: datetime, verdict: Verdict) -> None:
        """Note the verdict of one due time."""
        if due > self.floor:
            self.settled[due] = verdict

    def raise_to(self, due: datetime, at: datetime | None = None) -> None:
        """Move the mark up, and forget what is too far behind it.

        Args:
            due: Where to.
            at: When that was appended. What a clock that is ahead has published lies far ahead of
                it, and must not keep an edit from holding before: the floor stays behind.
        """
        if due <= self.high:
            return
        self.high = due
        reached = due if at is None else min(due, at)
        if reached <= self.floor + WINDOW:
            return
        floor = self.floor = reached - WINDOW
        if self.settled and next(iter(self.settled)) <= floor:
            self.settled = {at: verdict for at, verdict in self.settled.items() if at > floor}
        if self.skipped:
            self.skipped = [span for span in self.skipped if span[1] > floor]
        while len(self.revisions) > 1 and self.revisions[1][1] <= floor:
            del self.revisions[0]

    def lower_to(self, effective_from: datetime) -> None:
        """Let due times from `effective_from` on be published again, by a newer revision."""
        if effective_from > self.floor:
            self.high = min(self.high, effective_from - timedelta(microseconds=1))
        else:
            self.high = self.floor


@dataclass(slots=True)
class Beat:
    """The last that was heard of a worker: its heartbeat's number, and when, by the log."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """One change of a run's state, for log lines, metrics and pages.

    Attributes:
        action: ``queued``, ``claimed``, ``running``, … or a verdict.
        text: The rest of the sentence that begins with the run's id.
        reason: With a verdict, why: of `SkipReason` for what was skipped.
        is_detail: Whether only who asks for details is told: another line says as much.
    """

    run: Run
    action: str
    text: str
    reason: str = ""
    is_detail: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run, or a span of due times, that has not entered.

    Attributes:
        run: The run's id, or the job's name where it is a span.
        revision: That it names.
        why: `UNKNOWN`, `SUPERSEDED`, `OUTDATED`, or `TOO_OLD`.
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
