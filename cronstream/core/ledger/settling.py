"""What brings a decision to its end, and what people and schedulers say of runs that are live."""

from datetime import datetime, timedelta

from cronstream.core.ledger import beginning, verdicts
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.following import AFTER_RETRIES, following
from cronstream.core.ledger.overlap import may_be_cancelled
from cronstream.core.ledger.state import AHEAD, Effect, LiveRun, State
from cronstream.core.wire.entries import Cancelled, Forwarded, Repair, Settled, Skipped
from cronstream.core.wire.enumerations import SkipReason, Verdict

#: What a cluster's log decides about a run whose later attempts are on the retry log.
_ABOUT_RETRIES = (Effect.RETRY, Effect.CANCEL)


def forwarded(book: Book, entry: Forwarded) -> None:
    """Rule 2: what followed from a decision has been published, so that is done."""
    live = book.live.get(entry.run)
    if live is None or live.version != entry.version or live.state is not State.DECIDING:
        book.refused["forwarded"] += 1
        beginning.shows_begun(book, entry.run, entry.version)
        return
    verdict = live.effect.verdict if live.effect else None
    if verdict is not None:
        reason = live.reason or f"attempt {live.run.attempt}"
        is_detail = live.effect in AFTER_RETRIES.values()
        verdicts.settle(book, live, verdict, reason, is_detail=is_detail)
    elif not book.retry and live.cancelled and live.effect is Effect.RETRY:
        # By a person, while its retry was on its way.
        verdicts.begin_effect(book, live, Effect.CANCEL)
    elif not book.retry:
        book.unindex(live)
        live.state, live.version = State.RETRYABLE, book.offset
        book.index(live)
        text = "next attempt is on the retry topic"
        book.say(live.run, "retryable", text, is_detail=True)


def settled(book: Book, entry: Settled) -> None:
    """The verdict of the retry log is the run's; that log reports it with its reason."""
    live = book.live.get(entry.run)
    if live is not None and (
        live.state is State.RETRYABLE
        or (live.state is State.DECIDING and live.effect in _ABOUT_RETRIES)
    ):
        is_skipped = entry.verdict is Verdict.SKIPPED
        skipped = (entry.reason or SkipReason.OVERLAP).value
        reason = skipped if is_skipped else entry.why or live.reason or "after retries"
        if following(live.run, entry.verdict):
            live.settled_attempt = entry.attempt
            verdicts.begin_effect(book, live, AFTER_RETRIES[entry.verdict], reason)
            return
        # The retry log's worker reports it with its reason.
        verdicts.settle(book, live, entry.verdict, reason, is_detail=True)
    else:
        book.refused["settled"] += 1
        if live is None or live.effect not in AFTER_RETRIES.values():
            beginning.shows_begun(book, entry.run, book.offset)


def skipped(book: Book, entry: Skipped) -> None:
    """Rule 17: what has begun is never skipped, but for what was cancelled."""
    live = book.live.get(entry.run)
    queued = live is not None and live.version == entry.version and live.state is State.QUEUED
    if live is None or not queued or live.begun:
        book.refused["skipped"] += 1
        beginning.shows_begun(book, entry.run, entry.version)
    else:
        verdicts.settle(book, live, Verdict.SKIPPED, entry.reason.value)


def cancelled(book: Book, entry: Cancelled) -> None:
    """Rule 17: a run gives way to a later one, or to a person's word.

    What is queued does so at once, what is held when its holder has ended it, and what is on
    the retry log when that log, which has to hear of it, has settled it.
    """
    live = book.live.get(entry.run)
    if live is None or not _heeds(book, live, entry):
        book.refused["cancelled"] += 1
        if entry.version is not None:
            beginning.shows_begun(book, entry.run, entry.version)
        return
    live.cancelled, live.cancel, live.cancelled_by = True, entry.reason, entry.by
    if live.state is State.QUEUED:
        verdicts.give_up(book, live)
    elif live.state is State.RETRYABLE:
        verdicts.begin_effect(book, live, Effect.CANCEL)


def _heeds(book: Book, live: LiveRun, entry: Cancelled) -> bool:
    """Whether a run is to end; a retry log does as the cluster's log has judged.

    A decision to try again stands, and the attempt that follows is skipped as it enters; any
    other that is under way ends the run by itself.
    """
    if book.retry or entry.reason is SkipReason.CANCELLED:
        is_over = live.state is State.DECIDING and live.effect is not Effect.RETRY
        return not (is_over or live.cancelled)
    return entry.version == live.version and may_be_cancelled(live)


def repair(book: Book, _: Repair) -> None:
    """Rule 18: what is beyond the log's time is so by a clock that was ahead, and is no more.

    Where the clock was right all the time, nothing is: a scheduler publishes less far ahead.
    """
    for mark in book.marks.values():
        mark.set_back(book.at + AHEAD)
        mark.see_no_later_than(book.at)
    book.recent = {i: (n, v, min(at, book.at)) for i, (n, v, at) in book.recent.items()}
    book.handed_over = {i: min(at, book.at) for i, at in book.handed_over.items()}
    for beat in book.beats.values():
        beat.at = min(beat.at, book.at)
    for live in [live for live in book.live.values() if waits_too_long(book, live, book.at)]:
        live.run = live.run.derive(not_before=book.at)
        book.queue(live)


def waits_too_long(book: Book, live: LiveRun, now: datetime) -> bool:
    """Whether it is a retry that waits for longer than any backoff lasts."""
    backoff = live.run.backoff
    longest = timedelta(seconds=backoff.ceiling_s * (1 + backoff.jitter))
    is_later = book.retry and live.state is State.QUEUED
    return is_later and live.run.not_before > now + longest + AHEAD
