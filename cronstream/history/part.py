"""What one log tells of one run: where it stands, and the attempts made from that log."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cronstream.core.ledger.observed import Glance, RunChange
from cronstream.core.ledger.state import News
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Finished,
    Forwarded,
    Lost,
    Released,
    Settled,
    Skipped,
    Started,
)
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.runs import Run
from cronstream.history.story import AttemptStory, LogKind, RunState


@dataclass(frozen=True, slots=True)
class Where:
    """Where an entry stands, and since when."""

    topic: str
    partition: int
    offset: int
    at: datetime


@dataclass(slots=True)
class Part:
    """What one log tells of one run.

    Attributes:
        state: None while this log has told nothing.
        blind: Whether the run was published before the window, so that the fold does not know it.
        cancelled: Whether such a run was told to end, for the reason in `why`.
        claims: The claim of each attempt, as its worker names it.
    """

    kind: LogKind
    keep_output: bool = True
    state: RunState | None = None
    run: Run | None = None
    reason: str | None = None
    not_before: datetime | None = None
    blind: bool = False
    cancelled: bool = False
    why: SkipReason = SkipReason.OVERLAP
    attempts: list[AttemptStory] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)

    def follow(self, change: RunChange, where: Where) -> None:
        """Take what the fold has made of an entry."""
        self._note_attempt(change, where)
        if change.after is not None:
            self._stand(change.after)
        elif change.end is not None:
            self._end(change, change.end)

    def _note_attempt(self, change: RunChange, where: Where) -> None:
        before, after = change.before, change.after
        match change.entry:
            case Claimed() as entry if _is_claimed(before, after):
                self._open(entry, where, before.run.attempt if before else None)
            case Started() as entry if after and after.state != (before and before.state):
                self._start(entry, where)
            case Finished() as entry if _is_held(before, entry):
                self._finish(entry, where)
            case Finished() as entry:
                self._note_late(entry)
            case Released() if self.attempts:
                self._drop_open()
            case Lost():
                self._lose(where)
            case _:
                pass

    def _stand(self, now: Glance) -> None:
        self.run, self.state = now.run, RunState(now.state.value)
        self.reason = None
        self.not_before = None
        if self.state in (RunState.QUEUED, RunState.CLAIMED):
            self.not_before = now.run.not_before
        elif self.state in (RunState.DECIDING, RunState.RETRYABLE):
            self.not_before, self.reason = now.next_not_before, now.reason or None

    def _end(self, change: RunChange, end: News) -> None:
        is_withdrawn = end.action == "withdrawn"
        self.state = RunState.SKIPPED if is_withdrawn else RunState(end.action)
        self.not_before = None
        if is_withdrawn:
            self.reason = "withdrawn"
        elif self.state is RunState.SKIPPED:
            self.reason = end.reason
        elif change.before is not None:
            self.reason = change.before.reason or None

    # -- a run that was published before the window -------------------------------------------

    def guess(self, entry: Any, where: Where) -> None:
        """Take an entry of a run that the fold does not know: as if each of them counted."""
        self.blind = True
        if isinstance(entry, Settled):
            self.why = entry.reason or SkipReason.OVERLAP
            self._guess_verdict(RunState(entry.verdict.value))
        elif self.state is None or not self.state.settled:
            self._guess_attempt(entry, where)
            if isinstance(entry, Cancelled):
                self.cancelled, self.why = True, entry.reason
            if self.cancelled and _is_end(entry):
                self._guess_verdict(RunState.SKIPPED)
            else:
                self._guess_state(entry)

    def _guess_attempt(self, entry: Any, where: Where) -> None:
        match entry:
            case Claimed() if not self._is_open:
                self._open(entry, where, None)
            case Started():
                self._ensure_open(entry, where)
                self._start(entry, where)
            case Finished():
                self._ensure_open(entry, where)
                self._finish(entry, where)
            case Released():
                self._drop_open()
            case _:
                pass

    def _guess_state(self, entry: Any) -> None:
        match entry:
            case Claimed() if self.state is not RunState.RUNNING:
                self.state = RunState.CLAIMED
            case Started():
                self.state = RunState.RUNNING
            case Finished(outcome=outcome):
                self.state = self._guess_after(outcome)
            case Released():
                self.state = RunState.QUEUED
            case Skipped(reason=reason):
                self.state, self.reason = RunState.SKIPPED, reason.value
            case Forwarded() if self.kind is LogKind.FIRST:
                self.state = RunState.RETRYABLE
            case _:
                self.state = self.state or RunState.DECIDING

    @property
    def begins_anew(self) -> bool:
        """Whether a run that enters now says all, though the one before it was not known.

        A later attempt does, and so does what takes a withdrawn run's place; any other is a
        doubled message of the run that was published before the window.
        """
        return self.kind is LogKind.RETRY or self.state is RunState.SKIPPED

    def guess_lost(self, worker: str, where: Where) -> bool:
        """Take the loss of a worker; return whether it held this run."""
        if not self._is_open or self.attempts[-1].worker != worker:
            return False
        self._lose(where)
        self._guess_verdict(RunState.SKIPPED if self.cancelled else RunState.QUEUED)
        return True

    def _guess_verdict(self, state: RunState) -> None:
        self.state = state
        self.reason = self.why.value if state is RunState.SKIPPED else None

    def _guess_after(self, outcome: Outcome) -> RunState:
        if outcome in (Outcome.INTERRUPTED, Outcome.LOST):
            return RunState.QUEUED
        succeeded = outcome is Outcome.SUCCEEDED and self.kind is LogKind.FIRST
        return RunState.SUCCEEDED if succeeded else RunState.DECIDING

    def _ensure_open(self, entry: Started | Finished, where: Where) -> None:
        if not self._is_open:
            self.attempts.append(self._attempt(entry.worker, None, where))
            self.claims.append(entry.claim)

    # -- attempts -------------------------------------------------------------------------------

    @property
    def _is_open(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].outcome is None

    def _attempt(self, worker: str, number: int | None, where: Where) -> AttemptStory:
        return AttemptStory(number, self.kind, worker, topic=where.topic, partition=where.partition)

    def _open(self, entry: Claimed, where: Where, number: int | None) -> None:
        attempt = self._attempt(entry.worker, number, where)
        self.attempts.append(
            replace(attempt, claimed_at=where.at, offsets=(("claimed", where.offset),))
        )
        self.claims.append(entry.version)

    def _start(self, entry: Started, where: Where) -> None:
        last = self.attempts[-1]
        self.attempts[-1] = replace(
            last,
            started_at=entry.started_at,
            pid=entry.pid,
            offsets=(*last.offsets, ("started", where.offset)),
        )

    def _finish(self, entry: Finished, where: Where) -> None:
        last = self.attempts[-1]
        self.attempts[-1] = replace(
            last,
            started_at=entry.started_at,
            ended_at=entry.ended_at,
            outcome=entry.outcome,
            exit_status=entry.exit_status,
            signal=entry.signal,
            head=entry.head if self.keep_output else "",
            tail=entry.tail if self.keep_output else "",
            omitted=entry.omitted,
            note=entry.note,
            offsets=(*last.offsets, ("ended", where.offset)),
        )

    def _lose(self, where: Where) -> None:
        if self._is_open:
            last = self.attempts[-1]
            self.attempts[-1] = replace(
                last,
                outcome=Outcome.LOST,
                ended_at=where.at,
                offsets=(*last.offsets, ("ended", where.offset)),
            )

    def _drop_open(self) -> None:
        if self._is_open:
            self.attempts.pop()
            self.claims.pop()

    def _note_late(self, entry: Finished) -> None:
        for i, attempt in enumerate(self.attempts):
            same = (attempt.worker, self.claims[i]) == (entry.worker, entry.claim)
            if same and attempt.outcome is Outcome.LOST:
                self.attempts[i] = replace(attempt, late=entry.outcome)


def _is_end(entry: Any) -> bool:
    """Whether a run that was told to end has ended by this entry, without success."""
    if isinstance(entry, Finished):
        return entry.outcome is not Outcome.SUCCEEDED
    return isinstance(entry, Released)


def _is_claimed(before: Glance | None, after: Glance | None) -> bool:
    return after is not None and after.holder is not None and (before and before.holder) is None


def _is_held(before: Glance | None, entry: Finished) -> bool:
    return before is not None and (before.holder, before.claim) == (entry.worker, entry.claim)
