"""What if the fold broke a rule? Planted faults."""

from typing import Any

from cronstream.core.ledger import arrivals, beginning, claims, endings, verdicts
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.rules import RULES
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Lost,
    Released,
    Skip,
    Started,
    Withdrawal,
)
from cronstream.core.wire.runs import Run
from tests.simulation.planting import fault
from tests.simulation.scale import STALE


@fault("11: scheduled runs are not deduplicated", Mark, "knows")
def _knows_nothing(_mark: Mark, _due: Any) -> bool:
    return False


@fault("11: later attempts are not deduplicated", arrivals, "later_attempt")
def _takes_every_later_attempt(book: Book, run: Run) -> None:
    live = book.live.get(run.id)
    if live is None or live.state is State.DECIDING:
        book.enter(run)


@fault("9: what was lost before its time counts as begun", endings, "_was_before_its_time")
def _never_early(_book: Book, _live: LiveRun) -> bool:
    return False


@fault("9: what may have started is lost as if it had not", endings, "_was_before_its_time")
def _always_early(_book: Book, live: LiveRun) -> bool:
    return not live.begun


@fault("1: a claim is not compared with the version", RULES, Claimed)
def _last_claim_wins(book: Book, entry: Claimed) -> None:
    book.hear(entry.worker, entry.number)
    live = book.live.get(entry.run)
    if live is None or live.state not in {State.QUEUED, State.CLAIMED}:
        return
    book.unindex(live)
    live.state, live.holder, live.claim = State.CLAIMED, entry.worker, entry.version
    live.version = book.offset
    book.index(live)


@fault("1: a holder's entry is not compared with the claim", claims, "run_if_claim_stands")
def _any_claim_stands(book: Book, entry: Released | Started | Finished) -> LiveRun | None:
    live = book.live.get(entry.run)
    return live if live and live.held else None


@fault("7: Lost is taken although a newer heartbeat came", RULES, Lost)
def _lost_whatever_was_heard(book: Book, entry: Lost) -> None:
    beat = book.beats.get(entry.worker)
    _lost(book, Lost(worker=entry.worker, number=beat.number if beat else entry.number))


_lost = endings.lost


@fault("12: runs of any revision enter", Mark, "in_force")
def _any_revision_holds(_mark: Mark, _revision: int | None, _due: Any) -> bool:
    return True


@fault("12: an edit does not lower the mark", Mark, "lower_to")
def _mark_stays(_mark: Mark, _effective_from: Any) -> None:
    return None


@fault("13: a claimed run is withdrawn without its holder", arrivals, "_give_way")
def _withdrawn_from_under_its_holder(book: Book, live: LiveRun, entry: Withdrawal) -> None:
    run = live.run
    if run.scheduled_at < entry.effective_from or (run.revision or 0) >= entry.revision:
        return
    if not live.begun and live.state in {State.QUEUED, State.CLAIMED}:
        verdicts.withdraw(book, live)


@fault("13: a successor is not cleared by a later edit", arrivals, "_give_way")
def _successor_stays(book: Book, live: LiveRun, entry: Withdrawal) -> None:
    successor = live.successor
    _give_way(book, live, entry)
    live.successor = successor


@fault("13: a successor is not cleared by a later edit", claims, "reopen")
def _successor_enters_unchecked(book: Book, live: LiveRun) -> None:
    if not live.asked_to_give_way or not isinstance(live.successor, Run):
        _reopen(book, live)
        return
    book.mark(live.run.job).raise_to(live.run.scheduled_at)
    verdicts.withdraw(book, live)
    book.enter(live.successor)


_give_way, _reopen = arrivals._give_way, claims.reopen


@fault("13: a run that gave way has no successor", arrivals, "_succeed")
def _no_successor(book: Book, _live: LiveRun, _newer: Run | Skip) -> None:
    book.refused["duplicate"] += 1


@fault("13: at_most_once: Started after a withdrawal is taken", RULES, Started)
def _started_after_withdrawal(book: Book, entry: Started) -> None:
    live = claims.run_if_claim_stands(book, entry)
    if live is not None and live.state is State.CLAIMED:
        live.begun, live.state = True, State.RUNNING


@fault("9: at_most_once is made again after a loss", endings, "_make_again")
def _made_again(book: Book, live: LiveRun, _attempt: Any, **_: bool) -> None:
    live.run = live.run.derive(attempt=live.run.attempt + 1)
    book.queue(live)


@fault("12: a revision is not learnt where its word was deleted", Mark, "may_learn")
def _nothing_is_learnt(_mark: Mark, _revision: int, _due: Any, **_: bool) -> bool:
    return False


@fault("12: a revision is not learnt where an older word came late", Mark, "may_learn")
def _late_words_count(mark: Mark, revision: int, due: Any, **given: bool) -> bool:
    if any(since <= due and known > mark.learnt for known, since in mark.revisions):
        return False
    return _may_learn(mark, revision, due, **given)


_may_learn = Mark.may_learn


@fault("11: what had begun before the beginning is made again", beginning, "shows_begun")
def _the_double_counts(_book: Book, _run: str, _version: int) -> None:
    return None


@fault("18: a clock that was ahead makes what comes later stale", arrivals, "_is_stale")
def _stale_by_the_latest(book: Book, run: Run) -> bool:
    return run.as_of is not None and book.now - run.as_of > STALE


@fault("18: a clock that was ahead puts off retries", endings, "_ended_at")
def _ended_at_the_latest(book: Book, _entry: Finished) -> Any:
    return book.now


@fault("11: what is kept of a job is never forgotten", Mark, "is_over")
def _never_over(_mark: Mark, _day: int) -> bool:
    return False


@fault("11: what is kept of a job is forgotten each day", Mark, "is_over")
def _over_each_day(_mark: Mark, _day: int) -> bool:
    return True


@fault("11: a day is forgotten in snapshots", Book, "begin_day")
def _days_of_its_own(book: Book) -> None:
    if not hasattr(book, "_own"):
        vars(book)["_own"], book.day, book.today = True, 0, 0
    _begin_day(book)


_begin_day = Book.begin_day


@fault("18: a repair forgets what is known though no clock was ahead", Mark, "set_back")
def _knows_nothing_any_more(mark: Mark, _to: Any) -> None:
    mark.high, mark.settled = mark.floor, {}
