"""What of an installation has to come along when it moves to other logs.

Revisions, versions and cursors are offsets, so they mean nothing on another Kafka, and a job's
partition follows from how many there are. What is live is taken out of all that (`Export`);
`cronstream.core.moving.renumbering` puts it into other numbers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import to_row
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.entries import Lost
from cronstream.core.wire.job_messages import Definition
from cronstream.core.wire.runs import Discarded, Job
from cronstream.core.wire.times import format_time
from cronstream.errors import HouseError

#: What a job's mark guards is over so long before the cursor, if the job is no longer there; and a
#: definition that another had replaced by then.
_OVER: Final = timedelta(hours=1)

#: What the last values of a mark's row are where they are left out: as `rows` has it.
_UNSAID: Final = (-1, -1, 0, -1)
#: Where a mark's row names revisions, but for those that still matter: removed, learnt, former.
REVISIONS: Final = (5, 6, 8)

#: A job's name, and one of its revisions.
Named: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Kept:
    """A definition that still matters.

    Attributes:
        revision: Its number in the former house.
        taken: Whether it has been announced to the logs there.
    """

    job: Job
    revision: int
    taken: bool


@dataclass(frozen=True, slots=True)
class LogState:
    """What the folds of one log knew, in all its partitions, as rows have it.

    Attributes:
        now: The log's time.
        day: The last of its days, as a fold counts them (`Book.day`), and its number.
        live: Runs without a verdict; a version is how far before the log's end it stood.
        marks: What was kept of each job's scheduled runs, by job.
        recent: Settled runs that no mark guards.
        successes: What is known of the successes of jobs that have marks.
        pauses: What is kept of the pauses of those that had one; each names a revision.
        handed_over: Settled runs that follow those of other clusters: known for longer (rule 24).
    """

    cluster: str
    retry: bool
    now: str
    day: tuple[int, int] = (0, 0)
    live: list[dict[str, Any]] = field(default_factory=list)
    marks: dict[str, list[Any]] = field(default_factory=dict)
    recent: list[list[Any]] = field(default_factory=list)
    successes: list[list[Any]] = field(default_factory=list)
    pauses: list[list[Any]] = field(default_factory=list)
    handed_over: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Export:
    """All that has to come along.

    Attributes:
        id: Of this export: 32 hexadecimal digits.
        installation: The id of the installation, which stays; None if it had none yet.
        version: Of cronstream, for people.
        at: When it was made (UTC).
        cursors: How far each shard had published.
    """

    id: str
    installation: str | None
    version: str
    at: datetime
    cursors: list[Cursor]
    definitions: list[Kept]
    logs: list[LogState]
    discarded: list[Discarded]

    @property
    def reached(self) -> datetime | None:
        """Up to which due time all had been published there; None if nothing ever was."""
        return min((cursor.at for cursor in self.cursors), default=None)

    @property
    def counts(self) -> dict[str, int]:
        """How much of each there is, for people."""
        last = {kept.job.name: kept.job for kept in self.definitions}
        return {
            "jobs": sum(not job.removed for job in last.values()),
            "live runs": sum(len(log.live) for log in self.logs if not log.retry),
            "discarded runs": len(self.discarded),
        }


def release_all(ledger: Ledger, now: datetime) -> None:
    """Have every attempt that somebody held be taken for lost: nobody works there any more.

    What follows is what any owner would have made of it: the attempt is made again, or the run
    discarded where it may have started and is at_most_once.
    """
    lost = [
        Lost(worker=name, number=ledger.book.beats[name].number)
        for name in sorted(ledger.book.held)
    ]
    if lost:
        ledger.fold(ledger.book.next_offset, max(now, ledger.book.now), [*lost])
        ledger.book.news.clear()


def log_state(cluster: str, *, retry: bool, ledgers: Iterable[Ledger]) -> LogState:
    """Return what some partitions of a log know; nobody may hold anything there."""
    folded = list(ledgers)
    now = max((ledger.book.now for ledger in folded), default=None)
    day = max((ledger.book.day for ledger in folded), default=0)
    today = max((ledger.book.today for ledger in folded), default=0)
    state = LogState(cluster, retry, format_time(now) if now else "", (day, today))
    for ledger in folded:
        row = to_row(ledger, 0)
        for live in row["live"]:
            live["version"] -= ledger.book.next_offset
        state.live.extend(row["live"])
        for job, mark in row["marks"].items():
            more = [*mark[5:], *_UNSAID[len(mark) - 5 :]]
            more[2] += day - ledger.book.day
            state.marks[job] = [*mark[:5], *more]
        state.recent.extend(row["recent"])
        state.successes.extend(row["successes"])
        state.pauses.extend(row.get("pauses", ()))
        state.handed_over.extend(row.get("handed_over", ()))
    return state


def without_the_past(log: LogState, in_force: Mapping[str, Job], reached: datetime) -> LogState:
    """Return a log's state without the marks of jobs that have been gone from it for long."""
    live = {run["run"]["job"] for run in log.live}
    bound = reached - _OVER

    def matters(name: str, mark: list[Any]) -> bool:
        job = in_force.get(name)
        is_here = job is not None and job.cluster == log.cluster
        return is_here or name in live or datetime.fromisoformat(mark[0]) >= bound

    marks = {name: mark for name, mark in log.marks.items() if matters(name, mark)}
    return replace(
        log,
        marks=marks,
        successes=[one for one in log.successes if one[0] in marks],
        pauses=[one for one in log.pauses if one[0] in marks],
    )


def needed(
    published: Mapping[str, list[Definition]],
    logs: Iterable[LogState],
    reached: datetime,
    taken: Callable[[str], int],
) -> list[Kept]:
    """Return the definitions that runs, marks or a cursor refer to, by job, oldest first.

    Args:
        published: All that there ever were, by job.
        logs: What is live.
        reached: How far the shards have published.
        taken: Below which number a job's revisions have been announced.

    Raises:
        HouseError: If one is referred to that is not there.
    """
    wanted: dict[str, set[int]] = {}
    for log in logs:
        for job, revision in _named(log):
            wanted.setdefault(job, set()).add(revision)
    kept: list[Kept] = []
    for name in sorted(published.keys() | wanted.keys()):
        there, named = published.get(name, []), wanted.get(name, set())
        if missing := named - {one.revision for one in there}:
            raise HouseError(
                f"job {name!r}: runs of revision {min(missing)} are live, and the topic of the "
                "jobs has no such revision: it was recreated, or lost messages"
            )
        matter = [
            one
            for one, following in zip(there, [*there[1:], None], strict=True)
            if one.revision in named or not _is_over(one, following, reached - _OVER)
        ]
        if matter and matter[-1] is not there[-1]:
            matter.append(there[-1])  # Else one before it would be in force.
        kept += [Kept(one.job, one.revision, one.revision < taken(name)) for one in matter]
    return kept


def _is_over(one: Definition, following: Definition | None, bound: datetime) -> bool:
    """Whether a definition was replaced, or took its job out, before a time."""
    if following is None and not one.job.removed:
        return False
    since = (following or one).job.effective_from
    return since is not None and since < bound


def _named(log: LogState) -> Iterable[Named]:
    """Yield the revisions that a log's state refers to."""
    for live in log.live:
        for run in (live["run"], live["successor"]):
            if run is not None and run.get("revision") is not None:
                yield run["job"], run["revision"]
    for job, mark in log.marks.items():
        yield from ((job, revision) for revision, _ in mark[2])
        yield from ((job, mark[place]) for place in REVISIONS if mark[place] >= 0)
    yield from ((one[0], one[1]) for one in log.pauses if one[1] >= 0)
