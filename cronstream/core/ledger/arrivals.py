"""What comes on a log from outside: runs, skips and withdrawals, and which of them count."""

from datetime import datetime
from typing import Final

from cronstream.core.ledger import verdicts
from cronstream.core.ledger.beginning import had_begun
from cronstream.core.ledger.book import Book
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
from cronstream.core.wire.entries import Skip, Withdrawal
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
    _learn(book, run, run.scheduled_at)
    mark = book.mark(run.job)
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
        book.enter(run)
        if mark.is_gone(run.revision, run.scheduled_at):
            verdicts.withdraw(book, book.live[run.id])


def _with_cause(book: Book, run: Run) -> None:
    if run.id in book.live or run.id in book.recent or had_begun(book, run):
        book.refused["duplicate"] += 1
    elif _is_stale(book, run):
        book.refused["stale"] += 1
        _turn_away(book, run, TOO_OLD, run.scheduled_at, run.scheduled_at)
    else:
        book.enter(run)


def later_attempt(book: Book, run: Run) -> None:
    """Rule 11: a later attempt enters once, by its id and number."""
    live = book.live.get(run.id)
    if live is not None:
        known = live.state is not State.DECIDING or run.attempt <= live.run.attempt
    else:
        known = had_begun(book, run) or run.attempt <= book.recent.get(run.id, (0,))[0]
    if known:
        book.refused["duplicate"] += 1
    elif _is_stale(book, run):
        book.refused["stale"] += 1
        _turn_away(book, run, TOO_OLD, run.scheduled_at, run.scheduled_at)
    else:
        book.enter(run)
        if live is not None and live.cancelled:
            following = book.live[run.id]
            following.cancel, following.cancelled_by = live.cancel, live.cancelled_by
            verdicts.give_up(book, following)


def _is_stale(book: Book, run: Run) -> bool:
    """Rule 11: by the same two times as its sender, who sees them in the acknowledgement."""
    return run.as_of is not None and book.at - run.as_of > STALE


def _learn(book: Book, entry: Run | Skip, due: datetime) -> None:
    """Rule 12: take a revision as in force whose word was on the part of the log that is gone.

    A scheduler says it before any run of it. So a run of a revision that nothing is known of,
    where no word has said what holds, or only an older one that was late, is of one that was
    announced before the beginning; runs of what it replaces give way as they would have.
    """
    mark, revision = book.mark(entry.job), entry.revision
    if revision is None or not (book.learns or book.level >= _LEARNS_SINCE):
        return
    if not mark.may_learn(revision, due):
        return
    since = mark.learn(revision, due)
    mark.lower_to(since)
    _give_way_all(book, Withdrawal(job=entry.job, revision=revision, effective_from=since))


def _refuse_revision(book: Book, entry: Run | Skip, from_at: datetime, to_at: datetime) -> None:
    book.refused["revision"] += 1
    why = book.mark(entry.job).why_not(entry.revision, from_at)
    _turn_away(book, entry, why, from_at, to_at)


def _turn_away(book: Book, entry: Run | Skip, why: str, from_at: datetime, to_at: datetime) -> None:
    name = entry.id if isinstance(entry, Run) else entry.job
    refusal = Refusal(entry.job, name, entry.revision, why, from_at, to_at)
    book.turned_away.append(refusal)


def _succeed(book: Book, live: LiveRun, newer: Run | Skip) -> None:
    """Rule 13: a newer revision's run waits for the holder that was asked to give way."""
    is_newer = (newer.revision or 0) > (live.run.revision or 0)
    if live.asked_to_give_way and not live.begun_for_good and is_newer:
        live.successor = newer
    else:
        book.refused["duplicate"] += 1


def skip(book: Book, skipped: Skip) -> None:
    """Rule 16: of run and skip the first stands; a span is skipped in one entry."""
    _learn(book, skipped, skipped.from_at)
    mark = book.mark(skipped.job)
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


def withdrawal(book: Book, entry: Withdrawal) -> None:
    """Rules 12 to 14: what is queued gives way; who holds a claim is asked to."""
    mark = book.mark(entry.job)
    is_known = bool(mark.revisions) and entry.revision <= mark.revisions[-1][0]
    if is_known and not mark.held_earlier(entry.revision, entry.effective_from):
        book.refused["duplicate"] += 1
        return
    mark.hold(entry.revision, entry.effective_from)
    if entry.removed:
        mark.removed = entry.revision
    _give_way_all(book, entry)


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
