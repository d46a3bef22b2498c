"""How a run ends: the effects that have to be published first, the verdict, and giving way."""

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.state import Effect, LiveRun, State
from cronstream.core.wire.enumerations import SkipReason, Verdict


def begin_effect(book: Book, live: LiveRun, effect: Effect, reason: str = "") -> None:
    """Have the owner publish what follows from a decision; `Forwarded` ends that."""
    book.unindex(live.run.id)
    live.state, live.effect, live.reason = State.DECIDING, effect, reason
    live.holder, live.claim, live.version = None, None, book.offset
    live.asked_to_give_way, live.successor = False, None
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
    by = live.cancelled_by if verdict is Verdict.SKIPPED else None
    text = f"{verdict.value} ({reason} by {by})" if by else f"{verdict.value} ({reason})"
    book.say(run, verdict.value, text, reason, is_detail=is_detail)
    book.forget()


def give_up(book: Book, live: LiveRun) -> None:
    """Rule 17: what was cancelled ends as skipped, and is not made again."""
    if book.retry:
        begin_effect(book, live, Effect.SKIP, live.cancel.value)
    else:
        settle(book, live, Verdict.SKIPPED, live.cancel.value)


def withdraw(book: Book, live: LiveRun) -> None:
    """End it; provisionally, where a run of a newer revision for that due time may enter."""
    run = live.run
    if book.mark(run.job).is_gone(run.revision, run.scheduled_at):
        settle(book, live, Verdict.SKIPPED, SkipReason.WITHDRAWN.value)
        return
    book.remove(run.id)
    if book.beginning is not None and live.entered is not None:
        book.beginning.withdrawn.add(run.id)
    book.say(run, "withdrawn", "withdrawn: the crontab has changed")
