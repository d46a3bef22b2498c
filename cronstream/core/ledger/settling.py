"""How a run ends: effects that have to be published first, and the verdict."""

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.state import Effect, LiveRun, State
from cronstream.core.records import Forwarded, Settled, SkipReason, Verdict

#: What a cluster's log decides about a run whose later attempts are on the retry log.
_ABOUT_RETRIES = (Effect.RETRY, Effect.CANCEL)


class Settling(Book):
    """A ledger that brings what was decided to its end."""

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
            self._verdict(live, Verdict.SUCCEEDED, f"attempt {live.run.attempt}")
        elif live.effect is Effect.SKIP:
            self._verdict(live, Verdict.SKIPPED, live.reason)
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
            reason = SkipReason.OVERLAP.value if is_skipped else live.reason or "after retries"
            # The retry log's worker tells it with its reason.
            self._verdict(live, entry.verdict, reason, is_detail=True)
        else:
            self.refused["settled"] += 1

    def _give_up(self, live: LiveRun) -> None:
        """Rule 17: what was cancelled ends as skipped, and is not made again."""
        if self.retry:
            self._effect(live, Effect.SKIP, SkipReason.OVERLAP.value)
        else:
            self._verdict(live, Verdict.SKIPPED, SkipReason.OVERLAP.value)

    def _verdict(
        self, live: LiveRun, verdict: Verdict, reason: str, *, is_detail: bool = False
    ) -> None:
        run = live.run
        self.remove(run.id)
        if run.cause is None and not self.retry:
            self.mark(run.job).settle(run.scheduled_at, verdict)
        else:
            self.recent.pop(run.id, None)
            self.recent[run.id] = (run.attempt, verdict, self.now)
        self.say(run, verdict.value, f"{verdict.value} ({reason})", is_detail=is_detail)
        self.forget()
