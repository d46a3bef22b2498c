"""What becomes of an attempt that was given back, interrupted or lost: it is made again, or not."""

from datetime import timedelta
from typing import Final

from cronstream.core.ledger.intake import Intake
from cronstream.core.ledger.retry import describe, with_attempt
from cronstream.core.ledger.state import (
    MAX_DEATHS,
    MAX_LOSSES,
    Effect,
    LiveRun,
    SkipNews,
    State,
    starts_after_word,
)
from cronstream.core.wire.records import Attempt, Delivery, Lost, Outcome, Run, Verdict

#: From this level on, a loss of what may have started makes the next start wait for its word.
_SURE_SINCE: Final = 2
#: By so much a worker's clock may be ahead of the log's, at most, where nothing starts early.
_CLOCKS_DIFFER: Final = timedelta(seconds=2)


class Repeating(Intake):
    """A ledger that lets attempts be made again."""

    def _reopen(self, live: LiveRun) -> None:
        """The attempt never started: it is queued again, or gives way if it was asked to."""
        if live.cancelled:
            self._give_up(live)
            return
        if not live.asked:
            self.queue(live)
            return
        successor = live.successor
        self._withdraw(live)
        mark, due = self.mark(live.run.job), live.run.scheduled_at
        if successor is None or mark.is_gone(live.run.revision, due):
            return
        from_at = due if isinstance(successor, Run) else successor.from_at
        if not mark.in_force(successor.revision, from_at):
            return
        if isinstance(successor, Run):
            mark.raise_to(due, self.log_time)
            self.enter(successor)
        else:
            mark.settle(due, Verdict.SKIPPED)
            self.news.append(SkipNews(live.run.job, successor.reason, due, due, 1))

    def _again(self, live: LiveRun, attempt: Attempt, *, with_executor: bool = False) -> None:
        """Rule 9: an attempt that was lost or interrupted costs none of the attempts left.

        Rule 17: what was cancelled is not made again, however its attempt has ended.
        """
        run = live.run
        if live.cancelled:
            live.run = with_attempt(run, attempt)
            self._give_up(live)
            return
        if not live.begun and starts_after_word(run, retry=self.retry):
            self._reopen(live)
            return
        if attempt.outcome is Outcome.LOST and self._gives_way_unstarted(live):
            self._reopen(live)
            return
        if run.delivery is Delivery.AT_MOST_ONCE:
            live.run = with_attempt(run, attempt)
            self._effect(live, Effect.DISCARD, f"{describe(attempt)}, and it is at_most_once")
            return
        too_often = attempt.outcome is Outcome.LOST and self._count_loss(live, with_executor)
        following = live.successor if live.asked else run
        live.run = with_attempt(run, attempt)
        if too_often or not isinstance(following, Run):
            why = "while its job was changed" if live.asked else too_often
            self._effect(live, Effect.DISCARD, f"{describe(attempt)} {why}")
            return
        self.say(live.run, attempt.outcome.value, f"{describe(attempt)}; it is made again")
        live.run = following.derive(attempt=run.attempt + 1, attempts=live.run.attempts)
        # Its command may have run, so no later word can take that back: `Started` may come first.
        live.begun = live.begun_before = True
        live.asked, live.successor = False, None
        self.queue(live)

    def _gives_way_unstarted(self, live: LiveRun) -> bool:
        """Whether what was asked to give way was lost before its time, or its job is gone.

        It has not started, or the log has no word of it: it gives way as if it had been released.
        """
        if not live.asked or live.begun or self.level < _SURE_SINCE:
            return False
        run = live.run
        is_gone = self.mark(run.job).is_gone(run.revision, run.scheduled_at)
        return is_gone or run.not_before > self.at + _CLOCKS_DIFFER

    def _count_loss(self, live: LiveRun, with_executor: bool) -> str:
        """Rule 9: count a loss against a run; return why it is not made again, if it is not.

        A command may be what ends its executor, or its worker. A neighbour is not to pay for it:
        what an executor's death takes along is made again alone, and only deaths alone count. Of
        what died with its worker without a `Started` nobody can tell, so the next start waits for
        its own: the loss after that counts, whatever the fault keeps from being told.
        """
        if with_executor:
            live.deaths += live.alone
            live.alone = True
            return f"with executor {live.deaths} of its own" if live.deaths >= MAX_DEATHS else ""
        if live.state is State.RUNNING:
            live.losses += 1
        elif self.level >= _SURE_SINCE and live.run.not_before <= self.at:
            live.unsure = True
        return f"for time {live.losses}" if live.losses > MAX_LOSSES else ""

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
                ended_at=self.at,
                worker=entry.worker,
            )
            self._again(live, attempt)
