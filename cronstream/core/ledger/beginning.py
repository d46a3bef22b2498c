"""What a fold makes of runs that may have begun before the log's beginning, which is gone.

The beginning of a log goes by retention, or a person deletes it; where its snapshots are lost too,
a fold begins with what is left. A message may have come twice, and the first be gone: then the
second looks like the first. But what is on the log about such a run names offsets that were before
the beginning, and shows that it had begun, or was over. It is not made again; nor is one of which
nobody has said a word for a week, which must have been over by then.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cronstream.core.ledger import verdicts
from cronstream.core.ledger.book import DAY, Book
from cronstream.core.ledger.state import FORGOTTEN, Beginning, Refusal, State
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Run

#: From this level on, a fold knows where it has begun.
_SINCE: Final = 2
#: So many of the log's days what may have come before the beginning waits for somebody to take it
#: up. No retention is shorter, and no outage of all workers should be as long.
DOUBT_DAYS: Final = 7
#: What follows from what was before the beginning names it, or an offset within this.
_FOLLOWS: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DoubtsEnd:
    """No message says it: a week of the log's has passed since the beginning."""


def begin_at(book: Book, offset: int, at: datetime) -> None:
    """Begin with a message before which all is gone."""
    book.raise_level(book.assumed)
    if book.level >= _SINCE:
        book.beginning = Beginning(offset, at)


def had_begun(book: Book, run: Run) -> bool:
    """Whether a run that comes is the double of one that had begun before the beginning."""
    beginning = book.beginning
    return beginning is not None and run.id in beginning.begun and beginning.may_follow(run)


def shows_begun(book: Book, run_id: str, version: int) -> None:
    """An entry that was refused shows a run to have begun, at a version that is not known.

    That was before the beginning, or follows from what was; so the run is left to those who knew
    it, and to the verdict that they gave it. What has given way to an edit had not begun.
    """
    beginning, live = book.beginning, book.live.get(run_id)
    if beginning is None or run_id in beginning.withdrawn:
        return
    if live is None:
        if version < beginning.offset or book.at < beginning.at + _FOLLOWS:
            beginning.begun.add(run_id)
    elif live.entered is not None and not live.entered <= version <= live.version:
        beginning.begun.add(run_id)
        book.remove(run_id)
        book.say(live.run, "unknown", "had begun before the log's beginning", is_detail=True)


def was_given_back(book: Book, run_id: str) -> None:
    """A claim was released of a run that is not known: so it had not begun after all."""
    if book.beginning is not None:
        book.beginning.begun.discard(run_id)


def is_long_ago(book: Book) -> bool:
    """Whether the beginning is a week ago, so that all doubts are to end."""
    return book.beginning is not None and book.day > DOUBT_DAYS


def end_doubts(book: Book, _: DoubtsEnd) -> None:
    """Give up what nobody has taken up since the beginning."""
    forgotten = [
        live
        for live in book.live.values()
        if live.state is State.QUEUED
        and not live.begun
        and live.entered is not None
        and live.run.not_before + DAY < book.at
    ]
    book.beginning = None
    for live in forgotten:
        run, due = live.run, live.run.scheduled_at
        refusal = Refusal(run.job, run.id, run.revision, FORGOTTEN, due, due)
        book.turned_away.append(refusal)
        live.cancel = SkipReason.MISSED
        verdicts.give_up(book, live)
