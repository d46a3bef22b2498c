"""The projection of all ledgers, in one SQLite file: what pages ask is a query.

Rows, and how far each log was read, are written in one transaction: whatever ends the process, the
two agree. The file holds nothing that is not on Kafka, so one that is of another version is made
anew, and anybody may throw it away. What commands wrote is not in it: it is read from Kafka, by the
offset of the entry that has it.
"""

import hashlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from cronstream.console.answers import Answers, minute_of, moment_of
from cronstream.console.rows import merged, read_story, write_story
from cronstream.console.tables import open_file, remove_file
from cronstream.errors import StoreError
from cronstream.history.story import RunState, RunStory

#: Runs that are removed at once when they are too old or too many: no page waits for longer.
_AT_ONCE: Final = 2_000
#: It is written anew when a command was used only after so long: else each run would write it.
_ABOUT_S: Final = 3600
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

    Attributes:
        path: The same.

    Raises:
        StoreError: If the file cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._naming_the_file():
            # Who reads has a connection of its own: it never waits for who writes.
            self._writer, reader = open_file(path)
        super().__init__(reader)
        #: Threads that write do so one after the other: they have one connection.
        self._writing = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._writing:
            self._db.close()
            self._writer.close()

    def places(self) -> dict[tuple[str, int], Place]:
        """Return how far each partition was read, by topic and number."""
        rows = self._db.execute("SELECT topic, partition, next, again, at FROM places")
        return {(topic, n): Place(on, again, moment_of(at)) for topic, n, on, again, at in rows}

    def write(self, batch: Batch) -> None:
        """Write all of a batch, or nothing.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._transaction() as db:
            for stories in _chunks(list(batch.stories.values()), 500):
                self._write_stories(db, stories)
            db.executemany(
                "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)",
                [
                    (topic, partition, place.next, place.again, place.at.timestamp())
                    for (topic, partition), place in batch.places.items()
                ],
            )

    def _write_stories(self, db: sqlite3.Connection, stories: Sequence[RunStory]) -> None:
        known = _known(db, [story.id for story in stories])
        over = _settled(db, [run_id for run_id, is_over in known.items() if is_over])
        new = [
            merged(over[story.id], story) if story.id in over else story
            for story in stories
            # What begins before what was read again says less than what is there.
            if not (story.partial and known.get(story.id) is False)
        ]
        digests = _write_commands(db, new)
        db.executemany(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET "
            "state = excluded.state, changed = excluded.changed, is_live = excluded.is_live, "
            "seconds = excluded.seconds, reason = excluded.reason, digest = excluded.digest, "
            "story = excluded.story",
            map(_row, new, digests),
        )
        settled = [one for one in new if one.state.settled and not known.get(one.id)]
        db.executemany(
            "INSERT INTO minutes VALUES (?, ?, ?, ?) ON CONFLICT (minute, cluster, state) "
            "DO UPDATE SET count = count + excluded.count",
            [(*key, count) for key, count in Counter(map(_minute_of, settled)).items()],
        )
        db.executemany(
            "INSERT INTO successes VALUES (?, ?) ON CONFLICT (job) DO UPDATE "
            "SET at = max(at, excluded.at)",
            [
                (story.job, story.changed_at.timestamp())
                for story in new
                if story.state is RunState.SUCCEEDED
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


def _write_commands(db: sqlite3.Connection, stories: Sequence[RunStory]) -> list[bytes | None]:
    """Write the commands of runs, each once, and about when it was last used.

    Returns the digest of each run's, by which it is found.
    """
    used: dict[bytes, tuple[bytes, float]] = {}
    digests: list[bytes | None] = []
    for story in stories:
        if not story.command:
            digests.append(None)
            continue
        command, at = orjson.dumps(story.command), story.changed_at.timestamp()
        digest = hashlib.blake2b(command, digest_size=12).digest()
        digests.append(digest)
        if digest not in used or at > used[digest][1]:
            used[digest] = command, at
    db.executemany(
        "INSERT INTO commands VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE "
        "SET used = excluded.used WHERE excluded.used > used + ?",
        [(digest, *what, _ABOUT_S) for digest, what in used.items()],
    )
    return digests


def _forget_commands(db: sqlite3.Connection) -> None:
    """Remove some commands that no run has any more: those used before all that have ended."""
    how = "SELECT changed FROM runs WHERE NOT is_live ORDER BY changed LIMIT 1"
    for (oldest,) in db.execute(how).fetchall():
        db.execute(
            "DELETE FROM commands WHERE digest IN (SELECT digest FROM commands WHERE used < ? "
            "AND digest NOT IN (SELECT digest FROM runs WHERE is_live AND digest IS NOT NULL) "
            "ORDER BY used LIMIT ?)",
            (oldest - _ABOUT_S, _AT_ONCE),
        )


def _settled(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, RunStory]:
    """Return the stories of runs that have their verdicts."""
    rows = db.execute(
        "SELECT runs.id, story, command FROM json_each(?) CROSS JOIN runs ON runs.id = value "
        "LEFT JOIN commands USING (digest)",
        (orjson.dumps(ids).decode(),),
    )
    return {
        run_id: read_story(story, command and orjson.loads(command))
        for run_id, story, command in rows
    }


def _known(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, bool]:
    """Return which runs are there, each with whether it has its verdict."""
    marks = ",".join("?" * len(ids))
    asked = f"SELECT id, is_live FROM runs WHERE id IN ({marks})"  # noqa: S608 - question marks
    rows = db.execute(asked, ids)
    return {run_id: not is_live for run_id, is_live in rows}


def _row(story: RunStory, digest: bytes | None) -> tuple[Any, ...]:
    return (
        story.id,
        story.job,
        story.cluster,
        story.state.value,
        story.scheduled_at.timestamp(),
        story.changed_at.timestamp(),
        not story.state.settled,
        story.last.duration_s if story.last else None,
        story.reason,
        digest,
        write_story(story),
    )


def _minute_of(story: RunStory) -> tuple[int, str, str]:
    return minute_of(story.changed_at), story.cluster, story.state.value


def _chunks(stories: list[RunStory], size: int) -> Iterator[list[RunStory]]:
    for start in range(0, len(stories), size):
        yield stories[start : start + size]
