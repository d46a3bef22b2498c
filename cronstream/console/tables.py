"""The file of the projection: its tables, and connections to it."""

import logging
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Of these tables and of what is in their rows; a file of another one is made anew.
VERSION: Final = 5
#: What most runs come to stands in indexes that lists need anyway; what is rarer has its own, for
#: it would be looked for among millions of rows.
_TABLES: Final = """
CREATE TABLE places (
    topic TEXT NOT NULL, partition INTEGER NOT NULL,
    next INTEGER NOT NULL, again INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE runs (
    id TEXT NOT NULL, job TEXT NOT NULL, cluster TEXT NOT NULL, state TEXT NOT NULL,
    due REAL NOT NULL, changed REAL NOT NULL, is_live INTEGER NOT NULL, seconds REAL,
    reason TEXT, digest BLOB, story BLOB NOT NULL
);
CREATE TABLE commands (
    digest BLOB NOT NULL PRIMARY KEY, command BLOB NOT NULL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX commands_used ON commands (used);
CREATE UNIQUE INDEX runs_id ON runs (id);
CREATE INDEX runs_of_job ON runs (job, due);
CREATE INDEX runs_of_cluster ON runs (cluster, changed);
CREATE INDEX runs_changed ON runs (changed);
CREATE INDEX runs_live ON runs (due, cluster) WHERE is_live;
CREATE INDEX others_of_job ON runs (job, state, due) WHERE state != 'succeeded';
CREATE INDEX others_of_cluster ON runs (cluster, state, changed, reason)
    WHERE state != 'succeeded';
CREATE INDEX others ON runs (state, changed, reason) WHERE state != 'succeeded';
CREATE INDEX others_of_reason ON runs (reason, state, changed)
    WHERE state != 'succeeded' AND reason IS NOT NULL;
CREATE INDEX runs_discarded ON runs (changed, cluster, reason, job)
    WHERE state = 'discarded';
CREATE TABLE minutes (
    minute INTEGER NOT NULL, cluster TEXT NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (minute, cluster, state)
) WITHOUT ROWID;
CREATE TABLE successes (job TEXT NOT NULL PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE audits (report BLOB NOT NULL);
"""
#: Of who writes. Rows come by time, and stand in indexes by job: so a page of an index is changed
#: several times before it is out of the cache, and before it is put where it belongs.
_OF_WRITER: Final = (
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "temp_store = MEMORY",
    "cache_size = -32000",
    "wal_autocheckpoint = 8000",
)
_OF_READER: Final = ("query_only = ON", "temp_store = MEMORY", "cache_size = -16000")


_PRIVATE: Final = 0o600
#: For so long one who writes waits for others who do: `cronstream.console.catching_up`.
_WAITS_S: Final = 60.0
#: Who reads waits for nobody but in rare moments, and pages with him.
_PAGES_WAIT_S: Final = 5.0


def open_shared(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Return a connection that writes and one that reads to a file that others have open, too.

    Raises:
        sqlite3.Error: If it is not there, or of another version: it is for others to make.
    """
    if _version(path) != VERSION:
        raise sqlite3.OperationalError(f"it is not there any more, or not of version {VERSION}")
    return _connect(path, _OF_WRITER, _WAITS_S), _connect(path, _OF_READER)


def open_file(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Return a connection that writes and one that reads; the file is made, or made anew.

    Nobody else may read it, for it has the commands of all jobs: what SQLite keeps beside it is
    for whom the file is for.

    Raises:
        sqlite3.Error: If it cannot be.
        OSError: Likewise.
    """
    version = _version(path)
    if version not in (None, VERSION):
        what = f"of version {version}, and not of {VERSION}" if version else "no file of a console"
        about = fields("console-anew", reason=f"it is {what}")
        logger.warning("%s is %s: it is made anew", path, what, extra=about)
        remove_file(path)
    path.touch(mode=_PRIVATE)
    with suppress(PermissionError):  # Not every file system knows such rights.
        path.chmod(_PRIVATE)
    writer = _connect(path, _OF_WRITER, _WAITS_S)
    try:
        if _is_empty(writer):
            writer.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        return writer, _connect(path, _OF_READER)
    except sqlite3.Error:
        writer.close()
        raise


def _connect(
    path: Path, settings: tuple[str, ...], waits_s: float = _PAGES_WAIT_S
) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=waits_s)
    for setting in settings:
        db.execute(f"PRAGMA {setting}")
    return db


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def _version(path: Path) -> int | None:
    """Return of which version a file is; None if there is none, 0 if it is no such file."""
    if not path.exists() or not path.stat().st_size:
        return None
    try:
        with closing(sqlite3.connect(path)) as db:
            [version] = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        return 0
    return int(version)


def remove_file(path: Path) -> None:
    """Remove a file, and what SQLite keeps beside it."""
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
