"""What of an installation has to come along when it moves to other logs.

Revisions, versions and cursors are offsets, so they mean nothing on another Kafka, and a job's
partition follows from how many there are. What is live is taken out of all that (`Export`), and put
into other numbers (`ledgers_of`, `cursors_of`): each fold goes on where it was, as from a snapshot.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import FORMAT, from_row, to_row
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.entries import Lost
from cronstream.core.wire.job_messages import Definition
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Discarded, Job
from cronstream.core.wire.times import format_time
from cronstream.errors import HouseError

#: What a job's mark guards is over so long before the cursor, if the job is no longer there; and a
#: definition that another had replaced by then.
_OVER: Final = timedelta(hours=1)

#: What the last values of a mark's row are where they are left out: as `rows` has it.
_UNSAID: Final = (-1, -1, 0, -1)
#: Where a mark's row names revisions, but for those that still matter: removed, learnt, former.
_REVISIONS: Final = (5, 6, 8)

#: A job's name, and one of its revisions.
Named: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Kept:
    """A definition that still matters.

    Attributes:
        revision: Its number in the former house.
        taken: Whether it has been told to the logs there.
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
    """

    cluster: str
    retry: bool
    now: str
    day: tuple[int, int] = (0, 0)
    live: list[dict[str, Any]] = field(default_factory=list)
    marks: dict[str, list[Any]] = field(default_factory=dict)
    recent: list[list[Any]] = field(default_factory=list)


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
        ledger.take(ledger.book.next_offset, max(now, ledger.book.now), [*lost])
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
    return replace(log, marks=marks)


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
        taken: Below which number a job's revisions have been told.

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
                "jobs has no such revision: it was made anew, or lost messages"
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
        yield from ((job, mark[place]) for place in _REVISIONS if mark[place] >= 0)


def ledgers_of(
    log: LogState,
    partitions: int,
    partition_of: Callable[[str, int], int],
    numbers: Mapping[Named, int],
) -> dict[int, Ledger]:
    """Return the folds with which the partitions of a log begin that is empty.

    Args:
        log: What was known in the former house.
        partitions: How many there are now.
        partition_of: Which of so many is a job's.
        numbers: Revisions by what they were in the former house.

    Raises:
        MessageError: If what is known is damaged.
    """
    rows = {number: _empty_row(log, number) for number in range(partitions)}
    for live in log.live:
        moved = {**live, "run": _renumbered(live["run"], numbers)}
        if live["successor"] is not None:
            moved["successor"] = _renumbered(live["successor"], numbers)
        rows[partition_of(live["run"]["job"], partitions)]["live"].append(moved)
    for job, mark in log.marks.items():
        rows[partition_of(job, partitions)]["marks"][job] = _renumbered_mark(job, mark, numbers)
    for one in log.recent:
        rows[partition_of(one[0].partition("@")[0], partitions)]["recent"].append(one)
    for row in rows.values():
        row["recent"].sort(key=lambda one: datetime.fromisoformat(one[3]))
    filled = {n: row for n, row in rows.items() if row["live"] or row["marks"] or row["recent"]}
    return {number: from_row(row) for number, row in filled.items()}


def _empty_row(log: LogState, partition: int) -> dict[str, Any]:
    return {
        "format": FORMAT + LEVEL - 1,
        "partition": partition,
        "retry": log.retry,
        "next_offset": 0,
        "now": log.now,
        "days": list(log.day),
        "live": [],
        "marks": {},
        "recent": [],
        "beats": [],
    }


def _renumbered(run: dict[str, Any], numbers: Mapping[Named, int]) -> dict[str, Any]:
    revision = run.get("revision")
    return run if revision is None else {**run, "revision": numbers[run["job"], revision]}


def _renumbered_mark(job: str, mark: list[Any], numbers: Mapping[Named, int]) -> list[Any]:
    revisions = [[numbers[job, revision], since] for revision, since in mark[2]]
    moved = [*mark[:2], revisions, *mark[3:]]
    for place in _REVISIONS:
        moved[place] = numbers[job, mark[place]] if mark[place] >= 0 else mark[place]
    return moved


def cursors_of(
    export: Export, taken: Mapping[int, int], shard_of: Callable[[str], int]
) -> list[Cursor]:
    """Return the cursors from which the shards go on.

    As many shards as before go on each from its own; others all from the one that was least far:
    what was published beyond it is known to the ledgers, and dropped.

    Args:
        export: What comes along.
        taken: Below which number the revisions of each shard count as told.
        shard_of: Which shard is a job's.
    """
    if export.reached is None:
        return []
    moved = {job: at for cursor in export.cursors for job, at in cursor.moved.items()}
    former = {cursor.shard: cursor for cursor in export.cursors}
    same = former.keys() == taken.keys()
    return [
        Cursor(
            shard,
            former[shard].at if same else export.reached,
            told,
            former[shard].noted if same else None,
            {job: at for job, at in moved.items() if shard_of(job) == shard},
        )
        for shard, told in taken.items()
    ]
