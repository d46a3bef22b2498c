"""What pages ask of the projection, in SQL."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, cast

import orjson

from cronstream import clock
from cronstream.console.rows import read_story
from cronstream.errors import AskedError
from cronstream.history.story import RunState, RunStory

MINUTE_S: Final = 60
#: Discarded runs whose reasons are counted, the newest.
COUNTED: Final = 10_000
#: No question about runs takes longer; it is looked at the clock after so many steps of SQLite's.
_WITHIN_S: Final = 2.0
_STEPS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs a page asks for; None where all are meant.

    Attributes:
        before: Only those that were due before (of a job), or have changed before (of all).
        limit: At most so many, the newest.
    """

    job: str | None = None
    cluster: str | None = None
    state: RunState | None = None
    reason: str | None = None
    before: datetime | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Strip:
    """A run in brief, one of the last of its job."""

    run: str
    state: RunState
    due: datetime
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why runs were discarded.

    Attributes:
        reason: Empty where none is known.
        runs: How many.
        jobs: Of how many jobs.
        job: One of these.
        last: When the last of them was (UTC).
    """

    reason: str
    runs: int
    jobs: int
    job: str
    last: datetime


@dataclass(frozen=True, slots=True)
class Discards:
    """Runs of a job that were discarded.

    Attributes:
        runs: How many.
        last: When the last of them was (UTC).
        reason: Why that one; empty if it is not known.
    """

    job: str
    runs: int
    last: datetime
    reason: str


class Answers:
    """The file, for who reads.

    Args:
        db: The connection to it.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, run_id: str) -> RunStory | None:
        """Return the story of a run; None if it is not kept."""
        found = self._stories("WHERE id = ?", (run_id,))
        return found[0] if found else None

    def runs(self, wanted: Wanted) -> list[RunStory]:
        """Return the newest runs that are wanted: of one job by due time, else by last change."""
        of_job = wanted.job is not None
        asked: dict[str, Any] = {
            "job": wanted.job,
            "cluster": wanted.cluster,
            "state": wanted.state and wanted.state.value,
            "reason": wanted.reason,
            "due" if of_job else "changed": wanted.before and wanted.before.timestamp(),
        }
        given = {name: value for name, value in asked.items() if value is not None}
        if wanted.reason is not None and wanted.state is None:
            return self._of_any_state(wanted)
        if wanted.reason is not None and wanted.state is RunState.SUCCEEDED:
            return []  # None has one: all would be gone through to find that out.
        return self._stories(
            f"{_where(given)} ORDER BY {'due' if of_job else 'changed'} DESC LIMIT :limit",
            {**given, "limit": wanted.limit},
        )

    def _of_any_state(self, wanted: Wanted) -> list[RunStory]:
        """Return the newest runs that have a reason: in each state that has one, by its index."""
        found = [
            story
            for state in RunState
            if state is not RunState.SUCCEEDED
            for story in self.runs(replace(wanted, state=state))
        ]
        by = attrgetter("changed_at" if wanted.job is None else "scheduled_at")
        return sorted(found, key=by, reverse=True)[: wanted.limit]

    def reasons(self, wanted: Wanted, limit: int) -> list[Reason]:
        """Return why runs were discarded, of a job or a cluster or all, the most frequent first.

        Of more than `COUNTED`, the newest are.
        """
        asked = {"job": wanted.job, "cluster": wanted.cluster}
        given = {name: value for name, value in asked.items() if value is not None}
        also = "".join(f" AND {name} = :{name}" for name in given)
        rows = self._db.execute(
            "SELECT coalesce(reason, ''), count(*), count(DISTINCT job), max(job), max(changed) "  # noqa: S608 - ours
            "FROM (SELECT reason, job, changed FROM runs INDEXED BY runs_discarded "
            f"WHERE state = 'discarded'{also} ORDER BY changed DESC LIMIT {COUNTED}) "
            "GROUP BY 1 ORDER BY 2 DESC, 5 DESC LIMIT :limit",
            {**given, "limit": limit},
        )
        return [
            Reason(reason, count, jobs, job, moment_of(last))
            for reason, count, jobs, job, last in rows
        ]

    def discards(self, since: datetime, limit: int) -> list[Discards]:
        """Return how many runs of which jobs were discarded since a moment, the last first."""
        rows = self._db.execute(
            "SELECT job, count(*), max(changed), coalesce(reason, '') FROM ("  # noqa: S608 - ours
            "SELECT job, changed, reason FROM runs INDEXED BY runs_discarded "
            "WHERE state = 'discarded' AND changed >= ? "
            f"ORDER BY changed DESC LIMIT {COUNTED}) GROUP BY job ORDER BY 3 DESC LIMIT ?",
            (since.timestamp(), limit),
        )
        return [Discards(job, count, moment_of(last), why) for job, count, last, why in rows]

    def missed(self, since: datetime, limit: int) -> list[RunStory]:
        """Return the due times that were missed since a moment, the newest first."""
        how = (
            "WHERE state = 'skipped' AND state != 'succeeded' AND reason = 'missed' "
            "AND changed >= ? ORDER BY changed DESC LIMIT ?"
        )
        return self._stories(how, (since.timestamp(), limit))

    def siblings(self, stories: Sequence[RunStory]) -> dict[tuple[str, datetime], list[RunStory]]:
        """Return all runs of the same job and due time as some, by these, as they came."""
        found: dict[tuple[str, datetime], list[RunStory]] = {}
        if not stories:
            return found
        marks = ",".join(["(?, ?)"] * len(stories))
        places = [part for one in stories for part in (one.job, one.scheduled_at.timestamp())]
        how = (
            f"WHERE runs.rowid IN (SELECT one.rowid FROM (VALUES {marks}) AS asked CROSS JOIN "  # noqa: S608 - ours
            "runs AS one ON one.job = asked.column1 AND one.due = asked.column2) "
            "ORDER BY runs.rowid"
        )
        for story in self._stories(how, places):
            found.setdefault((story.job, story.scheduled_at), []).append(story)
        return found

    def failing(self, jobs: Sequence[str]) -> set[str]:
        """Return those of whose runs the last that has a verdict was discarded."""
        rows = self._db.execute(
            "SELECT value FROM json_each(?) WHERE (SELECT state FROM runs WHERE job = value "
            "AND NOT is_live ORDER BY due DESC LIMIT 1) = 'discarded'",
            (orjson.dumps(list(jobs)).decode(),),
        )
        return {job for (job,) in rows}

    def live(self, cluster: str | None = None, limit: int = 200) -> list[RunStory]:
        """Return the runs that have no verdict, the oldest first."""
        if cluster is None:
            return self._stories("WHERE is_live ORDER BY due LIMIT ?", (limit,))
        return self._stories(
            "WHERE is_live AND +cluster = ? ORDER BY due LIMIT ?", (cluster, limit)
        )

    def live_counts(self) -> dict[str, int]:
        """Return how many runs without a verdict each cluster has that has any."""
        return dict(
            self._db.execute(
                "SELECT cluster, count(*) FROM runs INDEXED BY runs_live WHERE is_live GROUP BY 1"
            )
        )

    def strips(self, jobs: Sequence[str], length: int) -> dict[str, list[Strip]]:
        """Return of each job its last runs in brief, the oldest first."""
        return {
            job: [
                Strip(run, RunState(state), moment_of(due), seconds)
                for run, state, due, seconds in reversed(
                    self._db.execute(
                        "SELECT id, state, due, seconds FROM runs WHERE job = ? "
                        "ORDER BY due DESC LIMIT ?",
                        (job, length),
                    ).fetchall()
                )
            ]
            for job in jobs
        }

    def minutes(self, since: datetime) -> list[tuple[datetime, str, RunState, int]]:
        """Return how many runs got which verdict in each minute: minute, cluster, state, count."""
        rows = self._db.execute(
            "SELECT minute, cluster, state, count FROM minutes WHERE minute >= ? ORDER BY minute",
            (minute_of(since),),
        )
        return [
            (moment_of(minute * MINUTE_S), cluster, RunState(state), count)
            for minute, cluster, state, count in rows
        ]

    def successes(self, jobs: Sequence[str]) -> dict[str, datetime]:
        """Return when jobs succeeded last, of those that are known to have."""
        asked = "SELECT at FROM successes WHERE job = ?"
        found = {job: self._db.execute(asked, (job,)).fetchone() for job in jobs}
        return {job: moment_of(row[0]) for job, row in found.items() if row is not None}

    def last_audit(self) -> dict[str, Any] | None:
        """Return what the last audit has found, if one was made."""
        row = self._db.execute("SELECT report FROM audits").fetchone()
        return row and cast("dict[str, Any]", orjson.loads(row[0]))

    def _stories(self, how: str, given: Sequence[Any] | dict[str, Any]) -> list[RunStory]:
        asked = f"SELECT story, command FROM runs LEFT JOIN commands USING (digest) {how}"  # noqa: S608 - ours
        rows = self._rows(asked, given)
        return [read_story(story, command and orjson.loads(command)) for story, command in rows]

    def _rows(self, asked: str, given: Sequence[Any] | dict[str, Any]) -> list[Any]:
        """Return what is asked for.

        Raises:
            AskedError: If it takes too long: nobody else is answered meanwhile.
        """
        until = clock.monotonic() + _WITHIN_S
        self._db.set_progress_handler(lambda: clock.monotonic() > until, _STEPS)
        try:
            return self._db.execute(asked, given).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            raise AskedError(
                "too many runs would have to be gone through to find these: ask for a job, a "
                "cluster or a state alone"
            ) from error
        finally:
            self._db.set_progress_handler(None, 0)


def _where(given: dict[str, Any]) -> str:
    """Return the condition that each column of these is as given."""
    found = [f"{name} {'<' if name in ('due', 'changed') else '='} :{name}" for name in given]
    if given.get("state", "succeeded") != "succeeded":
        found.append("state != 'succeeded'")  # As the indexes of those have it.
    return f"WHERE {' AND '.join(found)}" if found else ""


def minute_of(moment: datetime) -> int:
    """Return the number of a minute since the epoch."""
    return int(moment.timestamp()) // MINUTE_S


def moment_of(at: float) -> datetime:
    """Return the moment so many seconds after the epoch (UTC)."""
    return datetime.fromtimestamp(at, UTC)
