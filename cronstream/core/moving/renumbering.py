"""Puts what has come along into the numbers of other logs: each fold goes on where it was."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import FORMAT, from_row
from cronstream.core.moving.export import REVISIONS, Export, LogState, Named
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.codec import build, to_json
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Run

#: Returns a run with another number, signed anew if that with its former one was to be believed:
#: ``(former, run)``. Whatever else is signed by nobody, or keeps a signature that does not fit.
Resign: TypeAlias = Callable[[Run, Run], Run]


def keep(_: Run, run: Run) -> Run:
    """Sign nothing."""
    return run


def ledgers_of(
    log: LogState,
    partitions: int,
    partition_of: Callable[[str, int], int],
    numbers: Mapping[Named, int],
    resign: Resign = keep,
) -> dict[int, Ledger]:
    """Return the folds with which the partitions of a log begin that is empty.

    Args:
        log: What was known in the former house.
        partitions: How many there are now.
        partition_of: Which of so many is a job's.
        numbers: Revisions by what they were in the former house.
        resign: Signs what had a signature that does not cover its number here.

    Raises:
        MessageError: If what is known is damaged.
    """
    rows = {number: _empty_row(log, number) for number in range(partitions)}
    for live in log.live:
        moved = {**live, "run": _renumbered(live["run"], numbers, resign)}
        if live["successor"] is not None:
            moved["successor"] = _renumbered(live["successor"], numbers, resign)
        rows[partition_of(live["run"]["job"], partitions)]["live"].append(moved)
    for job, mark in log.marks.items():
        rows[partition_of(job, partitions)]["marks"][job] = _renumbered_mark(job, mark, numbers)
    for one in log.successes:
        rows[partition_of(one[0], partitions)]["successes"].append(one)
    for job, revision, *more in log.pauses:
        number = numbers[job, revision] if revision >= 0 else revision
        rows[partition_of(job, partitions)].setdefault("pauses", []).append([job, number, *more])
    for name in ("recent", "handed_over"):
        for one in sorted(getattr(log, name), key=lambda one: datetime.fromisoformat(one[-1])):
            rows[partition_of(one[0].partition("@")[0], partitions)][name].append(one)
    kinds = "live", "marks", "recent", "handed_over"
    filled = {n: row for n, row in rows.items() if any(row[kind] for kind in kinds)}
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
        "handed_over": [],
        "successes": [],
        "beats": [],
    }


def _renumbered(
    entry: dict[str, Any], numbers: Mapping[Named, int], resign: Resign
) -> dict[str, Any]:
    """Return a run, or a skip, with the revision's number here."""
    revision = entry.get("revision")
    if revision is None:
        return entry
    moved = {**entry, "revision": numbers[entry["job"], revision]}
    if "signature" not in entry or "from_at" in entry:
        return moved
    return to_json(resign(build(Run, entry), build(Run, moved)))


def _renumbered_mark(job: str, mark: list[Any], numbers: Mapping[Named, int]) -> list[Any]:
    revisions = [[numbers[job, revision], since] for revision, since in mark[2]]
    moved = [*mark[:2], revisions, *mark[3:]]
    for place in REVISIONS:
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
        taken: Below which number the revisions of each shard count as announced.
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
            course=former[shard].course if same else None,
        )
        for shard, told in taken.items()
    ]
