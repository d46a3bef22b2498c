"""Writes stories into the projection: few statements for many rows.

Whoever folds has the interpreter again after each statement, and keeps it for some milliseconds:
one for each row would be waited for longer than SQLite takes for all of them.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import orjson

from cronstream.console.answers import minute_of
from cronstream.console.rows import merged, read_story, write_story
from cronstream.history.story import RunState, RunStory

#: It is written anew when a command was used only after so long: else each run would write it.
ABOUT_S: Final = 3600
#: How many rows one statement inserts: few sizes, for SQLite keeps a statement for each.
_SIZES: Final = tuple(1 << n for n in range(11, -1, -1))


def write_stories(db: sqlite3.Connection, stories: Sequence[RunStory]) -> None:
    """Write the newest story of each of some runs, and count the verdicts that are new."""
    known = _known(db, [story.id for story in stories])
    over = _settled(db, [run_id for run_id, is_over in known.items() if is_over])
    new = [
        merged(over[story.id], story) if story.id in over else story
        for story in stories
        # What begins before what was read again says less than what is there.
        if not (story.partial and known.get(story.id) is False)
    ]
    digests = _write_commands(db, new)
    put(
        db,
        "INSERT INTO runs",
        list(map(_row, new, digests)),
        "ON CONFLICT (id) DO UPDATE SET "
        "state = excluded.state, changed = excluded.changed, is_live = excluded.is_live, "
        "seconds = excluded.seconds, reason = excluded.reason, digest = excluded.digest, "
        "story = excluded.story",
    )
    settled = [one for one in new if one.state.settled and not known.get(one.id)]
    put(
        db,
        "INSERT INTO minutes",
        [(*key, count) for key, count in Counter(map(_minute_of, settled)).items()],
        "ON CONFLICT (minute, cluster, state) DO UPDATE SET count = count + excluded.count",
    )
    put(
        db,
        "INSERT INTO successes",
        list(_successes(new).items()),
        "ON CONFLICT (job) DO UPDATE SET at = max(at, excluded.at)",
    )


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
    put(
        db,
        "INSERT INTO commands",
        [(digest, *what) for digest, what in used.items()],
        "ON CONFLICT (digest) DO UPDATE SET used = excluded.used "
        f"WHERE excluded.used > used + {ABOUT_S}",
    )
    return digests


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
    rows = db.execute(
        "SELECT is_live, json_group_array(runs.id) FROM json_each(?) "
        "CROSS JOIN runs ON runs.id = value GROUP BY is_live",
        (orjson.dumps(ids).decode(),),
    )
    return {run_id: not is_live for is_live, found in rows for run_id in orjson.loads(found)}


def put(
    db: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]], otherwise: str = ""
) -> None:
    """Insert rows by few statements; `otherwise` says what is done where there is such a row."""
    most = db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    begin = 0
    for size in _SIZES:
        while len(rows) - begin >= size and size * len(rows[begin]) <= most:
            some = rows[begin : begin + size]
            marks = ",".join([f"({','.join('?' * len(some[0]))})"] * size)
            db.execute(f"{insert} VALUES {marks} {otherwise}", list(chain.from_iterable(some)))
            begin += size


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


def _successes(stories: Sequence[RunStory]) -> dict[str, float]:
    """Return when each job last succeeded, of those that did."""
    found: dict[str, float] = {}
    for story in stories:
        if story.state is RunState.SUCCEEDED:
            at = story.changed_at.timestamp()
            found[story.job] = max(at, found.get(story.job, at))
    return found


def _minute_of(story: RunStory) -> tuple[int, str, str]:
    return minute_of(story.changed_at), story.cluster, story.state.value
