"""What comes on a log from outside: runs, skips and withdrawals, and which of them count."""

from datetime import datetime
from typing import Final

from cronstream.core.ledger import verdicts
from cronstream.core.ledger.beginning import had_begun
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.state import (
    AHEAD,
    COUNTS_SINCE,
    FROM_AHEAD,
    OWN_TIME_SINCE,
    PAUSES_SINCE,
    STALE,
    TOO_MANY,
    TOO_OLD,
    LiveRun,
    Refusal,
    SkipNews,
    State,
)
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Run

#: From this level on, a revision of which the log has lost the word is learnt from its runs.
_LEARNS_SINCE: Final = 2


def run(book: Book, entry: Run) -> None:
    """Take a run in: a first attempt, or on a retry log a later one."""
    if book.retry:
        later_attempt(book, entry)
    else:
        first_attempt(book, entry)


def first_attempt(book: Book, run: Run) -> None:
    """Rules 11 to 13: a run enters once, and only under the revision that is in force."""
    if run.cause is not None:
        _with_cause(book, run)
        return
    mark = book.mark(run.job)
    _learn(book, mark, run, run.scheduled_at)
    if not mark.in_force(run.revision, run.scheduled_at):
        _refuse_revision(book, run, run.scheduled_at, run.scheduled_at)
        return
    live = book.live.get(run.id)
    if live is not None and mark.is_gone(run.revision, run.scheduled_at):
        book.refused["revision"] += 1
    elif live is not None:
        _succeed(book, live, run)
    elif mark.knows(run.scheduled_at) or had_begun(book, run):
        book.refused["duplicate"] += 1
        if book.level >= OWN_TIME_SINCE and mark.high > book.at + 2 * AHEAD:
            _turn_away(book, run, FROM_AHEAD, run.scheduled_at, run.scheduled_at)
    else:
        mark.raise_to(run.scheduled_at, book.log_time)
        mark.expect(run.revision or 0, run.expect_within_s, book.at)
        verdicts.enter(book, mark, run)


def later_attempt(book: Book, run: Run) -> None:
    """Rule 11: a later attempt enters once, by its id and number."""
    live = book.live.get(run.id)
    if live is not None:
        known = live.state is not State.DECIDING or run.attempt <= live.run.attempt
    else:
        known = had_begun(book, run) or _is_over(book, run)
    if known:
        book.refused["duplicate"] += 1
    elif _has_too_many_left(book, run, live):
        book.refused["attempts"] += 1
        _turn_away(book, run, TOO_MANY, run.scheduled_at, run.scheduled_at)
    elif _is_stale(book, run):
        book.refused["stale"] += 1
        _turn_away(book, run, TOO_OLD, run.scheduled_at, run.scheduled_at)
    else:
        following = book.enter(run)
        if live is not None and live.cancelled:
            following.cancel, following.cancelled_by = live.cancel, live.cancelled_by
            verdicts.give_up(book, following)


def skip(book: Book, skipped: Skip) -> None:
    """Rule 16: of run and skip the first stands; a span is skipped in one entry."""
    mark = book.mark(skipped.job)
    _learn(book, mark, skipped, skipped.from_at)
    if book.level >= PAUSES_SINCE and skipped.reason is SkipReason.PAUSED:
        skipped = _within(mark, skipped)
    if not mark.in_force(skipped.revision, skipped.from_at):
        _refuse_revision(book, skipped, skipped.from_at, skipped.to_at)
        return
    for live in book.scheduled_runs(skipped.job):
        if skipped.from_at <= live.run.scheduled_at <= skipped.to_at:
            _succeed(book, live, skipped)
    if mark.knows_all(skipped.from_at, skipped.to_at):
        book.refused["duplicate"] += 1
        return
    mark.skipped.append((skipped.from_at, skipped.to_at))
    mark.raise_to(skipped.to_at, book.log_time)
    span = skipped.from_at, skipped.to_at, skipped.count
    book.news.append(SkipNews(skipped.job, skipped.reason, *span))


def _within(mark: Mark, skipped: Skip) -> Skip:
    """Return an hour of a pause without what comes before its revision holds.

    Who has taken a shard over from an older cursor may begin a pause sooner than it was said.
    """
    since = dict(mark.revisions).get(skipped.revision, skipped.from_at)
    begins_sooner = skipped.from_at < since <= skipped.to_at
    return skipped.derive(from_at=since) if begins_sooner else skipped


def withdrawal(book: Book, entry: Withdrawal) -> None:
    """Rules 12 to 14: what is queued gives way; who holds a claim is asked to."""
    mark = book.mark(entry.job)
    mark.expect(entry.revision, entry.expect_within_s, book.at)
    is_known = bool(mark.revisions) and entry.revision <= mark.revisions[-1][0]
    if is_known and not mark.held_earlier(entry.revision, entry.effective_from):
        if _says_removal_now(book, mark, entry):
            mark.removed = entry.revision
            _give_way_all(book, entry)
        else:
            book.refused["duplicate"] += 1
        return
    was_paused = mark.is_paused(book.at)
    mark.hold(entry.revision, entry.effective_from)
    if entry.removed:
        mark.removed = entry.revision
    mark.pause(entry)
    if was_paused and not mark.is_paused(book.at):
        mark.watched_since = book.at
    verdicts.hold_back_all(book, entry.job)
    _give_way_all(book, entry)


def _says_removal_now(book: Book, mark: Mark, entry: Withdrawal) -> bool:
    """Whether a word that was said at level 1 is said again, with that the job was taken out."""
    is_in_force = entry.revision == mark.revisions[-1][0]
    return book.level >= PAUSES_SINCE and entry.removed and is_in_force and not mark.is_removed


def _with_cause(book: Book, run: Run) -> None:
    is_over = run.id in book.recent or run.id in book.handed_over
    if run.id in book.live or is_over or had_begun(book, run):
        book.refused["duplicate"] += 1
    elif _is_stale(book, run):
        book.refused["stale"] += 1
        _turn_away(book, run, TOO_OLD, run.scheduled_at, run.scheduled_at)
    else:
        verdicts.enter_with_cause(book, run)


def _learn(book: Book, mark: Mark, entry: Run | Skip, due: datetime) -> None:
    """Rule 12: take a revision as in force whose word was on the part of the log that is gone.

    A scheduler says it before any run of it. So a run of a revision that nothing is known of,
    where no word has said what holds, or only an older one that was late, is of one that was
    announced before the beginning; runs of what it replaces give way as they would have.
    """
    revision = entry.revision
    if revision is None or not teaches(book, mark, revision, due):
        return
    since = mark.learn(revision, due)
    mark.lower_to(since)
    _give_way_all(book, Withdrawal(job=entry.job, revision=revision, effective_from=since))


def teaches(book: Book, mark: Mark, revision: int, due: datetime) -> bool:
    """Whether a due time of a revision says of the revision that it is in force (rule 12)."""
    if not (book.learns or book.level >= _LEARNS_SINCE):
        return False
    return mark.may_learn(revision, due, beyond_late=book.level >= PAUSES_SINCE)


def _refuse_revision(book: Book, entry: Run | Skip, from_at: datetime, to_at: datetime) -> None:
    book.refused["revision"] += 1
    why = book.mark(entry.job).why_not(entry.revision, from_at)
    _turn_away(book, entry, why, from_at, to_at)


def _succeed(book: Book, live: LiveRun, newer: Run | Skip) -> None:
    """Rule 13: a newer revision's run waits for the holder that was asked to give way."""
    is_newer = (newer.revision or 0) > (live.run.revision or 0)
    if live.asked_to_give_way and not live.begun_for_good and is_newer:
        live.successor = newer
    else:
        book.refused["duplicate"] += 1


def _is_over(book: Book, run: Run) -> bool:
    """Whether a run has its verdict, as far as that is remembered: no attempt comes after it."""
    over = book.recent.get(run.id)
    return over is not None and (book.level >= COUNTS_SINCE or run.attempt <= over[0])


def _has_too_many_left(book: Book, run: Run, live: LiveRun | None) -> bool:
    """Rule 10: each failure costs one attempt; a run comes to a retry log after its first.

    No signature covers how many are left, so here is where nobody can make them more.
    """
    if book.level < COUNTS_SINCE:
        return False
    before = live.run.attempts_left if live is not None else run.max_attempts
    return run.attempts_left >= before


def _is_stale(book: Book, run: Run) -> bool:
    """Rule 11: by the same two times as its sender, who sees them in the acknowledgement."""
    return run.judged_at is not None and book.at - run.judged_at > STALE


def _turn_away(book: Book, entry: Run | Skip, why: str, from_at: datetime, to_at: datetime) -> None:
    name = entry.id if isinstance(entry, Run) else entry.job
    refusal = Refusal(entry.job, name, entry.revision, why, from_at, to_at)
    book.turned_away.append(refusal)


def _give_way_all(book: Book, entry: Withdrawal) -> None:
    for live in book.scheduled_runs(entry.job):
        _give_way(book, live, entry)


def _give_way(book: Book, live: LiveRun, entry: Withdrawal) -> None:
    run = live.run
    holds = run.scheduled_at < entry.effective_from and not entry.removed
    if holds or (run.revision or 0) >= entry.revision:
        return
    live.successor = None
    if live.begun_for_good:
        return
    if live.state is State.QUEUED:
        verdicts.withdraw(book, live)
    elif live.held:
        live.asked_to_give_way = True
