"""A run's story: what people are shown of a run, with everything that is known of its attempts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from cronstream.core.wire.enumerations import Cause, Outcome, Verdict

#: What has not started so many seconds after it could have is late; logs and clocks differ a bit.
_LATE_S = 2.0
#: A worker is heard once a second: one that was not for so many seconds does not just wait.
_SILENT_S = 15.0

#: What a run waits for whose worker claimed it, and is not known to be there still.
ITS_WORKER: Final = "its worker"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    #: An attempt has ended, and what follows from it is not yet published.
    DECIDING = "deciding"
    #: It waits for a later attempt.
    RETRYABLE = "retryable"
    SUCCEEDED = "succeeded"
    DISCARDED = "discarded"
    SKIPPED = "skipped"
    #: It begins before what was read, and nothing in that says where it stands.
    UNKNOWN = "unknown"

    @property
    def settled(self) -> bool:
        """Whether this is a verdict."""
        return self in _VERDICTS


_WAITING: Final = (RunState.QUEUED, RunState.CLAIMED, RunState.RETRYABLE)
_VERDICTS: Final = frozenset(RunState(verdict) for verdict in Verdict)


class LogKind(StrEnum):
    """Which of a cluster's topics a message is on."""

    FIRST = "first"
    RETRY = "retry"
    DISCARDED = "discarded"


class AttemptStory(NamedTuple):
    """One attempt at a run, from the claim that stood to its end.

    A tuple, since one is made for each run that is written: that is a quarter of what a frozen
    dataclass takes. While entries of it are still to come it is an `AttemptDraft`.

    Attributes:
        number: 1 for the first; None if it was made before the window that was read.
        log: Which worker made it: one for first attempts, or a retry worker.
        worker: Who held the claim.
        claimed_at: When the claim was appended, by the log's clock (UTC).
        started_at: By the worker's clock (UTC); None when no process was started.
        ended_at: By the worker's clock, or by the log's for an attempt that was lost.
        head: The first bytes that the command wrote, as text.
        tail: The last ones.
        omitted: How many bytes between them were left out.
        late: The outcome that its worker reported after its claim no longer stood.
        topic: The log, and in it the partition and the offset of each entry that reports it:
            ``claimed``, ``started``, ``ended``.
    """

    number: int | None
    log: LogKind
    worker: str | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    exit_status: int | None = None
    signal: int | None = None
    pid: int | None = None
    head: str = ""
    tail: str = ""
    omitted: int = 0
    note: str | None = None
    late: Outcome | None = None
    topic: str = ""
    partition: int = 0
    offsets: tuple[tuple[str, int], ...] = ()

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None while it runs, or when it never started."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


@dataclass(slots=True)
class RunStory:
    """What became of a run so far, or of a span of due times that were skipped in one go.

    Nobody changes one; if it were frozen, it would take eight times as long to make.

    Attributes:
        reason: Why it was skipped or discarded.
        by: Who asked for it, if a person did and has said so.
        cancelled_by: Who had it cancelled, likewise.
        attempt: The number of the attempt that is made, or was made last; 0 before the first.
        failures: How many attempts have failed or timed out.
        not_before: When the attempt that it waits for may start (UTC).
        published_at: When it came on the log (UTC); None if that was before the window.
        due_at: When its first attempt was to start (UTC): the due time, or when it was asked for;
            of a due time that was missed, when its turn came to be made up for.
        changed_at: When its state last changed, by the log's clock (UTC).
        heard_at: Of one that is claimed, when its worker was last heard (UTC); None if not known.
        in_line: Whether it has not begun, and its overlap policy says when it does.
        follows: With cause `chain`, the run that it follows.
        then: Ids of the runs that follow it, each with after which verdict.
        partial: Whether it begins before the window that was read, so that something is missing.
        count: Due times that this stands for; more than 1 only for a skipped span.
        to_at: The last of them (UTC), for a skipped span.
    """

    id: str
    job: str
    cluster: str
    scheduled_at: datetime
    state: RunState
    changed_at: datetime
    reason: str | None = None
    cause: Cause | None = None
    by: str | None = None
    cancelled_by: str | None = None
    command: str | list[str] | None = None
    revision: int | None = None
    attempts: tuple[AttemptStory, ...] = ()
    attempt: int = 0
    failures: int = 0
    max_attempts: int | None = None
    not_before: datetime | None = None
    published_at: datetime | None = None
    due_at: datetime | None = None
    heard_at: datetime | None = None
    in_line: bool = False
    follows: str | None = None
    then: tuple[tuple[str, str], ...] = ()
    partial: bool = False
    count: int = 1
    to_at: datetime | None = None

    @property
    def last(self) -> AttemptStory | None:
        """The attempt that is made, or was made last."""
        return self.attempts[-1] if self.attempts else None

    @property
    def is_made_up(self) -> bool:
        """Whether its due time was missed, and it was published to make up for that."""
        return self.cause is None and self.due_at is not None and self.due_at > self.scheduled_at

    @property
    def start_delay_s(self) -> float | None:
        """Seconds from when it was due to when its first attempt started."""
        first = next((a.started_at for a in self.attempts if a.started_at is not None), None)
        return None if first is None or self.partial else self.delay_s(first)

    def delay_s(self, started_at: datetime) -> float | None:
        """Return how long after it was due something was, in seconds; None if that is not known.

        A run of the schedule was due at its due time, also where it is made up for; one that was
        asked for, or that follows another, when it was to start.
        """
        if self.due_at is None:
            return None
        due_at = self.scheduled_at if self.is_made_up else self.due_at
        return (started_at - due_at).total_seconds()

    def late_s(self, now: datetime) -> float | None:
        """Return since when it could have started, in seconds; None if it is not late.

        Args:
            now: The time (UTC).
        """
        if self.state not in _WAITING or self.not_before is None:
            return None
        late_s = (now - self.not_before).total_seconds()
        return late_s if late_s >= _LATE_S else None

    def waits_for(self, now: datetime) -> str | None:
        """Return what it waits for once it is due, in words; None if it does not wait.

        Args:
            now: The time (UTC).
        """
        match self.state:
            case RunState.CLAIMED:
                return "a slot" if self._is_heard(now) else ITS_WORKER
            case RunState.QUEUED:
                return "its turn" if self.in_line else "a worker"
            case RunState.RETRYABLE:
                return "a retry worker"
            case _:
                return None

    def _is_heard(self, now: datetime) -> bool:
        return self.heard_at is not None and (now - self.heard_at).total_seconds() <= _SILENT_S

    @property
    def attempts_text(self) -> str:
        """``1 of 3``; past the last number, which only losses make, ``4, 2 of 3 failures``."""
        if self.max_attempts is None or self.attempt == 0:
            return str(self.attempt or "")
        if self.attempt > self.max_attempts:
            return f"{self.attempt}, {self.failures} of {self.max_attempts} failures"
        return f"{self.attempt} of {self.max_attempts}"


@dataclass(frozen=True, slots=True)
class Change:
    """A run has come, or has changed its state.

    Attributes:
        before: Its state before; None if nothing was known of it.
        at: When, by the log's clock (UTC).
    """

    story: RunStory
    before: RunState | None
    at: datetime
