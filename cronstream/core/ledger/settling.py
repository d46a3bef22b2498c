"""How a run ends: effects that have to be published first, the verdict; and by being cancelled."""

from datetime import datetime, timedelta

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.overlap import may_be_cancelled
from cronstream.core.ledger.state import AHEAD, Effect, LiveRun, State
from cronstream.core.wire.records import Cancelled, Forwarded, Repair, Settled, SkipReason, Verdict

#: What a cluster's log decides about a run whose later attempts are on the retry log.
_ABOUT_RETRIES = (Effect.RETRY, Effect.CANCEL)


class Settling(Book):
    """A ledger that brings what was decided to its end."""

    def _effect(self, live: LiveRun, effect: Effect, reason: str = "") -> None:
        self.unindex(live.run.id)
        live.state, live.effect, live.reason = State.DECIDING, effect, reason
        live.holder, live.claim, live.version = None, None, self.offset
        live.asked, live.successor = False, None
        live.decided_at = self.at
        self.index(live)

    def _forwarded(self, entry: Forwarded) -> None:
        live = self.live.get(entry.run)
        if live is None or live.version != entry.version or live.state is not State.DECIDING:
            self.refused["forwarded"] += 1
            return
        if live.effect is Effect.DISCARD:
            self._verdict(live, Verdict.DISCARDED, live.reason)
        elif live.effect is Effect.SETTLE:
            self._verdict(live, Verdict.SUCCEEDED, f"attempt {live.run.attempt}")
        elif live.effect is Effect.SKIP:
            self._verdict(live, Verdict.SKIPPED, live.reason)
        elif not self.retry and live.cancelled and live.effect is Effect.RETRY:
            self._effect(live, Effect.CANCEL)  # By a person, while its retry was on its way.
        elif not self.retry:
            self.unindex(live.run.id)
            live.state, live.version = State.RETRYABLE, self.offset
            self.index(live)
            text = "next attempt is on the retry topic"
            self.say(live.run, "retryable", text, is_detail=True)

    def _settled(self, entry: Settled) -> None:
        live = self.live.get(entry.run)
        if live is not None and (
            live.state is State.RETRYABLE
            or (live.state is State.DECIDING and live.effect in _ABOUT_RETRIES)
        ):
            is_skipped = entry.verdict is Verdict.SKIPPED
            skipped = (entry.reason or SkipReason.OVERLAP).value
            reason = skipped if is_skipped else live.reason or "after retries"
            # The retry log's worker tells it with its reason.
            self._verdict(live, entry.verdict, reason, is_detail=True)
        else:
            self.refused["settled"] += 1

    def _repair(self, _: Repair) -> None:
        """Rule 18: what is beyond the log's time is so by a clock that was ahead, and is no more.

        Where the clock was right all the time, nothing is: a scheduler publishes less far ahead.
        """
        for mark in self.marks.values():
            mark.set_back(self.at + AHEAD)
        self.recent = {i: (n, v, min(at, self.at)) for i, (n, v, at) in self.recent.items()}
        for beat in self.beats.values():
            beat.at = min(beat.at, self.at)
        for live in [live for live in self.live.values() if self.waits_too_long(live, self.at)]:
            live.run = live.run.derive(not_before=self.at)
            self.queue(live)

    def waits_too_long(self, live: LiveRun, now: datetime) -> bool:
        """Whether it is a retry that waits for longer than any backoff lasts."""
        backoff = live.run.backoff
        longest = timedelta(seconds=backoff.ceiling_s * (1 + backoff.jitter))
        is_later = self.retry and live.state is State.QUEUED
        return is_later and live.run.not_before > now + longest + AHEAD

    def _cancelled(self, entry: Cancelled) -> None:
        """Rule 17: a run gives way to a later one, or to a person's word.

        What is queued does so at once, what is held when its holder has ended it, and what is on
        the retry log when that log, which has to be told, has settled it.
        """
        live = self.live.get(entry.run)
        if live is None or not self._heeds(live, entry):
            self.refused["cancelled"] += 1
            return
        live.cancelled, live.cancel, live.cancelled_by = True, entry.reason, entry.by
        if live.state is State.QUEUED:
            self._give_up(live)
        elif live.state is State.RETRYABLE:
            self._effect(live, Effect.CANCEL)

    def _heeds(self, live: LiveRun, entry: Cancelled) -> bool:
        """Whether a run is to end; a retry log does as the cluster's log has judged.

        A decision to try again stands, and the attempt that follows is skipped as it enters; any
        other that is under way ends the run by itself.
        """
        if self.retry or entry.reason is SkipReason.CANCELLED:
            is_over = live.state is State.DECIDING and live.effect is not Effect.RETRY
            return not (is_over or live.cancelled)
        return entry.version == live.version and may_be_cancelled(live)

    def _give_up(self, live: LiveRun) -> None:
        """Rule 17: what was cancelled ends as skipped, and is not made again."""
        if self.retry:
            self._effect(live, Effect.SKIP, live.cancel.value)
        else:
            self._verdict(live, Verdict.SKIPPED, live.cancel.value)

    def _verdict(
        self, live: LiveRun, verdict: Verdict, reason: str, *, is_detail: bool = False
    ) -> None:
        run = live.run
        self.remove(run.id)
        if run.cause is None and not self.retry:
            self.mark(run.job).settle(run.scheduled_at, verdict)
        else:
            self.recent.pop(run.id, None)
            self.recent[run.id] = (run.attempt, verdict, self.at)
        by = live.cancelled_by if verdict is Verdict.SKIPPED else None
        text = f"{verdict.value} ({reason} by {by})" if by else f"{verdict.value} ({reason})"
        self.say(run, verdict.value, text, reason, is_detail=is_detail)
        self.forget()
