"""What comes on a log from outside: runs, skips and withdrawals, and which of them count."""

from cronstream.core.ledger.settling import Settling
from cronstream.core.ledger.state import STALE, LiveRun, SkipNews, State
from cronstream.core.records import Run, Skip, SkipReason, Verdict, Withdrawal


class Intake(Settling):
    """A ledger that takes runs in, once each, under the revision that is in force."""

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
        if live is not None and mark.is_gone(run.revision, run.scheduled_at):
            self.refused["revision"] += 1
        elif live is not None:
            self._succeed(live, run)
        elif mark.knows(run.scheduled_at):
            self.refused["duplicate"] += 1
        else:
            mark.raise_to(run.scheduled_at)
            self.enter(run)
            if mark.is_gone(run.revision, run.scheduled_at):
                self._withdraw(self.live[run.id])

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
            if live is not None and live.cancelled:
                following = self.live[run.id]
                following.cancel, following.cancelled_by = live.cancel, live.cancelled_by
                self._give_up(following)

    def _is_stale(self, run: Run) -> bool:
        return run.as_of is not None and self.now - run.as_of > STALE

    def _succeed(self, live: LiveRun, newer: Run | Skip) -> None:
        """Rule 13: a newer revision's run waits for the holder that was asked to give way."""
        is_newer = (newer.revision or 0) > (live.run.revision or 0)
        if live.asked and not live.begun_for_good and is_newer:
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
        if entry.removed:
            mark.removed = entry.revision
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
