"""What one log says of one run: where it stands, and the attempts made from that log."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from operator import attrgetter
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
class AttemptDraft:
    """An attempt of which more is to come; for its fields see `AttemptStory`.

    Each of its entries changes it in place: a new tuple for each would take longer than all else.
    """

    number: int | None
    log: LogKind
    worker: str | None
    claimed_at: datetime | None
    topic: str
    partition: int
    offsets: tuple[tuple[str, int], ...] = ()
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

    def story(self) -> AttemptStory:
        """Return it as it stands now."""
        return _attempt_story(_FIELDS(self))


_FIELDS: Final[Callable[[AttemptDraft], tuple[Any, ...]]] = attrgetter(*AttemptStory._fields)
_attempt_story: Final[Callable[[tuple[Any, ...]], AttemptStory]] = partial(
    tuple.__new__, AttemptStory
)


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
    attempts: list[AttemptDraft] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    cancelled_by: str | None = None

    def fold(self, change: RunChange, where: Where) -> None:
        """Take what the fold has made of an entry, or what it says where the fold knows no run."""
        end = change.end if change.after is None else None
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
            self._begin(entry.worker, entry.claim, where)

    def _is_last(self, entry: Started | Finished | Released) -> bool:
        """Whether the last attempt that is known is the one of this claim."""
        claim = (entry.worker, entry.claim)
        return bool(self.attempts) and (self.attempts[-1].worker, self.claims[-1]) == claim

    # -- attempts -------------------------------------------------------------------------------

    @property
    def _is_open(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].outcome is None

    def _begin(self, worker: str, claim: int, where: Where) -> AttemptDraft:
        begun = AttemptDraft(None, self.kind, worker, None, where.topic, where.partition)
        self.attempts.append(begun)
        self.claims.append(claim)
        return begun

    def _open(self, entry: Claimed, where: Where, number: int | None) -> None:
        begun = self._begin(entry.worker, entry.version, where)
        begun.number, begun.claimed_at = number, where.at
        begun.offsets = (("claimed", where.offset),)

    def _start(self, entry: Started, where: Where) -> None:
        last = self.attempts[-1]
        last.started_at, last.pid = entry.started_at, entry.pid
        last.offsets = (*last.offsets, ("started", where.offset))

    def _finish(self, entry: Finished, where: Where) -> None:
        last = self.attempts[-1]
        last.started_at, last.ended_at = entry.started_at, entry.ended_at
        last.outcome, last.note = entry.outcome, entry.note
        last.exit_status, last.signal = entry.exit_status, entry.signal
        last.head = entry.head if self.keep_output else ""
        last.tail = entry.tail if self.keep_output else ""
        last.omitted = entry.omitted
        last.offsets = (*last.offsets, ("ended", where.offset))

    def _lose(self, where: Where) -> None:
        if self._is_open:
            last = self.attempts[-1]
            last.outcome, last.ended_at = Outcome.LOST, where.at
            last.offsets = (*last.offsets, ("ended", where.offset))

    def _drop_open(self) -> None:
        if self._is_open:
            self.attempts.pop()
            self.claims.pop()

    def _note_late(self, entry: Finished) -> None:
        for i, attempt in enumerate(self.attempts):
            same = (attempt.worker, self.claims[i]) == (entry.worker, entry.claim)
            if same and attempt.outcome is Outcome.LOST:
                attempt.late = entry.outcome


def _is_claimed(before: Glance | None, after: Glance | None) -> bool:
    return after is not None and after.holder is not None and (before and before.holder) is None


def _is_held(before: Glance | None, entry: Finished) -> bool:
    return before is not None and (before.holder, before.claim) == (entry.worker, entry.claim)
