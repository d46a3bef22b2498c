"""What one log says of one run: where it stands, and the attempts made from that log."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cronstream.core.ledger.observed import Glance, RunChange
from cronstream.core.ledger.state import News, State
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Finished,
    Lost,
    Released,
    Settled,
    Skipped,
    Started,
)
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.runs import Run
from cronstream.history.story import AttemptStory, LogKind, RunState

_STATES: Final = {state: RunState(state.value) for state in State}
_NOT_STARTED: Final = (RunState.QUEUED, RunState.CLAIMED)
#: Between two attempts, or after the last.
_BETWEEN: Final = (RunState.DECIDING, RunState.RETRYABLE)


@dataclass(frozen=True, slots=True)
class Where:
    """Where an entry stands, and since when."""

    topic: str
    partition: int
    offset: int
    at: datetime


@dataclass(slots=True, eq=False)
class LogStory:
    """What one log says of one run.

    Attributes:
        state: None while this log does not say where the run stands.
        known: Whether the fold knows the run; of one that was published before the window, only
            what its entries say themselves is shown.
        published: As it came on this log; None if that was before the window.
        claims: The claim of each attempt, as its worker names it.
        cancelled_by: Who wants it no more, if a person does.
    """

    kind: LogKind
    keep_output: bool = True
    state: RunState | None = None
    published: Run | None = None
    published_at: datetime | None = None
    run: Run | None = None
    reason: str | None = None
    not_before: datetime | None = None
    known: bool = False
    attempts: list[AttemptStory] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    cancelled_by: str | None = None

    def fold(self, change: RunChange, where: Where) -> None:
        """Take what the fold has made of an entry, or what it says where the fold knows no run."""
        end = change.end
        if change.after is not None or end is not None:
            self.known = True
        elif change.before is not None:
            # It was the double of one that was published before the window.
            self.known, self.state = False, None
            self.published = self.published_at = None
        if self.known:
            self._follow(change, end, where)
        else:
            self._note(change.entry, where)

    def _follow(self, change: RunChange, end: News | None, where: Where) -> None:
        self._note_attempt(change, where)
        if isinstance(change.entry, Cancelled):
            self.cancelled_by = self.cancelled_by or change.entry.by
        if change.after is not None:
            self._stand(change.after)
        elif end is not None:
            self._end(change, end)

    def _note_attempt(self, change: RunChange, where: Where) -> None:
        before, after = change.before, change.after
        match change.entry:
            case Run() as entry if entry.id == change.run_id:
                self.published, self.published_at = entry, where.at
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
        self.run, self.state = now.run, _STATES[now.state]
        self.reason = None
        self.not_before = None
        if self.state in _NOT_STARTED:
            self.not_before = now.run.not_before
        elif self.state in _BETWEEN:
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

    def _note(self, entry: Any, where: Where) -> None:
        match entry:
            case Started():
                self._ensure(entry, where)
                self._start(entry, where)
            case Finished():
                self._ensure(entry, where)
                self._finish(entry, where)
            case Released() if self._is_last(entry):
                self._drop_open()
            case Settled():
                self.state = RunState(entry.verdict)
                if self.state is RunState.SKIPPED:
                    self.reason = entry.reason or SkipReason.OVERLAP
            case Skipped():
                self.state, self.reason = RunState.SKIPPED, entry.reason
            case _:
                pass

    def _ensure(self, entry: Started | Finished, where: Where) -> None:
        if not self._is_last(entry):
            self.attempts.append(self._attempt(entry.worker, None, where))
            self.claims.append(entry.claim)

    def _is_last(self, entry: Started | Finished | Released) -> bool:
        """Whether the last attempt that is known is the one of this claim."""
        claim = (entry.worker, entry.claim)
        return bool(self.attempts) and (self.attempts[-1].worker, self.claims[-1]) == claim

    # -- attempts -------------------------------------------------------------------------------

    @property
    def _is_open(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].outcome is None

    def _attempt(self, worker: str, number: int | None, where: Where) -> AttemptStory:
        return AttemptStory(number, self.kind, worker, topic=where.topic, partition=where.partition)

    def _open(self, entry: Claimed, where: Where, number: int | None) -> None:
        self.attempts.append(
            AttemptStory(
                number,
                self.kind,
                entry.worker,
                claimed_at=where.at,
                topic=where.topic,
                partition=where.partition,
                offsets=(("claimed", where.offset),),
            )
        )
        self.claims.append(entry.version)

    def _start(self, entry: Started, where: Where) -> None:
        last = self.attempts[-1]
        self.attempts[-1] = last._replace(
            started_at=entry.started_at,
            pid=entry.pid,
            offsets=(*last.offsets, ("started", where.offset)),
        )

    def _finish(self, entry: Finished, where: Where) -> None:
        last = self.attempts[-1]
        self.attempts[-1] = last._replace(
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
            self.attempts[-1] = last._replace(
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
                self.attempts[i] = attempt._replace(late=entry.outcome)


def _is_claimed(before: Glance | None, after: Glance | None) -> bool:
    return after is not None and after.holder is not None and (before and before.holder) is None


def _is_held(before: Glance | None, entry: Finished) -> bool:
    return before is not None and (before.holder, before.claim) == (entry.worker, entry.claim)
