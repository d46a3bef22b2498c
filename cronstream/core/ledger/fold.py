"""The fold of one partition of a log: a pure function of its messages, in their order.

Every reader that folds the same messages has the same state (rule 1): time is the log's, and
what an entry says about a run counts only if the run still is what the entry judged. So an entry
that is read twice, comes late, or was sent by somebody who did not know better changes nothing.
The rules are those of the design, section 3.1; each method names the ones that it keeps.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, assert_never

from cronstream.core.ledger.repeating import Repeating
from cronstream.core.ledger.retry import (
    Complete,
    Discard,
    Retry,
    decide,
    describe,
    failures,
    with_attempt,
)
from cronstream.core.ledger.state import (
    OWN_TIME_SINCE,
    STALE,
    Effect,
    LiveRun,
    State,
    starts_after_word,
)
from cronstream.core.wire.levels import LEVEL, needed_level
from cronstream.core.wire.records import (
    Attempt,
    Cancelled,
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Heartbeat,
    Level,
    Lost,
    Outcome,
    Owned,
    Released,
    Repair,
    Run,
    Settled,
    Skip,
    Skipped,
    Started,
    Verdict,
    Withdrawal,
    format_clock,
)


class Ledger(Repeating):
    """The state of one partition of a cluster's log, or of its retry log, and what changes it."""

    def __init__(self, *, retry: bool, known: int = LEVEL) -> None:
        super().__init__(retry=retry, known=known)
        self._takers: dict[type[Any], Callable[[Any], None]] = {
            Run: self._later_attempt if retry else self._first_attempt,
            Skip: self._skip,
            Withdrawal: self._withdrawal,
            Owned: lambda _: None,
            Claimed: self._claimed,
            Released: self._released,
            Started: self._started,
            Finished: self._finished,
            Skipped: self._skipped,
            Cancelled: self._cancelled,
            Lost: self._lost,
            Forwarded: self._forwarded,
            Heartbeat: lambda beat: self.hear(beat.worker, beat.number),
            Settled: self._settled,
            Repair: self._repair,
            Level: lambda entry: self.raise_level(entry.level),
        }

    def take(self, offset: int, at: datetime, entries: list[Entry]) -> bool:
        """Fold one message; return whether it was new to this ledger.

        Args:
            offset: Its offset; messages are taken in order, and each counts once.
            at: When the broker appended it (UTC).
            entries: What is in it; may be none, for a message that was refused.

        Raises:
            LevelError: If the log is raised to a level that is not known here. Nothing of the
                message has been folded, and nothing behind it can be.
        """
        if offset < self.next_offset:
            return False
        self.heed_levels(entries)
        if offset and not self.next_offset:
            self.raise_level(self.assumed)
        self.now = max(self.now, at)
        self.at = at if self.level >= OWN_TIME_SINCE else self.now
        self.offset, self.next_offset = offset, offset + 1
        if self.level >= OWN_TIME_SINCE:
            self.begin_day()
        self.aside.clear()
        self.turned_away.clear()
        for entry in entries:
            if needed_level(entry) <= self.level:
                self._fold(entry)
            else:
                self.put_aside(entry)
        return True

    def _fold(self, entry: Entry) -> None:
        self._takers[type(entry)](entry)

    def _claimed(self, entry: Claimed) -> None:
        """The first claim of a version stands; rule 17: none by which runs would overlap."""
        self.hear(entry.worker, entry.number)
        live = self.live.get(entry.run)
        if live is None or live.version != entry.version or live.state is not State.QUEUED:
            self.refused["claim"] += 1
            return
        if self.is_judged(live):
            if self.begun_of(live.run.job):
                # Refused for good: the same message, come twice, must not stand later, when its
                # sender no longer knows of it.
                live.version = self.offset
                self.stir(live.run.job)
                self.refused["overlap"] += 1
                return
            self.unindex(entry.run)
        live.state, live.holder, live.claim = State.CLAIMED, entry.worker, entry.version
        live.begun_before, live.version = live.begun, self.offset
        self.index(live)
        self.say(live.run, "claimed", f"claimed by {entry.worker}", is_detail=True)

    def _standing(self, entry: Released | Started | Finished) -> LiveRun | None:
        """Return the run on which the claim that the entry names still stands."""
        live = self.live.get(entry.run)
        if live and live.held and (live.holder, live.claim) == (entry.worker, entry.claim):
            return live
        self.refused[type(entry).__name__.lower()] += 1
        return None

    def _released(self, entry: Released) -> None:
        live = self._standing(entry)
        if live is not None:
            live.begun = live.begun_before
            self._reopen(live)

    def _started(self, entry: Started) -> None:
        """Rule 13: what has started stands; what is not yet to start is refused, if withdrawn."""
        live = self._standing(entry)
        if live is None or live.state is State.RUNNING:
            return
        if live.asked and starts_after_word(live.run, retry=self.retry):
            self.refused["started"] += 1
            return
        live.begun, live.state = True, State.RUNNING
        live.asked, live.successor = False, None
        if self.lines:
            self.stir(live.run.job)
        self.say(live.run, "running", f"attempt {live.run.attempt} started")

    def _finished(self, entry: Finished) -> None:
        live = self._standing(entry)
        if live is None:
            return
        live.begun = live.begun_before = True
        live.asked, live.successor = False, None
        attempt = Attempt(
            attempt=live.run.attempt,
            outcome=entry.outcome,
            ended_at=self._ended_at(entry),
            worker=entry.worker,
            exit_status=entry.exit_status,
            signal=entry.signal,
            note=entry.note,
        )
        cancelled = live.cancelled and entry.outcome is not Outcome.SUCCEEDED
        if cancelled or entry.outcome in (Outcome.INTERRUPTED, Outcome.LOST):
            self._again(live, attempt, with_executor=entry.executor_died)
        else:
            self._decide(live, attempt)

    def _ended_at(self, entry: Finished) -> datetime:
        """Return when an attempt has ended, by the log; a clock far ahead puts off no retry."""
        if self.level < OWN_TIME_SINCE:
            return self.at
        return min(self.at, entry.ended_at + STALE)

    def _decide(self, live: LiveRun, attempt: Attempt) -> None:
        decision = decide(live.run, attempt)
        live.run = with_attempt(live.run, attempt)
        match decision:
            case Complete():
                if self.retry:
                    text = f"attempt {attempt.attempt} succeeded"
                    self.say(live.run, "finished", text, is_detail=True)
                    self._effect(live, Effect.SETTLE)
                else:
                    note = f"; {attempt.note}" if attempt.note else ""
                    self._verdict(live, Verdict.SUCCEEDED, f"attempt {attempt.attempt}{note}")
            case Retry(not_before=not_before):
                live.not_before = not_before
                count = f"{failures(live.run)} of {live.run.max_attempts} failures"
                text = f"{describe(attempt)}, {count}; next attempt not before"
                self.say(live.run, "finished", f"{text} {format_clock(not_before)}")
                self._effect(live, Effect.RETRY)
            case Discard(reason=reason):
                self.say(live.run, "finished", describe(attempt), is_detail=True)
                self._effect(live, Effect.DISCARD, reason)
            case _ as never:
                assert_never(never)

    def _skipped(self, entry: Skipped) -> None:
        """Rule 17: what has begun is never skipped, but for what was cancelled."""
        live = self.live.get(entry.run)
        queued = live is not None and live.version == entry.version and live.state is State.QUEUED
        if live is None or not queued or live.begun:
            self.refused["skipped"] += 1
        else:
            self._verdict(live, Verdict.SKIPPED, entry.reason.value)
