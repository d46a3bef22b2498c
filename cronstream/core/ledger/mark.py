"""What the fold of a log keeps of a job's scheduled runs: what is known, what is in force."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cronstream.core.ledger.paused import NOT_PAUSED, Paused
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.runs import Run

#: Due times this far behind a job's mark are no longer known one by one (rule 11): a revision
#: that reaches the log later than this holds from that far behind the mark only. It is longer
#: than a scheduler goes back for an edit (``due.REACH`` and the look-ahead), else due times in
#: between would be taken for known, and have no verdict.
WINDOW: Final = timedelta(minutes=12)
#: A job of which the log has said nothing for so many days (`Book.day`) is forgotten, as a log with
#: retention forgets it: by default that is 30 days. What is learnt since is as good.
KEEP_DAYS: Final = 40
#: One that was taken out is forgotten sooner: no scheduler has that long ago still on its way.
KEEP_GONE_DAYS: Final = 2
#: Why a run was refused: no word has put its revision in force, as far as this fold has read; a
#: newer one holds, or has held for so long that no scheduler should still publish the older one.
UNKNOWN: Final = "unknown"
SUPERSEDED: Final = "superseded"
OUTDATED: Final = "outdated"
#: Before every due time.
LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Mark:
    """What the fold keeps of a job's scheduled runs.

    Attributes:
        high: The high-water mark of due times: at or before it, nothing is new.
        floor: The mark is never lowered to before this, `WINDOW` behind the highest it was.
        revisions: Revision and ``effective_from`` of each that still matters, oldest first.
        settled: Verdicts by due time, as far back as `WINDOW` behind the mark.
        skipped: Spans of due times that were skipped, as far back as that.
        removed: The last revision by which the job was taken out; -1 if it never was.
        learnt: The last revision that is known from its runs alone, since the log has lost the
            word that put it in force; -1 if there is none.
        heard: The log's day on which anything was last said of the job.
        former: The last revision that there was when a day began; -1 if there was none.
        succeeded_at: When a run of the job last succeeded, by the log: its attempt, or for one that
            succeeded on the retry log, its settlement; None if that is not known.
        watched_since: From when on, by the log, a success would be known, and is asked for.
        expect_within_s: A success is expected at least so often, in seconds; None if it is not.
        paused: What a person, the crontab, or the job's discarded runs have paused.
    """

    high: datetime = LONG_AGO
    floor: datetime = LONG_AGO
    revisions: list[tuple[int, datetime]] = field(default_factory=list)
    settled: dict[datetime, Verdict] = field(default_factory=dict)
    skipped: list[tuple[datetime, datetime]] = field(default_factory=list)
    removed: int = -1
    learnt: int = -1
    heard: int = 0
    former: int = -1
    succeeded_at: datetime | None = None
    watched_since: datetime = LONG_AGO
    expect_within_s: float | None = None
    paused: Paused = NOT_PAUSED

    def in_force(self, revision: int | None, due: datetime) -> bool:
        """Whether `revision` is the one that holds for `due` (rule 12)."""
        return revision is not None and self._holding(due) == revision

    def _holding(self, due: datetime) -> int | None:
        """Return the newest revision of those that hold for `due`; None if none does."""
        for known, since in reversed(self.revisions):
            if since <= due:
                return known
        return None

    def why_not(self, revision: int | None, due: datetime) -> str:
        """Return why a revision that is not in force for `due` is not."""
        holding = [one for one in self.revisions if one[1] <= due and one[0] > (revision or 0)]
        if not holding:
            return UNKNOWN
        return OUTDATED if due - max(holding)[1] > WINDOW else SUPERSEDED

    def may_learn(self, revision: int, due: datetime, *, beyond_late: bool) -> bool:
        """Whether the word that put `revision` in force was before all that is known.

        It was if that is newer than all of them, for it is said before the first run: a word that
        is known was then late; with `beyond_late` also if the newer ones hold only later. Else
        nothing that a word has put in force may hold for `due`, and no newer revision may.
        """
        if not self.revisions or self.revisions[-1][0] < revision:
            return True
        found = self._holding(due)
        holding = -1 if found is None else found
        if revision <= holding or (holding > self.learnt and not beyond_late):
            return False
        least = max(self.learnt, holding)
        return all(revision < known for known, _ in self.revisions if known > least)

    def learn(self, revision: int, due: datetime) -> datetime:
        """Take a revision as in force, and return from when: as early as nothing else held."""
        known = dict(self.revisions)
        held = any(since <= due for since in known.values())
        known[revision] = since = due if held else LONG_AGO
        self.revisions = sorted(known.items())
        self.learnt = max(self.learnt, revision)
        return since

    def held_earlier(self, revision: int, since: datetime) -> bool:
        """Whether a word says of a revision that was learnt that it has held from earlier on."""
        return revision == self.learnt and (revision, since) < max(self.revisions)

    def hold(self, revision: int, since: datetime) -> None:
        """Take a revision as in force from a time on, as a word says."""
        known = {**dict(self.revisions), revision: since}
        self.revisions = sorted(known.items())
        self.lower_to(since)

    def is_gone(self, revision: int | None, due: datetime) -> bool:
        """Whether the job was taken out after `revision`, and `due` is before that holds.

        What has not begun goes then, and nothing comes in its place.
        """
        if (revision or 0) >= self.removed:
            return False
        return all(known < self.removed for known, effective in self.revisions if effective <= due)

    def knows(self, due: datetime) -> bool:
        """Whether `due` is published, settled or skipped already (rule 11)."""
        if due <= self.high or due in self.settled:
            return True
        return bool(self.skipped) and any(start <= due <= end for start, end in self.skipped)

    def knows_all(self, first: datetime, last: datetime) -> bool:
        """Whether a span of due times has been published or skipped already, as a whole.

        After an edit the last of it may have its verdict, and one before it none.
        """
        return last <= self.high or any(s <= first and last <= e for s, e in self.skipped)

    def settle(self, due: datetime, verdict: Verdict) -> None:
        """Note the verdict of one due time."""
        if due > self.floor:
            self.settled[due] = verdict

    def raise_to(self, due: datetime, at: datetime | None = None) -> None:
        """Move the mark up, and forget what is too far behind it.

        Args:
            due: Where to.
            at: When that was appended. What a clock that is ahead has published lies far ahead of
                it, and must not keep an edit from holding before: the floor stays behind.
        """
        if due <= self.high:
            return
        self.high = due
        reached = due if at is None else min(due, at)
        if reached <= self.floor + WINDOW:
            return
        floor = self.floor = reached - WINDOW
        if self.settled and next(iter(self.settled)) <= floor:
            self.settled = {at: verdict for at, verdict in self.settled.items() if at > floor}
        if self.skipped:
            self.skipped = [span for span in self.skipped if span[1] > floor]
        while len(self.revisions) > 1 and self.revisions[1][1] <= floor:
            del self.revisions[0]

    def is_over(self, day: int) -> bool:
        """Whether the log has said nothing of the job for so long that it is forgotten."""
        return day - self.heard > (KEEP_GONE_DAYS if self.is_removed else KEEP_DAYS)

    @property
    def is_removed(self) -> bool:
        """Whether the job was taken out, as far as is known."""
        return bool(self.revisions) and self.revisions[-1][0] == self.removed

    def begin_day(self) -> None:
        """Forget revisions replaced before the last day began: all of them are announced."""
        replaced = sum(known <= self.former for known, _ in self.revisions) - 1
        if replaced > 0:
            del self.revisions[:replaced]
        self.former = max((known for known, _ in self.revisions), default=-1)

    def set_back(self, to: datetime) -> None:
        """Know nothing of due times after `to`: they were published by a clock that was ahead.

        No edit lowers the mark to before that: what came before has its verdicts.
        """
        if self.high <= to:
            return
        self.high = self.floor = to
        self.settled = {due: verdict for due, verdict in self.settled.items() if due <= to}
        self.skipped = [(start, min(end, to)) for start, end in self.skipped if start <= to]

    def expect(self, revision: int, within_s: float | None, at: datetime) -> None:
        """Take from a revision how often a success is expected, unless a newer one is known.

        Of a job that comes back after it was taken out, none was asked for in between.
        """
        newest = self.revisions[-1][0] if self.revisions else -1
        if revision < newest:
            return
        if revision > newest == self.removed >= 0:
            self.watched_since = at
        self.expect_within_s = within_s

    def is_overdue(self, now: datetime) -> bool:
        """Whether a success was to be there by now.

        Before `watched_since` there may have been one that is not known here: that counts as if
        there was one then.
        """
        if self.expect_within_s is None or self.is_paused(now):
            return False
        last = max(self.succeeded_at or LONG_AGO, self.watched_since)
        if self._is_by_newest and self.paused.to is not None:
            last = max(last, self.paused.to)
        return now - last > timedelta(seconds=self.expect_within_s)

    def holds_back(self, run: Run) -> bool:
        """Whether a run that has not begun is skipped as paused.

        One that follows another has no revision: what counts is since when it follows.
        """
        paused, due = self.paused, run.scheduled_at
        if paused.halted_at is not None or run.cause is not None:
            return self.is_paused(run.not_before)
        return (run.revision or 0) <= paused.revision and due < (paused.to or due)

    def is_paused(self, now: datetime) -> bool:
        """Whether the job is paused at a time: by what holds now, or by its discarded runs."""
        paused = self.paused
        if paused.halted_at is not None:
            return True
        return self._is_by_newest and paused.to is not None and now < paused.to

    @property
    def _is_by_newest(self) -> bool:
        """Whether the revision that came last pauses the job, or has done so."""
        return bool(self.revisions) and self.revisions[-1][0] == self.paused.revision

    def pause(self, entry: Withdrawal) -> None:
        """Take from a revision whether the job is paused, or goes on (rule 25)."""
        paused = self.paused
        if entry.paused_to is not None:
            paused = replace(
                paused,
                revision=entry.revision,
                to=entry.paused_to,
                with_retries=entry.with_retries,
            )
        else:
            paused = replace(paused, with_retries=False)
        if entry.lifts or entry.removed:
            paused = replace(paused, discards=0, halted_at=None, halted_by="")
        self.paused = paused

    def count(self, run: Run, verdict: Verdict, at: datetime) -> bool:
        """Count the discarded runs of the schedule in a row; return whether they pause the job."""
        discards = self.paused.discards
        if verdict is Verdict.SUCCEEDED and discards:
            self.paused = replace(self.paused, discards=0)
        if verdict is not Verdict.DISCARDED or run.pause_after is None:
            return False
        self.paused = replace(self.paused, discards=discards + 1)
        if discards + 1 < run.pause_after or self.paused.halted_at is not None:
            return False
        self.paused = replace(self.paused, halted_at=at, halted_by=run.id)
        return True

    def see_no_later_than(self, at: datetime) -> None:
        """Have nothing been seen after `at`: what was is as of a clock that was ahead."""
        self.watched_since = min(self.watched_since, at)
        if self.succeeded_at is not None:
            self.succeeded_at = min(self.succeeded_at, at)

    def lower_to(self, effective_from: datetime) -> None:
        """Let due times from `effective_from` on be published again, by a newer revision."""
        if effective_from > self.floor:
            self.high = min(self.high, effective_from - timedelta(microseconds=1))
        else:
            self.high = self.floor
