"""The ledger's own fold of one log, watched for the runs that are audited.

The rules are not told a second time: what counts is what the fold takes. What it refuses is looked
at as well, since a command may have been started all the same.
"""

from datetime import datetime
from typing import Final, Protocol

from cronstream.core.audit.claims import Claim
from cronstream.core.audit.finding import Kind
from cronstream.core.audit.track import EARLY_ON_LOG, Track
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.retry import MAX_ATTEMPTS_CARRIED
from cronstream.core.ledger.state import AHEAD, News, Refusal, SkipNews
from cronstream.core.wire.records import (
    Claimed,
    Entry,
    Finished,
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
    Started,
    Verdict,
    Withdrawal,
)

_VERDICTS: Final = {verdict.value: verdict for verdict in Verdict}
_FAILED: Final = (Outcome.FAILED, Outcome.TIMED_OUT)


class Watcher(Protocol):
    """Who keeps the tracks."""

    def enter(self, run: Run, at: datetime, *, retry: bool) -> Track | None:
        """Return the track of a run that is live now; None if it is not audited."""

    def track(self, run_id: str) -> Track | None:
        """Return the track of a run; None if it is not audited, or not known."""

    def unknown(self, run_id: str, what: str) -> None:
        """Take an entry that names a run without a track."""

    def skipped(self, skip: SkipNews) -> None:
        """Take a span of due times that was skipped."""

    def turned_away(self, refusal: Refusal, at: datetime) -> None:
        """Take what the fold has refused, and when."""

    def hold(self, entry: Withdrawal, at: datetime) -> None:
        """Take from when a revision holds."""

    def repair(self, after: datetime) -> None:
        """Take it that due times after a time may be run once more."""


class WatchedLog(Ledger):
    """The fold of one partition of a log.

    Args:
        retry: Whether it is a retry log.
        from_middle: Whether what came before the first message is not known.
        watcher: Who is told.
    """

    def __init__(self, *, retry: bool, from_middle: bool, watcher: Watcher) -> None:
        super().__init__(retry=retry)
        self.learns, self._watcher = from_middle, watcher
        self.assumed = self.known

    def _fold(self, entry: Entry) -> None:
        if isinstance(entry, Heartbeat | Owned | Level):
            super()._fold(entry)
        else:
            self._watch(entry)

    def _watch(self, entry: Entry) -> None:
        stood, held = self._stands(entry), self._held_by(entry)
        self.news.clear()
        self._takers[type(entry)](entry)
        actions = [self._hear(news, is_run=isinstance(entry, Run)) for news in self.news]
        if self.turned_away and isinstance(entry, Run | Skip):
            self._watcher.turned_away(self.turned_away[-1], self.at)
        match entry:
            case Withdrawal():
                self._watcher.hold(entry, self.at)
            case Repair() if not self.retry:
                self._watcher.repair(self.at + AHEAD)
            case Lost():
                self._see_loss(entry, held)
            case Settled():
                self._see_settled(entry, counted=bool(actions))
            case Run() if self.retry and "queued" in actions:
                self._see_later_attempt(entry)
            case _:
                self._see_attempt(entry, actions, stood=stood)

    def _see_attempt(self, entry: Entry, actions: list[str], *, stood: bool) -> None:
        match entry:
            case Claimed() if "claimed" in actions:
                self._see_claim(entry)
            case Started():
                self._see_start(entry, counted="running" in actions)
            case Finished():
                self._see_end(entry, counted=stood)
            case Released() if stood:
                self._see_release(entry)
            case _:
                pass

    def _stands(self, entry: Entry) -> bool:
        """Whether an entry is of the worker whose claim stands."""
        if not isinstance(entry, Started | Finished | Released):
            return False
        live = self.live.get(entry.run)
        if live is None or not live.held:
            return False
        return (live.holder, live.claim) == (entry.worker, entry.claim)

    def _held_by(self, entry: Entry) -> list[str]:
        return sorted(self.held.get(entry.worker, ())) if isinstance(entry, Lost) else []

    def _hear(self, news: News | SkipNews, *, is_run: bool) -> str:
        """Take what the fold says of a run, whether that is what was read; return what it was."""
        if isinstance(news, SkipNews):
            self._watcher.skipped(news)
            return "skipped"
        track = self._watcher.track(news.run.id)
        if news.action != "queued":
            if track is not None:
                self._tell(track, news)
        elif track is not None or news.run.cause is None or is_run:
            # One that a person asked for counts from when it was published: what is queued again,
            # and was published before the audit begins, has a past that is not known.
            self._watcher.enter(news.run, self.at, retry=self.retry)
        return news.action

    def _tell(self, track: Track, news: News) -> None:
        verdict = _VERDICTS.get(news.action)
        if news.action == "withdrawn":
            track.withdrawn = True
        elif news.action == "retryable":
            track.retried_at = self.at
        elif verdict is not None and self.retry:
            track.retry_verdict = verdict
        elif verdict is not None:
            track.settle(verdict, self.at)
            if verdict is Verdict.SKIPPED:
                track.reason = news.reason

    def _see_later_attempt(self, run: Run) -> None:
        """A later attempt carries those before it, the last of which has failed."""
        track = self._watcher.track(run.id)
        if track is None:
            return
        made = run.attempts or []
        first = max(1, run.attempt - MAX_ATTEMPTS_CARRIED)
        if [attempt.attempt for attempt in made] != list(range(first, run.attempt)):
            text = f"attempt {run.attempt} carries attempts {[a.attempt for a in made]}"
            track.faults.append((Kind.GAP, text))
            return
        failed = sum(attempt.outcome in _FAILED for attempt in made)
        enough = first > 1 or failed == run.max_attempts - run.attempts_left
        if made[-1].outcome not in _FAILED or not enough:
            text = f"attempt {run.attempt} is a retry, and no failure has gone before it"
            track.faults.append((Kind.GAP, text))

    def _see_claim(self, entry: Claimed) -> None:
        track, live = self._track(entry.run, "claimed"), self.live.get(entry.run)
        if track is not None and live is not None:
            run = live.run
            track.claims.of.append(
                Claim(
                    retry=self.retry,
                    number=entry.version,
                    worker=entry.worker,
                    attempt=run.attempt,
                    not_before=run.not_before,
                    # An attempt of which nobody knows whether it had started may be one before it.
                    foretold=live.unsure or track.claims.foretells(retry=self.retry),
                    claimed_at=self.at,
                )
            )

    def _see_start(self, entry: Started, *, counted: bool) -> None:
        track, live = self._track(entry.run, "started"), self.live.get(entry.run)
        if track is None:
            return
        track.claims.start(entry, retry=self.retry, counted=counted)
        if counted and live is not None and self.now < live.run.not_before - EARLY_ON_LOG:
            early_s = (live.run.not_before - self.now).total_seconds()
            text = f"attempt {live.run.attempt} was on the log as started {early_s:.1f} s early"
            track.faults.append((Kind.EARLY, text))

    def _see_end(self, entry: Finished, *, counted: bool) -> None:
        track = self._track(entry.run, "finished")
        if track is not None:
            track.claims.finish(entry, retry=self.retry, counted=counted, at=self.at)

    def _see_release(self, entry: Released) -> None:
        track = self._watcher.track(entry.run)
        if track is not None:
            track.claims.release(entry.worker, entry.claim, retry=self.retry)

    def _see_settled(self, entry: Settled, *, counted: bool) -> None:
        """A second verdict is refused; it matters only if it says something else."""
        track = self._track(entry.run, "settled")
        if track is None or counted or entry.verdict in track.verdicts:
            return
        if track.verdicts:
            track.verdicts.append(entry.verdict)
        else:
            text = f"it was settled as {entry.verdict} while it was not at its retries"
            track.faults.append((Kind.CONTRADICTION, text))

    def _see_loss(self, entry: Lost, held: list[str]) -> None:
        for run_id in held:
            live, track = self.live.get(run_id), self._watcher.track(run_id)
            if track is not None and (live is None or live.holder != entry.worker):
                track.claims.lose(entry.worker, retry=self.retry, at=self.at)

    def _track(self, run_id: str, what: str) -> Track | None:
        track = self._watcher.track(run_id)
        if track is None:
            self._watcher.unknown(run_id, what)
        return track
