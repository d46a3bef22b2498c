"""The fold, observed: what each entry has changed, of which run, from what to what, and why.

History and audit, and whatever shows runs to people, read these values. So the rules are stated
once, and an entry counts for them exactly when the fold takes it.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, Final, NamedTuple

from cronstream.core.ledger.arrivals import teaches
from cronstream.core.ledger.beginning import DoubtsEnd
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.rules import Rule, fold
from cronstream.core.ledger.state import Effect, LiveRun, News, Refusal, SkipNews, State
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Heartbeat,
    Level,
    Lost,
    Owned,
    Released,
    Settled,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.runs import Run

#: Entries that name one run by its id.
OF_ONE_RUN: Final = (Claimed, Released, Started, Finished, Skipped, Cancelled, Forwarded, Settled)
#: What is most of a log, and changes no run.
_OF_NONE: Final[frozenset[type]] = frozenset((Heartbeat, Owned, Level))


# Several of these are made of each entry of a log. They are tuples, for such take a quarter of the
# time that a frozen dataclass does.


class Glance(NamedTuple):
    """A live run as it stood at one moment (`LiveRun` has the fields); the fold changes its own."""

    run: Run
    state: State
    version: int
    holder: str | None
    claim: int | None
    begun: bool
    unsure: bool
    reason: str
    next_not_before: datetime | None
    effect: Effect | None = None

    def is_held_by(self, worker: str, claim: int) -> bool:
        """Whether this claim of a worker stands."""
        is_held = self.state in (State.CLAIMED, State.RUNNING)
        return is_held and (self.holder, self.claim) == (worker, claim)


#: The fields of a `Glance`, in their order; after a decision it waits for the next attempt.
_SEEN: Final[Callable[[LiveRun], tuple[Any, ...]]] = attrgetter(
    *("not_before" if name == "next_not_before" else name for name in Glance._fields)
)
_glance: Final[Callable[[tuple[Any, ...]], Glance]] = partial(tuple.__new__, Glance)


def _glance_at(live: LiveRun | None) -> Glance | None:
    return None if live is None else _glance(_SEEN(live))


class RunChange(NamedTuple):
    """What one entry has changed about one run.

    Attributes:
        before: The run before it; None if it was not live.
        after: The run after it; None if it is no longer live, or was not known at all.
        news: What the fold says of it.
    """

    run_id: str
    entry: Entry | DoubtsEnd
    before: Glance | None
    after: Glance | None
    news: tuple[News, ...]

    @property
    def is_unknown(self) -> bool:
        """Whether the entry names a run that is not live, and brings none."""
        return self.before is None and self.after is None

    @property
    def end(self) -> News | None:
        """How the run ended: its action is a verdict, or ``withdrawn``; None if it did not."""
        for one in self.news:
            if one.is_end:
                return one
        return None

    def says(self, action: str) -> bool:
        """Whether the fold says this of the run."""
        return any(one.action == action for one in self.news)


class Observed(NamedTuple):
    """What came of one entry.

    Attributes:
        changes: Of each run that it has changed, and of the run that it names, changed or not.
        skips: Due times that were skipped by it.
        refusals: Why the run, or the span of due times, that it brings was refused; and of the
            runs that are given up where doubts end.
    """

    entry: Entry | DoubtsEnd
    changes: tuple[RunChange, ...]
    skips: tuple[SkipNews, ...]
    refusals: tuple[Refusal, ...]


_change: Final[Callable[[tuple[Any, ...]], RunChange]] = partial(tuple.__new__, RunChange)
_observed: Final[Callable[[tuple[Any, ...]], Observed]] = partial(tuple.__new__, Observed)


def observing(see: Callable[[Observed], None]) -> Rule:
    """Return a rule for `Ledger` that folds, and shows `see` what came of it."""

    def fold_and_see(book: Book, entry: Entry | DoubtsEnd) -> None:
        if type(entry) in _OF_NONE:
            fold(book, entry)
            return
        live = book.live
        if isinstance(entry, OF_ONE_RUN):
            before = {entry.run: _glance_at(live.get(entry.run))}
        else:
            before = {run_id: _glance_at(live.get(run_id)) for run_id in _touched(book, entry)}
        refused = len(book.turned_away)
        book.news.clear()
        fold(book, entry)
        only = _only_change(book, entry, before)
        changes, skips = _changes(book, entry, before) if only is None else (only, ())
        see(_observed((entry, changes, skips, tuple(book.turned_away[refused:]))))
        book.news.clear()

    return fold_and_see


def _only_change(
    book: Book, entry: Entry | DoubtsEnd, before: dict[str, Glance | None]
) -> tuple[RunChange] | None:
    """Return what has changed where that is one run, of which one thing is said: nearly always."""
    if len(before) != 1 or len(book.news) != 1:
        return None
    [(run_id, former)], [one] = before.items(), book.news
    if not isinstance(one, News) or one.run.id != run_id:
        return None
    return (_change((run_id, entry, former, _glance_at(book.live.get(run_id)), (one,))),)


def _changes(
    book: Book, entry: Entry | DoubtsEnd, before: dict[str, Glance | None]
) -> tuple[tuple[RunChange, ...], tuple[SkipNews, ...]]:
    said: dict[str, tuple[News, ...]] = {}
    skips = []
    for one in book.news:
        if isinstance(one, News):
            run_id = one.run.id
            said[run_id] = (*said[run_id], one) if run_id in said else (one,)
        else:
            skips.append(one)
    names_one, live = isinstance(entry, OF_ONE_RUN), book.live
    changes = []
    # A verdict may pause its job: then other runs of it end, too (rule 25).
    for run_id in said | before:
        former, after = before.get(run_id), _glance_at(live.get(run_id))
        news = said.get(run_id, ())
        if names_one or news or former != after:
            changes.append(RunChange(run_id, entry, former, after, news))
    return tuple(changes), tuple(skips)


def _touched(book: Book, entry: Entry | DoubtsEnd) -> list[str]:
    """Return the ids of the runs that an entry may change which names none by its id."""
    match entry:
        case Run():
            if not _may_replace_others(book, entry):
                return [entry.id]
            others = book.automatic_runs(entry.job)
            return list(dict.fromkeys((entry.id, *(live.run.id for live in others))))
        case Skip() | Withdrawal():
            return [live.run.id for live in book.automatic_runs(entry.job)]
        case Lost():
            return sorted(book.held.get(entry.worker, ()))
        case _:  # A repair, or the end of doubts.
            return list(book.live)


def _may_replace_others(book: Book, run: Run) -> bool:
    """Whether other runs of the job may have to give way to it, for it brings a newer revision.

    Seldom: and a job may have thousands of live runs, of which each that comes would look at all.
    """
    if run.cause is not None or run.revision is None:
        return False
    mark = book.marks.get(run.job)
    return mark is None or teaches(book, mark, run.revision, run.scheduled_at)
