"""A log that is read from its middle: what was announced before has to be assumed."""

from cronstream.core.ledger.book import Book
from cronstream.core.ledger.state import LONG_AGO
from cronstream.core.records import Entry, Run, Skip


def assume_revision(book: Book, entry: Entry) -> None:
    """Take a revision as in force that must have been announced before the first message read."""
    match entry:
        case Run(cause=None, scheduled_at=due) if not book.retry:
            pass
        case Skip(from_at=due):
            pass
        case _:
            return
    revisions = book.mark(entry.job).revisions
    if entry.revision is None or any(effective <= due for _, effective in revisions):
        return
    if not revisions or entry.revision < revisions[0][0]:
        revisions.insert(0, (entry.revision, LONG_AGO))
