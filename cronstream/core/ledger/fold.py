"""The fold of one partition of a log: a pure function of its messages, in their order.

Every reader that folds the same messages has the same state (rule 1): time is the log's, and
what an entry says about a run counts only if the run still is what the entry judged. So an entry
that is read twice, comes late, or was sent by somebody who did not know better changes nothing.
"""

from collections.abc import Callable
from datetime import datetime

from cronstream.core.ledger import beginning
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.bounds import beyond
from cronstream.core.ledger.rules import fold
from cronstream.core.ledger.state import OWN_TIME_SINCE
from cronstream.core.wire.entries import Entry
from cronstream.core.wire.levels import LEVEL, needed_level
from cronstream.core.wire.runs import Run


class Ledger:
    """One partition of a cluster's log, or of its retry log, folded as far as it was read.

    Attributes:
        book: What was written down of it.

    Args:
        retry: Whether it is of a retry log.
        known: The highest level that this process knows.
        by: Folds one entry into the book; `cronstream.core.ledger.observed` sees what it changes.
    """

    __slots__ = ("_fold", "book")

    def __init__(
        self,
        *,
        retry: bool,
        known: int = LEVEL,
        by: Callable[[Book, Entry | beginning.DoubtsEnd], None] = fold,
    ) -> None:
        self.book = Book(retry=retry, known=known)
        self._fold = by

    def fold(self, offset: int, at: datetime, entries: list[Entry]) -> bool:
        """Fold one message; return whether it was new to this ledger.

        Args:
            offset: Its offset; messages are taken in order, and each counts once.
            at: When the broker appended it (UTC).
            entries: What is in it; may be none, for a message that was refused.

        Raises:
            LevelError: If the log is raised to a level that is not known here. Nothing of the
                message has been folded, and nothing behind it can be.
        """
        book = self.book
        if offset < book.next_offset:
            return False
        book.heed_levels(entries)
        if offset and not book.next_offset:
            beginning.begin_at(book, offset, at)
        book.now = max(book.now, at)
        book.at = at if book.level >= OWN_TIME_SINCE else book.now
        book.offset, book.next_offset = offset, offset + 1
        book.aside.clear()
        book.turned_away.clear()
        book.ended.clear()
        if book.level >= OWN_TIME_SINCE:
            book.begin_day()
            if beginning.is_long_ago(book):
                self._fold(book, beginning.DoubtsEnd())
        for entry in entries:
            if book.level < LEVEL and needed_level(entry) > book.level:
                book.put_aside(entry)
            elif isinstance(entry, Run) and (problem := beyond(book, entry)):
                book.refuse(problem)
            else:
                self._fold(book, entry)
        return True
