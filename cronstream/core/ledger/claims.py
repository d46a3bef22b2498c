"""Who makes an attempt: claims, which of them stand, what is given back, what has started."""

from cronstream.core.ledger import beginning, verdicts
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.state import LiveRun, SkipNews, State, at_once, starts_after_word
from cronstream.core.wire.entries import Claimed, Finished, Released, Started
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.runs import Run


def claimed(book: Book, entry: Claimed) -> None:
    """The first claim of a version stands; rule 17: none by which too many would overlap."""
    book.hear(entry.worker, entry.number)
    live = book.live.get(entry.run)
    if live is None or live.version != entry.version or live.state is not State.QUEUED:
        book.refused["claim"] += 1
        return
    if book.is_judged(live):
        if len(book.begun_of(live.run.job)) >= at_once(live.run):
            # Refused for good: the same message, come twice, must not stand later, when its
            # sender no longer knows of it.
            live.version = book.offset
            book.stir(live.run.job)
            book.refused["overlap"] += 1
            return
        book.unindex(live)
    live.state, live.holder, live.claim = State.CLAIMED, entry.worker, entry.version
    live.begun_before, live.version = live.begun, book.offset
    book.index(live)
    book.say(live.run, "claimed", f"claimed by {entry.worker}", is_detail=True)


def run_if_claim_stands(book: Book, entry: Released | Started | Finished) -> LiveRun | None:
    """Return the run on which the claim that the entry names still stands."""
    live = book.live.get(entry.run)
    if live and live.held and (live.holder, live.claim) == (entry.worker, entry.claim):
        return live
    book.refused[type(entry).__name__.lower()] += 1
    if isinstance(entry, Released):
        beginning.was_given_back(book, entry.run)
    else:
        beginning.shows_begun(book, entry.run, entry.claim)
    return None


def released(book: Book, entry: Released) -> None:
    """The attempt was given back before it started: it waits again, or gives way."""
    live = run_if_claim_stands(book, entry)
    if live is not None:
        live.begun = live.begun_before
        reopen(book, live)


def started(book: Book, entry: Started) -> None:
    """Rule 13: what has started stands; what is not yet to start is refused, if withdrawn."""
    live = run_if_claim_stands(book, entry)
    if live is None or live.state is State.RUNNING:
        return
    if live.asked_to_give_way and starts_after_word(live.run, retry=book.retry):
        book.refused["started"] += 1
        return
    live.begun, live.state = True, State.RUNNING
    live.asked_to_give_way, live.paused, live.successor = False, False, None
    if book.lines:
        book.stir(live.run.job)
    book.say(live.run, "running", f"attempt {live.run.attempt} started")


def reopen(book: Book, live: LiveRun) -> None:
    """The attempt never started: it is queued again, or gives way if it was asked to."""
    if live.cancelled:
        verdicts.give_up(book, live)
        return
    if not live.asked_to_give_way:
        book.queue(live)
        return
    successor = None if live.paused else live.successor
    verdicts.withdraw(book, live)
    mark, due = book.mark(live.run.job), live.run.scheduled_at
    if successor is None or mark.is_gone(live.run.revision, due):
        return
    from_at = due if isinstance(successor, Run) else successor.from_at
    if not mark.in_force(successor.revision, from_at):
        return
    if isinstance(successor, Run):
        mark.raise_to(due, book.log_time)
        verdicts.enter(book, mark, successor)
    else:
        mark.settle(due, Verdict.SKIPPED)
        book.news.append(SkipNews(live.run.job, successor.reason, due, due, 1))
