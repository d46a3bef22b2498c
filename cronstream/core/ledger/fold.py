"""The fold of one partition of a log: a pure function of its messages, in their order.

Every reader that folds the same messages has the same state (rule 1): time is the log's, and
what an entry says about a run counts only if the run still is what the entry judged. So an entry
that is read twice, comes late, or was sent by somebody who did not know better changes nothing.
The rules are those of the design, section 3.1; each method names the ones that it keeps.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, assert_never

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.state import (
    MAX_LOSSES,
    STALE,
    Effect,
    LiveRun,
    SkipNews,
    State,
)
from cronstream.core.records import (
    Attempt,
    Cancelled,
    Claimed,
    Delivery,
    Entry,
    Finished,
    Forwarded,
    Heartbeat,
    Lost,
    Outcome,
    Owned,
    Released,
    Run,
    Settled,
    Skip,
    Skipped,
    Started,
    Verdict,
    Withdrawal,
    format_clock,
)
from cronstream.core.retry import Complete, Discard, Retry, decide, describe, failures, with_attempt


class Ledger(Book):
    """The state of one partition of a cluster's log, or of its retry log, and what changes it."""

    def __init__(self, *, retry: bool) -> None:
        super().__init__(retry=retry)
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
            Cancelled: lambda _: None,
            Lost: self._lost,
            Forwarded: self._forwarded,
            Heartbeat: lambda beat: self.hear(beat.worker, beat.number),
            Settled: self._settled,
        }

    def take(self, offset: int, at: datetime, entries: list[Entry]) -> bool:
        """Fold one message; return whether it was new to this ledger.

        Args:
            offset: Its offset; messages are taken in order, and each counts once.
            at: When the broker appended it (UTC).
            entries: What is in it; may be none, for a message that was refused.
        """
        if offset < self.next_offset:
            return False
        self.now = max(self.now, at)
        self.offset, self.next_offset = offset, offset + 1
        for entry in entries:
            self._takers[type(entry)](entry)
        return True

    # -- from the scheduler -----------------------------------------------------------------

    def _first_attempt(self, run: Run) -> None:
        """Rules 11 to 13: a run enters once, and only under the revision that is in force."""
        if run.cause is not None:
            self._with_cause(run)
            return
        mark = self.mark(run.job)
        if not mark.in_force(run.revision, run.scheduled_at):
            self.refused["revision"] += 1
            return
        live = self.live.get(run.id)
        if live is not None:
            self._succeed(live, run)
        elif mark.knows(run.scheduled_at):
            self.refused["duplicate"] += 1
        else:
            mark.raise_to(run.scheduled_at)
            self.enter(run)

    def _with_cause(self, run: Run) -> None:
        if run.id in self.live or run.id in self.recent:
            self.refused["duplicate"] += 1
        elif self._is_stale(run):
            self.refused["stale"] += 1
        else:
            self.enter(run)

    def _later_attempt(self, run: Run) -> None:
        """Rule 11: a later attempt enters once, by its id and number."""
        live = self.live.get(run.id)
        if live is not None:
            known = live.state is not State.DECIDING or run.attempt <= live.run.attempt
        else:
            known = run.attempt <= self.recent.get(run.id, (0,))[0]
        if known:
            self.refused["duplicate"] += 1
        elif self._is_stale(run):
            self.refused["stale"] += 1
        else:
            self.enter(run)

    def _is_stale(self, run: Run) -> bool:
        return run.as_of is not None and self.now - run.as_of > STALE

    def _succeed(self, live: LiveRun, newer: Run | Skip) -> None:
        """Rule 13: a newer revision's run waits for the holder that was asked to give way."""
        if (
            live.asked
            and not live.begun_for_good
            and (newer.revision or 0) > (live.run.revision or 0)
        ):
            live.successor = newer
        else:
            self.refused["duplicate"] += 1

    def _skip(self, skip: Skip) -> None:
        """Rule 16: of run and skip the first stands; a span is skipped in one entry."""
        mark = self.mark(skip.job)
        if not mark.in_force(skip.revision, skip.from_at):
            self.refused["revision"] += 1
            return
        for live in self.scheduled_runs(skip.job):
            if skip.from_at <= live.run.scheduled_at <= skip.to_at:
                self._succeed(live, skip)
        if mark.knows_all(skip.from_at, skip.to_at):
            self.refused["duplicate"] += 1
            return
        mark.skipped.append((skip.from_at, skip.to_at))
        mark.raise_to(skip.to_at)
        self.news.append(SkipNews(skip.job, skip.reason, skip.from_at, skip.to_at, skip.count))

    def _withdrawal(self, entry: Withdrawal) -> None:
        """Rules 12 to 14: what is queued gives way; who holds a claim is asked to."""
        mark = self.mark(entry.job)
        if mark.revisions and entry.revision <= mark.revisions[-1][0]:
            self.refused["duplicate"] += 1
            return
        mark.revisions.append((entry.revision, entry.effective_from))
        mark.lower_to(entry.effective_from)
        for live in self.scheduled_runs(entry.job):
            self._give_way(live, entry)

    def _give_way(self, live: LiveRun, entry: Withdrawal) -> None:
        run = live.run
        if run.scheduled_at < entry.effective_from or (run.revision or 0) >= entry.revision:
            return
        live.successor = None
        if live.begun_for_good:
            return
        if live.state is State.QUEUED:
            self._withdraw(live)
        elif live.held:
            live.asked = True

    def _withdraw(self, live: LiveRun) -> None:
        """End it provisionally: a run of a newer revision for that due time may enter."""
        self.remove(live.run.id)
        self.say(live.run, "withdrawn", "withdrawn: the crontab has changed")

    # -- from workers -----------------------------------------------------------------------

    def _claimed(self, entry: Claimed) -> None:
        """The first claim of a version stands."""
        self.hear(entry.worker, entry.number)
        live = self.live.get(entry.run)
        if live is None or live.version != entry.version or live.state is not State.QUEUED:
            self.refused["claim"] += 1
            return
        live.state, live.holder, live.claim = State.CLAIMED, entry.worker, entry.version
        live.begun_before, live.version = live.begun, self.offset
        self.index(live)
        self.say(live.run, "claimed", f"claimed by {entry.worker}")

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

    def _reopen(self, live: LiveRun) -> None:
        """The attempt never started: it is queued again, or gives way if it was asked to."""
        if not live.asked:
            self.queue(live)
            return
        successor = live.successor
        self._withdraw(live)
        mark = self.mark(live.run.job)
        if isinstance(successor, Run) and mark.in_force(successor.revision, successor.scheduled_at):
            mark.raise_to(successor.scheduled_at)
            self.enter(successor)
        elif isinstance(successor, Skip) and mark.in_force(successor.revision, successor.from_at):
            due = live.run.scheduled_at
            mark.settle(due, Verdict.SKIPPED)
            self.news.append(SkipNews(live.run.job, successor.reason, due, due, 1))

    def _started(self, entry: Started) -> None:
        """Rule 13: what has started stands; at_most_once is refused after a withdrawal."""
        live = self._standing(entry)
        if live is None or live.state is State.RUNNING:
            return
        if live.asked and live.run.delivery is Delivery.AT_MOST_ONCE:
            self.refused["started"] += 1
            return
        live.begun, live.state = True, State.RUNNING
        live.asked, live.successor = False, None
        self.say(live.run, "running", f"attempt {live.run.attempt} started")

    def _finished(self, entry: Finished) -> None:
        live = self._standing(entry)
        if live is None:
            return
        live.begun = live.begun_before = True
        attempt = Attempt(
            attempt=live.run.attempt,
            outcome=entry.outcome,
            ended_at=self.now,
            worker=entry.worker,
            exit_status=entry.exit_status,
            signal=entry.signal,
            note=entry.note,
        )
        if entry.outcome in (Outcome.INTERRUPTED, Outcome.LOST):
            self._again(live, attempt)
        else:
            self._decide(live, attempt)

    def _decide(self, live: LiveRun, attempt: Attempt) -> None:
        decision = decide(live.run, attempt)
        live.run = with_attempt(live.run, attempt)
        match decision:
            case Complete():
                if self.retry:
                    self.say(live.run, "finished", f"attempt {attempt.attempt} succeeded")
                    self._effect(live, Effect.SETTLE)
                else:
                    self._verdict(live, Verdict.SUCCEEDED, f"attempt {attempt.attempt}")
            case Retry(not_before=not_before):
                live.not_before = not_before
                count = f"{failures(live.run)} of {live.run.max_attempts} failures"
                text = f"{describe(attempt)}, {count}; next attempt not before"
                self.say(live.run, "finished", f"{text} {format_clock(not_before)}")
                self._effect(live, Effect.RETRY)
            case Discard(reason=reason):
                self.say(live.run, "finished", describe(attempt))
                self._effect(live, Effect.DISCARD, reason)
            case _ as never:
                assert_never(never)

    def _again(self, live: LiveRun, attempt: Attempt) -> None:
        """Rule 9: an attempt that was lost or interrupted costs none of the attempts left."""
        run = live.run
        if run.delivery is Delivery.AT_MOST_ONCE:
            if not live.begun:
                self._reopen(live)
                return
            live.run = with_attempt(run, attempt)
            self._effect(live, Effect.DISCARD, f"{describe(attempt)}, and it is at_most_once")
            return
        if attempt.outcome is Outcome.LOST and live.state is State.RUNNING:
            live.losses += 1
        following = live.successor if live.asked else run
        live.run = with_attempt(run, attempt)
        if live.losses > MAX_LOSSES or not isinstance(following, Run):
            why = "while its job was changed" if live.asked else f"for time {live.losses}"
            self._effect(live, Effect.DISCARD, f"{describe(attempt)} {why}")
            return
        self.say(live.run, attempt.outcome.value, f"{describe(attempt)}; it is made again")
        live.run = following.derive(attempt=run.attempt + 1, attempts=live.run.attempts)
        live.begun, live.asked, live.successor = True, False, None
        self.queue(live)

    def _lost(self, entry: Lost) -> None:
        """Rule 7: it names the heartbeat that was judged, and a newer one makes it void."""
        beat = self.beats.get(entry.worker)
        if beat is None or beat.number != entry.number:
            self.refused["lost"] += 1
            return
        for run_id in sorted(self.held.get(entry.worker, ())):
            live = self.live[run_id]
            attempt = Attempt(
                attempt=live.run.attempt,
                outcome=Outcome.LOST,
                ended_at=self.now,
                worker=entry.worker,
            )
            self._again(live, attempt)

    def _skipped(self, entry: Skipped) -> None:
        live = self.live.get(entry.run)
        if live is None or live.version != entry.version or live.state is not State.QUEUED:
            self.refused["skipped"] += 1
            return
        self._verdict(live, Verdict.SKIPPED, entry.reason.value)

    # -- effects and verdicts -----------------------------------------------------------------

    def _effect(self, live: LiveRun, effect: Effect, reason: str = "") -> None:
        self.unindex(live.run.id)
        live.state, live.effect, live.reason = State.DECIDING, effect, reason
        live.holder, live.claim, live.version = None, None, self.offset
        live.asked, live.successor = False, None
        live.decided_at = self.now
        self.index(live)

    def _forwarded(self, entry: Forwarded) -> None:
        live = self.live.get(entry.run)
        if live is None or live.version != entry.version or live.state is not State.DECIDING:
            self.refused["forwarded"] += 1
            return
        if live.effect is Effect.DISCARD:
            self._verdict(live, Verdict.DISCARDED, live.reason)
        elif live.effect is Effect.SETTLE:
            self._verdict(live, Verdict.SUCCEEDED, "")
        elif not self.retry:
            self.unindex(live.run.id)
            live.state, live.version = State.RETRYABLE, self.offset
            self.index(live)
            self.say(live.run, "retryable", "next attempt is on the retry topic")

    def _settled(self, entry: Settled) -> None:
        live = self.live.get(entry.run)
        if live is not None and (
            live.state is State.RETRYABLE
            or (live.state is State.DECIDING and live.effect is Effect.RETRY)
        ):
            self._verdict(live, entry.verdict, live.reason or "after retries")
        else:
            self.refused["settled"] += 1

    def _verdict(self, live: LiveRun, verdict: Verdict, reason: str) -> None:
        run = live.run
        self.remove(run.id)
        if run.cause is None and not self.retry:
            self.mark(run.job).settle(run.scheduled_at, verdict)
        else:
            self.recent.pop(run.id, None)
            self.recent[run.id] = (run.attempt, verdict, self.now)
        self.say(run, verdict.value, f"{verdict.value} ({reason})" if reason else verdict.value)
        self.forget()
