"""The ledger's own fold of one log, watched for the runs that are audited.

The rules are not stated twice: what counts is what the fold takes. What it refuses is looked
at as well, since a command may have been started all the same.
"""

from datetime import datetime
from typing import Protocol

from cronstream.core.audit.audited_run import EARLY_ON_LOG, AuditedRun
from cronstream.core.audit.claims import Claim
from cronstream.core.audit.finding import Kind
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.following import AFTER_RETRIES
from cronstream.core.ledger.observed import Observed, RunChange, observing
from cronstream.core.ledger.retry import MAX_ATTEMPTS_CARRIED
from cronstream.core.ledger.state import AHEAD, News, Refusal, SkipNews
from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Lost,
    Released,
    Repair,
    Settled,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import FAILURES, Verdict
from cronstream.core.wire.runs import Run


class Watcher(Protocol):
    """Who keeps what is audited."""

    def enter(self, run: Run, at: datetime, *, retry: bool) -> AuditedRun | None:
        """Return what is kept of a run that is live now; None if it is not audited."""

    def audited(self, run_id: str) -> AuditedRun | None:
        """Return what is kept of a run; None if it is not audited, or not known."""

    def unknown(self, run_id: str, what: str) -> None:
        """Take an entry that names a run that is not audited."""

    def skipped(self, skip: SkipNews) -> None:
        """Take a span of due times that was skipped."""

    def turned_away(self, refusal: Refusal, at: datetime) -> None:
        """Take what the fold has refused, and when."""

    def hold(self, entry: Withdrawal, at: datetime) -> None:
        """Take from when a revision holds."""

    def repair(self, after: datetime) -> None:
        """Take it that due times after a time may be run once more."""


class WatchedLog:
    """The fold of one partition of a log, and what is audited of it.

    Attributes:
        ledger: The fold.

    Args:
        retry: Whether it is a retry log.
        from_middle: Whether what came before the first message is not known.
        watcher: Who is notified.
    """

    def __init__(self, *, retry: bool, from_middle: bool, watcher: Watcher) -> None:
        self._retry, self._watcher = retry, watcher
        self.ledger = Ledger(retry=retry, by=observing(self._see))
        book = self._book = self.ledger.book
        book.learns, book.assumed = from_middle, book.known

    def _see(self, observed: Observed) -> None:
        entry = observed.entry
        for skip in observed.skips:
            self._watcher.skipped(skip)
        for change in observed.changes:
            for news in change.news:
                self._hear(news, is_run=isinstance(entry, Run))
        for refusal in observed.refusals:
            self._watcher.turned_away(refusal, self._book.at)
        if isinstance(entry, Withdrawal):
            self._watcher.hold(entry, self._book.at)
        elif isinstance(entry, Repair) and not self._retry:
            self._watcher.repair(self._book.at + AHEAD)
        for change in observed.changes:
            self._see_change(change)

    def _see_change(self, change: RunChange) -> None:
        match change.entry:
            case Lost() as entry:
                self._see_loss(entry, change)
            case Settled() as entry:
                self._see_settled(entry, counted=_counts(entry, change))
            case Run() as entry:
                if self._retry and entry.id == change.run_id and change.says("queued"):
                    self._see_later_attempt(entry)
            case _:
                self._see_attempt(change)

    def _see_attempt(self, change: RunChange) -> None:
        match change.entry:
            case Claimed() as entry if change.says("claimed"):
                self._see_claim(entry, change)
            case Started() as entry:
                self._see_start(entry, change)
            case Finished() as entry:
                self._see_end(entry, counted=_stood(change, entry))
            case Released() as entry if _stood(change, entry):
                self._see_release(entry)
            case _:
                pass

    def _hear(self, news: News, *, is_run: bool) -> None:
        """Take what the fold says of a run, whether that is what was read."""
        audited = self._watcher.audited(news.run.id)
        if news.action != "queued":
            if audited is not None:
                self._note_news(audited, news)
        elif audited is not None or news.run.cause is None or is_run:
            # One that a person asked for counts from when it was published: what is queued again,
            # and was published before the audit begins, has a past that is not known.
            self._watcher.enter(news.run, self._book.at, retry=self._retry)

    def _note_news(self, audited: AuditedRun, news: News) -> None:
        verdict = news.verdict
        if news.action == "withdrawn":
            audited.withdrawn = True
        elif news.action == "retryable":
            audited.retried_at = self._book.at
        elif verdict is not None and self._retry:
            audited.retry_verdict = verdict
        elif verdict is not None:
            audited.settle(verdict, self._book.at)
            if verdict is Verdict.SKIPPED:
                audited.reason = news.reason

    def _see_later_attempt(self, run: Run) -> None:
        """A later attempt carries those before it, the last of which has failed."""
        audited = self._watcher.audited(run.id)
        if audited is None:
            return
        made = run.attempts or []
        first = max(1, run.attempt - MAX_ATTEMPTS_CARRIED)
        if [attempt.attempt for attempt in made] != list(range(first, run.attempt)):
            text = f"attempt {run.attempt} carries attempts {[a.attempt for a in made]}"
            audited.faults.append((Kind.GAP, text))
            return
        failed = sum(attempt.outcome in FAILURES for attempt in made)
        enough = first > 1 or failed == run.max_attempts - run.attempts_left
        if made[-1].outcome not in FAILURES or not enough:
            text = f"attempt {run.attempt} is a retry, and no failure has gone before it"
            audited.faults.append((Kind.GAP, text))

    def _see_claim(self, entry: Claimed, change: RunChange) -> None:
        audited, now = self._find(entry.run, "claimed"), change.after
        if audited is not None and now is not None:
            audited.claims.of.append(
                Claim(
                    retry=self._retry,
                    number=entry.version,
                    worker=entry.worker,
                    attempt=now.run.attempt,
                    not_before=now.run.not_before,
                    # An attempt of which nobody knows whether it had started may be one before it.
                    foretold=now.unsure or audited.claims.foretells(retry=self._retry),
                    claimed_at=self._book.at,
                )
            )

    def _see_start(self, entry: Started, change: RunChange) -> None:
        audited, now = self._find(entry.run, "started"), change.after
        if audited is None:
            return
        counted = change.says("running")
        audited.claims.start(entry, retry=self._retry, counted=counted)
        if counted and now is not None and self._is_early(entry, now.run.not_before):
            early_s = (now.run.not_before - self._book.now).total_seconds()
            text = f"attempt {now.run.attempt} was on the log as started {early_s:.1f} s early"
            audited.faults.append((Kind.EARLY, text))

    def _is_early(self, entry: Started, not_before: datetime) -> bool:
        """Whether a command was started before its time.

        Nothing is claimed so far ahead that minutes are possible: so by the log's clock alone, that
        was wrong for a while; the worker's own clock has to say it, too.
        """
        early = not_before - self._book.now
        if early > AHEAD:
            return entry.started_at < not_before - EARLY_ON_LOG
        return early > EARLY_ON_LOG

    def _see_end(self, entry: Finished, *, counted: bool) -> None:
        audited = self._find(entry.run, "finished")
        if audited is not None:
            audited.claims.finish(entry, retry=self._retry, counted=counted, at=self._book.at)

    def _see_release(self, entry: Released) -> None:
        audited = self._watcher.audited(entry.run)
        if audited is not None:
            audited.claims.release(entry.worker, entry.claim, retry=self._retry)

    def _see_settled(self, entry: Settled, *, counted: bool) -> None:
        """A second verdict is refused; it matters only if it says something else."""
        audited = self._find(entry.run, "settled")
        if audited is None or counted or entry.verdict in audited.verdicts:
            return
        if audited.verdicts:
            audited.verdicts.append(entry.verdict)
        else:
            text = f"it was settled as {entry.verdict} while its retries were not under way"
            audited.faults.append((Kind.CONTRADICTION, text))

    def _see_loss(self, entry: Lost, change: RunChange) -> None:
        audited = self._watcher.audited(change.run_id)
        if audited is not None and (change.after is None or change.after.holder != entry.worker):
            audited.claims.lose(entry.worker, retry=self._retry, at=self._book.at)

    def _find(self, run_id: str, what: str) -> AuditedRun | None:
        audited = self._watcher.audited(run_id)
        if audited is None:
            self._watcher.unknown(run_id, what)
        return audited


def _counts(entry: Settled, change: RunChange) -> bool:
    """Whether a run has the verdict that is reported, or will have it (rule 24)."""
    effect = change.after.effect if change.after is not None else None
    return bool(change.news) or (effect is not None and effect is AFTER_RETRIES.get(entry.verdict))


def _stood(change: RunChange, entry: Started | Finished | Released) -> bool:
    """Whether an entry is of the worker whose claim stood."""
    return change.before is not None and change.before.is_held_by(entry.worker, entry.claim)
