"""The rules of the fold, one for each kind of entry: what it changes in the book.

The numbers in their docstrings are those of docs/design/rules.md. What an entry says of a run
counts only if the run still is what the entry judged: else a rule changes nothing, and counts it
in `Book.refused`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from cronstream.core.ledger import arrivals, beginning, claims, endings, settling
from cronstream.core.ledger.book import Book
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
    Repair,
    Settled,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.runs import Run

#: Folds one entry of its kind into a book.
Rule: TypeAlias = Callable[[Book, Any], None]


def _heartbeat(book: Book, entry: Heartbeat) -> None:
    book.hear(entry.worker, entry.number)


def _level(book: Book, entry: Level) -> None:
    book.raise_level(entry.level)


def _owned(_book: Book, _entry: Owned) -> None:
    """Only the worker that appended it waits for it: it is its barrier (rule 3)."""


RULES: Final[Mapping[type[Entry | beginning.DoubtsEnd], Rule]] = {
    Run: arrivals.run,
    Skip: arrivals.skip,
    Withdrawal: arrivals.withdrawal,
    Claimed: claims.claimed,
    Released: claims.released,
    Started: claims.started,
    Finished: endings.finished,
    Lost: endings.lost,
    Forwarded: settling.forwarded,
    Settled: settling.settled,
    Skipped: settling.skipped,
    Cancelled: settling.cancelled,
    Repair: settling.repair,
    Heartbeat: _heartbeat,
    Level: _level,
    Owned: _owned,
    beginning.DoubtsEnd: beginning.end_doubts,
}


def fold(book: Book, entry: Entry | beginning.DoubtsEnd) -> None:
    """Fold one entry into a book, by the rule of its kind."""
    RULES[type(entry)](book, entry)
