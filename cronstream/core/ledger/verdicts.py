"""How a run ends: the effects that have to be published first, the verdict, and giving way."""

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.following import following
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.state import Effect, LiveRun, State
from cronstream.core.wire.enumerations import Cause, SkipReason, Verdict
from cronstream.core.wire.runs import Run


def begin_effect(book: Book, live: LiveRun, effect: Effect, reason: str = "") -> None:
    """Have the owner publish what follows from a decision; `Forwarded` ends that."""
    book.unindex(live)
    live.state, live.effect, live.reason = State.DECIDING, effect, reason
    live.holder, live.claim, live.version = None, None, book.offset
    live.asked_to_give_way, live.paused, live.successor = False, False, None
    live.decided_at = book.at
    book.index(live)


def settle(
    book: Book, live: LiveRun, verdict: Verdict, reason: str, *, is_detail: bool = False
) -> None:
    """Give a run its verdict; from then on its job's mark knows it, or `recent` does."""
    run = live.run
    book.remove(run.id)
    if run.cause is None and not book.retry:
        book.mark(run.job).settle(run.scheduled_at, verdict)
    else:
        book.recent.pop(run.id, None)
        book.recent[run.id] = (run.attempt, verdict, book.at)
        if run.previous is not None and run.previous.cluster is not None and not book.retry:
            book.handed_over[run.id] = book.at
    mark = None if book.retry else book.marks.get(run.job)
    # A due time of the past says nothing of whether the job still succeeds as often as it should.
    counts = verdict is Verdict.SUCCEEDED and run.cause is not Cause.BACKFILL
    if mark is not None and counts:
        mark.succeeded_at = book.at
    by = live.cancelled_by if verdict is Verdict.SKIPPED else None
    word = verdict.value
    text = f"{word} ({reason} by {by})" if by else f"{word} ({reason})"
    book.say(run, word, text, reason, is_detail=is_detail)
    book.forget()
    if mark is not None and run.cause is None and mark.count(run, verdict, book.at):
        hold_back_all(book, run.job)


def succeed(book: Book, live: LiveRun, reason: str) -> None:
    """Give a run on the cluster's log its success, once what follows it is published (rule 25)."""
    if following(live.run, Verdict.SUCCEEDED):
        begin_effect(book, live, Effect.SUCCEED, reason)
    else:
        settle(book, live, Verdict.SUCCEEDED, reason)


def give_up(book: Book, live: LiveRun) -> None:
    """Rule 17: what was cancelled ends as skipped, and is not made again."""
    if book.retry:
        begin_effect(book, live, Effect.SKIP, live.cancel.value)
    else:
        settle(book, live, Verdict.SKIPPED, live.cancel.value)


def enter(book: Book, mark: Mark, run: Run) -> None:
    """Take a run of the schedule in; it ends at once where its job is gone, or paused."""
    live = book.enter(run)
    if mark.is_gone(run.revision, run.scheduled_at):
        withdraw(book, live)
    elif mark.holds_back(run):
        settle(book, live, Verdict.SKIPPED, SkipReason.PAUSED.value)


def enter_with_cause(book: Book, run: Run) -> None:
    """Take a run in that no schedule asked for; what follows another ends if its job is paused."""
    live = book.enter(run)
    if run.cause is not Cause.CHAIN or run.job not in book.marks:
        return
    mark = book.mark(run.job)
    if mark.holds_back(run):
        settle(book, live, Verdict.SKIPPED, SkipReason.PAUSED.value)


def hold_back_all(book: Book, job: str) -> None:
    """Rule 25: what has not begun of a job that is paused is skipped, whenever it was due.

    Who holds a claim is asked to give it back. What has begun goes on; its later attempts do not
    where that was asked for.
    """
    mark = book.mark(job)
    for live in book.automatic_runs(job):
        if live.begun_for_good:
            if mark.paused.with_retries and mark.is_paused(book.at):
                _make_no_more(book, live)
        elif mark.holds_back(live.run):
            live.successor = None
            if live.state is State.QUEUED:
                settle(book, live, Verdict.SKIPPED, SkipReason.PAUSED.value)
            elif live.held:
                live.asked_to_give_way = live.paused = book.asks = True


def _make_no_more(book: Book, live: LiveRun) -> None:
    """Have a run make no later attempt: the retry log is to hear of it, if it has one."""
    on_its_way = live.state is State.DECIDING and live.effect is Effect.RETRY
    if live.cancelled or not (on_its_way or live.state is State.RETRYABLE):
        return
    live.cancelled, live.cancel = True, SkipReason.PAUSED
    if live.state is State.RETRYABLE:
        begin_effect(book, live, Effect.CANCEL)


def withdraw(book: Book, live: LiveRun) -> None:
    """End it; provisionally, where a run of a newer revision for that due time may enter."""
    run = live.run
    if live.paused:
        settle(book, live, Verdict.SKIPPED, SkipReason.PAUSED.value)
        return
    if book.mark(run.job).is_gone(run.revision, run.scheduled_at):
        settle(book, live, Verdict.SKIPPED, SkipReason.WITHDRAWN.value)
        return
    book.remove(run.id)
    if book.beginning is not None and live.entered is not None:
        book.beginning.withdrawn.add(run.id)
    book.say(run, "withdrawn", "withdrawn: the crontab has changed")
