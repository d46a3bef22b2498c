"""What comes on a log from outside: runs, skips and withdrawals, and which of them count."""

from datetime import datetime
from typing import Final

from cronstream.core.ledger.settling import Settling
from cronstream.core.ledger.state import (
    AHEAD,
    FROM_AHEAD,
    OWN_TIME_SINCE,
    STALE,
    TOO_OLD,
    LiveRun,
    Refusal,
    SkipNews,
    State,
)
from cronstream.core.wire.records import Run, Skip, SkipReason, Verdict, Withdrawal

#: From this level on, a revision of which the log has lost the word is learnt from its runs.
_LEARNS_SINCE: Final = 2


class Intake(Settling):
    """A ledger that takes runs in, once each, under the revision that is in force."""

    def _first_attempt(self, run: Run) -> None:
        """Rules 11 to 13: a run enters once, and only under the revision that is in force."""
        if run.cause is not None:
            self._with_cause(run)
            return
        self._learn(run, run.scheduled_at)
        mark = self.mark(run.job)
        if not mark.in_force(run.revision, run.scheduled_at):
            self._refuse_revision(run, run.scheduled_at, run.scheduled_at)
            return
        live = self.live.get(run.id)
        if live is not None and mark.is_gone(run.revision, run.scheduled_at):
            self.refused["revision"] += 1
        elif live is not None:
            self._succeed(live, run)
        elif mark.knows(run.scheduled_at):
            self.refused["duplicate"] += 1
            if self.level >= OWN_TIME_SINCE and mark.high > self.at + 2 * AHEAD:
                self._turn_away(run, FROM_AHEAD, run.scheduled_at, run.scheduled_at)
        else:
            mark.raise_to(run.scheduled_at, self.log_time)
            self.enter(run)
            if mark.is_gone(run.revision, run.scheduled_at):
                self._withdraw(self.live[run.id])

    def _with_cause(self, run: Run) -> None:
        if run.id in self.live or run.id in self.recent:
            self.refused["duplicate"] += 1
        elif self._is_stale(run):
            self.refused["stale"] += 1
            self._turn_away(run, TOO_OLD, run.scheduled_at, run.scheduled_at)
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
            self._turn_away(run, TOO_OLD, run.scheduled_at, run.scheduled_at)
        else:
            self.enter(run)
            if live is not None and live.cancelled:
                following = self.live[run.id]
                following.cancel, following.cancelled_by = live.cancel, live.cancelled_by
                self._give_up(following)

    def _is_stale(self, run: Run) -> bool:
        """Rule 11: by the same two times as its sender, who sees them in the acknowledgement."""
        return run.as_of is not None and self.at - run.as_of > STALE

    def _learn(self, entry: Run | Skip, due: datetime) -> None:
        """Rule 12: take a revision as in force whose word was on the part of the log that is gone.

        A scheduler says it before any run of it. So a run of a revision that nothing is known of,
        where no word has said what holds, is of one that was announced before the beginning; and
        if it is newer than one that was learnt so, the runs of that give way as they would have.
        """
        mark, revision = self.mark(entry.job), entry.revision
        if revision is None or not (self.learns or self.level >= _LEARNS_SINCE):
            return
        if not mark.may_learn(revision, due):
            return
        since = mark.learn(revision, due)
        mark.lower_to(since)
        self._give_way_all(Withdrawal(job=entry.job, revision=revision, effective_from=since))

    def _refuse_revision(self, entry: Run | Skip, from_at: datetime, to_at: datetime) -> None:
        self.refused["revision"] += 1
        why = self.mark(entry.job).why_not(entry.revision, from_at)
        self._turn_away(entry, why, from_at, to_at)

    def _turn_away(self, entry: Run | Skip, why: str, from_at: datetime, to_at: datetime) -> None:
        name = entry.id if isinstance(entry, Run) else entry.job
        refusal = Refusal(entry.job, name, entry.revision, why, from_at, to_at)
        self.turned_away.append(refusal)

    def _succeed(self, live: LiveRun, newer: Run | Skip) -> None:
        """Rule 13: a newer revision's run waits for the holder that was asked to give way."""
        is_newer = (newer.revision or 0) > (live.run.revision or 0)
        if live.asked and not live.begun_for_good and is_newer:
            live.successor = newer
        else:
            self.refused["duplicate"] += 1

    def _skip(self, skip: Skip) -> None:
        """Rule 16: of run and skip the first stands; a span is skipped in one entry."""
        self._learn(skip, skip.from_at)
        mark = self.mark(skip.job)
        if not mark.in_force(skip.revision, skip.from_at):
            self._refuse_revision(skip, skip.from_at, skip.to_at)
            return
        for live in self.scheduled_runs(skip.job):
            if skip.from_at <= live.run.scheduled_at <= skip.to_at:
                self._succeed(live, skip)
        if mark.knows_all(skip.from_at, skip.to_at):
            self.refused["duplicate"] += 1
            return
        mark.skipped.append((skip.from_at, skip.to_at))
        mark.raise_to(skip.to_at, self.log_time)
        self.news.append(SkipNews(skip.job, skip.reason, skip.from_at, skip.to_at, skip.count))

    def _withdrawal(self, entry: Withdrawal) -> None:
        """Rules 12 to 14: what is queued gives way; who holds a claim is asked to."""
        mark = self.mark(entry.job)
        if mark.revisions and entry.revision <= mark.revisions[-1][0]:
            self.refused["duplicate"] += 1
            return
        mark.revisions.append((entry.revision, entry.effective_from))
        mark.lower_to(entry.effective_from)
        if entry.removed:
            mark.removed = entry.revision
        self._give_way_all(entry)

    def _give_way_all(self, entry: Withdrawal) -> None:
        for live in self.scheduled_runs(entry.job):
            self._give_way(live, entry)

    def _give_way(self, live: LiveRun, entry: Withdrawal) -> None:
        run = live.run
        holds = run.scheduled_at < entry.effective_from and not entry.removed
        if holds or (run.revision or 0) >= entry.revision:
            return
        live.successor = None
        if live.begun_for_good:
            return
        if live.state is State.QUEUED:
            self._withdraw(live)
        elif live.held:
            live.asked = True

    def _withdraw(self, live: LiveRun) -> None:
        """End it; provisionally, where a run of a newer revision for that due time may enter."""
        run = live.run
        if self.mark(run.job).is_gone(run.revision, run.scheduled_at):
            self._verdict(live, Verdict.SKIPPED, SkipReason.WITHDRAWN.value)
            return
        self.remove(run.id)
        self.say(run, "withdrawn", "withdrawn: the crontab has changed")
