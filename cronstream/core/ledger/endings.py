"""What becomes of a run when an attempt has ended, or its worker is lost: again, or not."""

from datetime import datetime, timedelta
from typing import Final, assert_never

from cronstream.core.ledger import claims, verdicts
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.retry import (
    Complete,
    Discard,
    Retry,
    decide,
    describe,
    failures,
    with_attempt,
)
from cronstream.core.ledger.state import (
    MAX_DEATHS,
    MAX_LOSSES,
    OWN_TIME_SINCE,
    PAUSES_SINCE,
    STALE,
    Effect,
    Ended,
    LiveRun,
    State,
    starts_after_word,
)
from cronstream.core.wire.entries import Finished, Lost, Skip
from cronstream.core.wire.enumerations import AUTOMATIC, Delivery, Outcome, SkipReason, Verdict
from cronstream.core.wire.runs import Attempt, Run
from cronstream.core.wire.times import format_clock

#: From this level on, a loss of what may have started makes the next start wait for its word.
_SURE_SINCE: Final = 2
#: How an attempt ends that costs none of those left.
_MADE_AGAIN: Final = frozenset((Outcome.INTERRUPTED, Outcome.LOST))
#: By so much a worker's clock may be ahead of the log's, at most, where nothing starts early.
_CLOCKS_DIFFER: Final = timedelta(seconds=2)


def finished(book: Book, entry: Finished) -> None:
    """An attempt has ended: what follows is decided, or it is made again (rule 9)."""
    live = claims.run_if_claim_stands(book, entry)
    if live is None:
        return
    live.begun = live.begun_before = True
    live.asked_to_give_way, live.paused, live.successor = False, False, None
    outcome = entry.outcome
    attempt = Attempt(
        attempt=live.run.attempt,
        outcome=outcome,
        ended_at=_ended_at(book, entry),
        worker=entry.worker,
        exit_status=entry.exit_status,
        signal=entry.signal,
        note=entry.note,
    )
    cancelled = live.cancelled and outcome is not Outcome.SUCCEEDED
    if cancelled or outcome in _MADE_AGAIN:
        _make_again(book, live, attempt, with_executor=entry.executor_died)
    else:
        _decide(book, live, attempt)


def lost(book: Book, entry: Lost) -> None:
    """Rule 7: it names the heartbeat that was judged, and a newer one makes it void."""
    beat = book.beats.get(entry.worker)
    if beat is None or beat.number != entry.number:
        book.refused["lost"] += 1
        return
    for run_id in sorted(book.held.get(entry.worker, ())):
        live = book.live[run_id]
        attempt = Attempt(
            attempt=live.run.attempt,
            outcome=Outcome.LOST,
            ended_at=book.at,
            worker=entry.worker,
        )
        _make_again(book, live, attempt)


def _ended_at(book: Book, entry: Finished) -> datetime:
    """Return when an attempt has ended, by the log; a clock far ahead puts off no retry."""
    if book.level < OWN_TIME_SINCE:
        return book.at
    return min(book.at, entry.ended_at + STALE)


def _decide(book: Book, live: LiveRun, attempt: Attempt) -> None:
    decision = decide(live.run, attempt)
    _note(book, live, attempt, is_retried=isinstance(decision, Retry))
    match decision:
        case Complete():
            if book.retry:
                text = f"attempt {attempt.attempt} succeeded"
                book.say(live.run, "finished", text, is_detail=True)
                verdicts.begin_effect(book, live, Effect.SETTLE)
            else:
                note = f"; {attempt.note}" if attempt.note else ""
                verdicts.succeed(book, live, f"attempt {attempt.attempt}{note}")
        case Retry() if _is_made_no_more(book, live):
            book.say(live.run, "finished", describe(attempt), is_detail=True)
            verdicts.settle(book, live, Verdict.SKIPPED, SkipReason.PAUSED.value)
        case Retry(not_before=not_before):
            live.not_before = not_before
            count = f"{failures(live.run)} of {live.run.max_attempts} failures"
            text = f"{describe(attempt)}, {count}; next attempt not before"
            book.say(live.run, "finished", f"{text} {format_clock(not_before)}")
            verdicts.begin_effect(book, live, Effect.RETRY)
        case Discard(reason=reason):
            book.say(live.run, "finished", describe(attempt), is_detail=True)
            verdicts.begin_effect(book, live, Effect.DISCARD, reason)
        case _ as never:
            assert_never(never)


def _is_made_no_more(book: Book, live: LiveRun) -> bool:
    """Rule 25: whether the job is paused with its later attempts."""
    if book.retry or live.run.cause not in AUTOMATIC:
        return False
    mark = book.marks.get(live.run.job)
    return mark is not None and mark.paused.with_retries and mark.is_paused(book.at)


def _note(book: Book, live: LiveRun, attempt: Attempt, *, is_retried: bool = False) -> None:
    live.run = with_attempt(live.run, attempt)
    book.ended.append(Ended(live.run, attempt.outcome, is_retried))


def _make_again(
    book: Book, live: LiveRun, attempt: Attempt, *, with_executor: bool = False
) -> None:
    """Rule 9: an attempt that was lost or interrupted costs none of the attempts left.

    Rule 17: what was cancelled is not made again, however its attempt has ended.
    """
    run = live.run
    if live.cancelled:
        _note(book, live, attempt)
        verdicts.give_up(book, live)
        return
    if not live.begun and starts_after_word(run, retry=book.retry):
        claims.reopen(book, live)
        return
    is_lost = attempt.outcome is Outcome.LOST
    if is_lost and (_gives_way_unstarted(book, live) or _was_before_its_time(book, live)):
        claims.reopen(book, live)
        return
    if run.delivery is Delivery.AT_MOST_ONCE:
        _note(book, live, attempt)
        why = f"{describe(attempt)}, and it is at_most_once"
        verdicts.begin_effect(book, live, Effect.DISCARD, why)
        return
    too_often = _count_loss(book, live, with_executor) if is_lost else ""
    following = _following(book, live)
    _note(book, live, attempt)
    if too_often or not isinstance(following, Run):
        why = too_often or "while its job was changed"
        verdicts.begin_effect(book, live, Effect.DISCARD, f"{describe(attempt)} {why}")
        return
    book.say(live.run, attempt.outcome.value, f"{describe(attempt)}; it is made again")
    live.run = following.derive(attempt=run.attempt + 1, attempts=live.run.attempts)
    # Its command may have run, so no later word can take that back: `Started` may come first.
    live.begun = live.begun_before = True
    live.asked_to_give_way, live.paused, live.successor = False, False, None
    book.queue(live)


def _following(book: Book, live: LiveRun) -> Run | Skip | None:
    """Return what is made in the place of an attempt that may have started; None if nothing is.

    A pause asks for what has not begun only.
    """
    if live.asked_to_give_way and not (live.paused and book.level >= PAUSES_SINCE):
        return live.successor
    return live.run


def _was_before_its_time(book: Book, live: LiveRun) -> bool:
    """Whether a claim was lost before its attempt could start: it is as if it had been released.

    So all that is asked of its job until then is about it, too. Its holder was heard within seconds
    of whatever it started, so a log's clock that has stepped back since deceives nobody.
    """
    beat = book.beats.get(live.holder or "")
    heard_at = book.at if beat is None else max(book.at, beat.at)
    is_early = live.run.not_before > heard_at + _CLOCKS_DIFFER
    return is_early and not live.begun and book.level >= PAUSES_SINCE


def _gives_way_unstarted(book: Book, live: LiveRun) -> bool:
    """Whether what was asked to give way was lost before its time, or its job is gone.

    It has not started, or the log has no word of it: it gives way as if it had been released.
    """
    if not live.asked_to_give_way or live.begun or book.level < _SURE_SINCE:
        return False
    run = live.run
    is_gone = live.paused or book.mark(run.job).is_gone(run.revision, run.scheduled_at)
    return is_gone or run.not_before > book.at + _CLOCKS_DIFFER


def _count_loss(book: Book, live: LiveRun, with_executor: bool) -> str:
    """Rule 9: count a loss against a run; return why it is not made again, if it is not.

    A command may be what ends its executor, or its worker. A neighbour is not to pay for it:
    what an executor's death takes along is made again alone, and only deaths alone count. Of
    what died with its worker without a `Started` nobody can know, so the next start waits for
    its own: the loss after that counts, whatever the fault keeps from being reported.
    """
    if with_executor:
        live.deaths += live.alone
        live.alone = True
        return f"with executor {live.deaths} of its own" if live.deaths >= MAX_DEATHS else ""
    if live.state is State.RUNNING:
        live.losses += 1
    elif book.level >= _SURE_SINCE and live.run.not_before <= book.at:
        live.unsure = True
    return f"({live.losses} losses in all)" if live.losses > MAX_LOSSES else ""
