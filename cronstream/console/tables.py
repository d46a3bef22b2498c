"""The file of the projection: its tables, and a connection to it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

#: Of these tables and of what is in their rows; a file of another one is made anew.
VERSION: Final = 2
_TABLES: Final = """
CREATE TABLE places (
    topic TEXT NOT NULL, partition INTEGER NOT NULL,
    next INTEGER NOT NULL, again INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE runs (
    id TEXT NOT NULL UNIQUE, job TEXT NOT NULL, cluster TEXT NOT NULL, state TEXT NOT NULL,
    due REAL NOT NULL, changed REAL NOT NULL, is_live INTEGER NOT NULL, seconds REAL,
    reason TEXT, digest BLOB, story BLOB NOT NULL
);
CREATE TABLE commands (digest BLOB NOT NULL PRIMARY KEY, command BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX runs_of_job ON runs (job, due);
CREATE INDEX runs_of_cluster ON runs (cluster, changed);
CREATE INDEX runs_changed ON runs (changed);
CREATE INDEX runs_live ON runs (cluster, due) WHERE is_live;
CREATE INDEX runs_discarded ON runs (changed, cluster, reason, job)
    WHERE state = 'discarded';
CREATE INDEX runs_missed ON runs (changed) WHERE state = 'skipped' AND reason = 'missed';
CREATE TABLE minutes (
    minute INTEGER NOT NULL, cluster TEXT NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (minute, cluster, state)
) WITHOUT ROWID;
CREATE TABLE successes (job TEXT NOT NULL PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE audits (report BLOB NOT NULL);
"""


def open_file(path: Path) -> sqlite3.Connection:
    """Return a connection to a file, which is made, or made anew, if need be.

    Raises:
        OSError: If it cannot be made.
    """
    if _version(path) not in (None, VERSION):
        _remove(path)
    db = _connect(path)
    if _is_empty(db):
        db.executescript(f"{_TABLES} PRAGMA user_version = {VERSION};")
    return db


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    for setting in ("journal_mode = WAL", "synchronous = NORMAL", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {setting}")
    return db


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def _version(path: Path) -> int | None:
    """Return of which version a file is; None if there is none, 0 if it is no such file."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as db:
            [version] = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        return 0
    return int(version)


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
