"""The projection of all ledgers, in one SQLite file: what pages ask is a query.

Rows, and how far each log was read, are written in one transaction: whatever ends the process, the
two agree. The file holds nothing that is not on Kafka, so one that is of another version is made
anew, and anybody may throw it away. What commands wrote is not in it: it is read from Kafka, by the
offset of the entry that has it.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from cronstream.console.answers import Answers, minute_of, moment_of
from cronstream.console.tables import open_file, open_shared, remove_file
from cronstream.console.writing import ABOUT_S, put, write_stories
from cronstream.errors import StoreError
from cronstream.history.story import RunStory

#: Runs that are removed at once when they are too old or too many: no page waits for longer.
_AT_ONCE: Final = 2_000
_SPOILED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a partition of a log was read.

    Attributes:
        next: The offset of the first message that is not projected.
        again: From where on it has to be read for what is live there to be known.
        at: When the last message that was projected came on it (UTC).
    """

    next: int
    again: int
    at: datetime


@dataclass(slots=True)
class Batch:
    """What one transaction writes: the newest story of each run, and how far logs were read."""

    stories: dict[str, RunStory] = field(default_factory=dict)
    places: dict[tuple[str, int], Place] = field(default_factory=dict)


class Store(Answers):
    """The file, for one who writes and any number who read.

    Args:
        path: The file; its folder is there.
        is_shared: Whether it is another process's, and only opened: never made, or made anew.

    Attributes:
        path: The same.

    Raises:
        StoreError: If the file cannot be opened or made.
    """

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        self.path = path
        with self._naming_the_file():
            # Who reads has a connection of its own: it never waits for who writes.
            self._writer, reader = open_shared(path) if is_shared else open_file(path)
        super().__init__(reader)
        #: Threads that write do so one after the other: they have one connection.
        self._writing = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._writing:
            self._db.close()
            self._writer.close()

    def places(self) -> dict[tuple[str, int], Place]:
        """Return how far each partition was read, by topic and number.

        Raises:
            StoreError: If it cannot be read.
        """
        with self._naming_the_file():
            rows = self._db.execute("SELECT topic, partition, next, again, at FROM places")
            return {(topic, n): Place(on, again, moment_of(at)) for topic, n, on, again, at in rows}

    def write(self, batch: Batch) -> None:
        """Write all of a batch, or nothing.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._transaction() as db:
            write_stories(db, list(batch.stories.values()))
            put(
                db,
                "INSERT OR REPLACE INTO places",
                [
                    (topic, partition, place.next, place.again, place.at.timestamp())
                    for (topic, partition), place in batch.places.items()
                ],
            )

    def forget(self, before: datetime, keep: int) -> int:
        """Remove runs that ended before a moment, or are more than `keep`; return how many were.

        A few at a time: it is to be asked again while it removes some.
        """
        with self._transaction() as db:
            [last] = db.execute("SELECT coalesce(max(rowid), 0) FROM runs").fetchone()
            found = db.execute(
                "DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs WHERE changed < ? "
                "AND NOT is_live ORDER BY changed LIMIT ?)",
                (before.timestamp(), _AT_ONCE),
            ).rowcount
            found += db.execute(
                "DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs WHERE rowid <= ? "
                "AND NOT is_live ORDER BY rowid LIMIT ?)",
                (last - keep, _AT_ONCE),
            ).rowcount
            db.execute("DELETE FROM minutes WHERE minute < ?", (minute_of(before),))
            _forget_commands(db)
        return int(found)

    def empty(self) -> None:
        """Make the file anew: what it shows is of a Kafka that is no more, or it is spoiled.

        Nobody may be reading.

        Raises:
            StoreError: If it cannot be made.
        """
        self.close()
        with self._writing, self._naming_the_file():
            remove_file(self.path)
            self._writer, self._db = open_file(self.path)

    def keep_audit(self, report: dict[str, Any]) -> None:
        """Keep what an audit has found, in the place of the one before it."""
        with self._transaction() as db:
            db.execute("DELETE FROM audits")
            db.execute("INSERT INTO audits VALUES (?)", (orjson.dumps(report),))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, self._naming_the_file():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # SQLite may have ended it itself.
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorcode", None)
            raise StoreError(self.path, str(error), is_spoiled=code in _SPOILED) from error


def _forget_commands(db: sqlite3.Connection) -> None:
    """Remove some commands that no run has any more: those used before all that have ended."""
    how = "SELECT changed FROM runs WHERE NOT is_live ORDER BY changed LIMIT 1"
    for (oldest,) in db.execute(how).fetchall():
        db.execute(
            "DELETE FROM commands WHERE digest IN (SELECT digest FROM commands WHERE used < ? "
            "AND digest NOT IN (SELECT digest FROM runs WHERE is_live AND digest IS NOT NULL) "
            "ORDER BY used LIMIT ?)",
            (oldest - ABOUT_S, _AT_ONCE),
        )
