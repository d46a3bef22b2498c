"""What if runs of a job that may not overlap did, or commands outlived a fence? Planted faults."""

from typing import Any

from cronstream.core.ledger import (
    arrivals,
    claims,
    endings,
    overlap,
    settling,
    state,
    verdicts,
)
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.overlap import may_be_cancelled
from cronstream.core.ledger.rules import RULES
from cronstream.core.ledger.state import LiveRun, State
from cronstream.core.protocol.actions import Hand
from cronstream.core.protocol.holder import Holding
from cronstream.core.protocol.member import Member
from cronstream.core.protocol.owner import Owner
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Cancelled
from cronstream.core.wire.enumerations import Outcome, Overlap
from cronstream.core.wire.runs import Attempt, Run
from tests.simulation.planting import fault


@fault("17: nothing is kept out by what has begun", Book, "begun_of")
def _nothing_begun(_book: Book, _job: str) -> list[LiveRun]:
    return []


@fault("17: between its attempts a run keeps nobody out", Book, "begun_of")
def _begun_while_held(book: Book, job: str) -> list[LiveRun]:
    return [live for live in _begun_of(book, job) if live.held]


@fault("17: the end of what was cancelled is not waited for", Book, "begun_of")
def _cancelled_is_over(book: Book, job: str) -> list[LiveRun]:
    return [live for live in _begun_of(book, job) if not live.cancelled]


_begun_of = Book.begun_of


@fault("17: one more run begins than max_running says", claims, "at_once")
@fault("17: one more run begins than max_running says", overlap, "at_once")
def _one_more(run: Run) -> int:
    return _at_once(run) + (run.max_running > 1)


_at_once = state.at_once


@fault("17: a run is started before its Started is read back", Member, "_move_on")
def _started_at_once(member: Member, partition: int, owner: Owner, *now: Any) -> None:
    before = set(member.claiming)
    _move_on(member, partition, owner, *now)
    for key in set(member.claiming) - before:
        run = owner.ledger.book.live[key.rpartition("#")[0]].run
        member.holding[key] = Holding(partition, run, go=True, told=True)
        member.actions.append(Hand(key, partition, run, go=True))


_move_on = Member._move_on


@fault("17: a queue is served from its end", Book, "line")
def _last_come_first_served(book: Book, job: str) -> list[LiveRun]:
    due = [live for live in _line(book, job) if live.run.not_before <= book.now]
    later = [live for live in _line(book, job) if live.run.not_before > book.now]
    return due[::-1] + later


_line = Book.line


@fault("17: what has begun stands in line again after a loss", Book, "is_judged")
def _judged_again(book: Book, live: LiveRun) -> bool:
    return live.run.overlap is not Overlap.ALLOW and not book.retry


@fault("17: what was cancelled is made again after its end", endings, "_make_again")
def _cancelled_and_made_again(book: Book, live: LiveRun, attempt: Attempt, **more: bool) -> None:
    if attempt.outcome in {Outcome.INTERRUPTED, Outcome.LOST}:
        live.cancelled = False
    _make_again(book, live, attempt, **more)


_make_again = endings._make_again


@fault("17: the retry log's word is not waited for", RULES, Cancelled)
def _settled_by_itself(book: Book, entry: Cancelled) -> None:
    live = book.live.get(entry.run)
    judged = live is not None and live.version == entry.version and may_be_cancelled(live)
    if live is not None and judged and live.state is State.RETRYABLE:
        verdicts.give_up(book, live)
    else:
        _cancelled(book, entry)


_cancelled = settling.cancelled


@fault("17: an attempt that follows a cancellation is made", arrivals, "later_attempt")
def _made_though_cancelled(book: Book, run: Run) -> None:
    live = book.live.get(run.id)
    if live is not None and live.state is State.DECIDING:
        live.cancelled = False
    _later_attempt(book, run)


_later_attempt = arrivals.later_attempt


@fault("8: a fence ends nothing", Timing, "fence_of")
def _no_fence(_timing: Timing, _run: Run) -> Any:
    return None
