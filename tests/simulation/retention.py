"""A second life of a world: its logs have lost their beginning, or days have passed.

Where days pass, what is kept of jobs that nobody has told of since is forgotten, bit by bit.

Retention or DeleteRecords takes what is settled, and the snapshots are gone as well (the recovery
that docs/health.md recommends); all workers start from there. What jobs are in force was said
before the beginning. Where a message came twice, the second may be left, with what was said then.
"""

from collections.abc import Iterator
from functools import partial
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.ledger.fold import Ledger
from cronstream.core.wire.entries import (
    Entry,
    Finished,
    Forwarded,
    Released,
    Settled,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.runs import Run
from tests.simulation.log import Log
from tests.simulation.loop import moment
from tests.simulation.scale import DAY_S

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Jobs are due at each whole minute in such a world, once its first trouble is over.
EVERY_S: Final = 60
#: Share of the worlds that live on.
_SHARE: Final = 0.15
#: Share of these in which days pass, and nothing is deleted.
_SHARE_OF_DAYS: Final = 0.5
#: Share of the logs without their beginning to which an older word about a job comes late.
_SHARE_OF_LATE: Final = 0.5
#: How long workers are down, and how long after the due time nothing more is due.
_DOWN_S: Final = 1.0
_AFTER_S: Final = 2.0
#: What tells of a run that it has begun, or is over; who gives it back last has not begun.
_TELL: Final = (Started, Finished, Forwarded, Skipped, Settled)


def lives_on(seed: int) -> bool:
    """Whether a world has a second life; all else in it is drawn without this."""
    return Random(f"{seed} forgets").random() < _SHARE


def live_on(world: "World", seed: int) -> float:
    """Begin the second life of a world; return until when there is trouble again.

    The world is at rest: nothing is live, and nothing is on its way.
    """
    if Random(f"{seed} days").random() < _SHARE_OF_DAYS:
        return _let_days_pass(world)
    return _lose_beginnings(world, seed)


def _let_days_pass(world: "World") -> float:
    """Have somebody write to each log on some days, then trouble again around a due time."""
    world.count["worlds in which days passed"] += 1
    begun = world.loop.now
    for day in range(1, world.dice.randint(2, 8)):
        for group in world.groups[1:]:
            world.loop.at(begun + day * DAY_S, group.rebalance)
    due = EVERY_S * ceil((begun + 9 * DAY_S) / EVERY_S)
    world.loop.at(due - 6, partial(setattr, world, "in_trouble", True))
    return _trouble_around(world, due)


def _lose_beginnings(world: "World", seed: int) -> float:
    """Delete all that is settled; or leave the doubles of the last runs, and how they ended."""
    world.count["logs that lost their beginning"] += 1
    for retry in (False, True):
        for log in world.logs_of(retry=retry):
            log.start = world.dice.choice((_settled(log), len(log.messages), len(log.messages)))
            if between := list(_between_doubles(log, retry=retry)):
                world.count["logs that begin between two of a message"] += 1
                log.start = Random(f"{seed} {log.name} {log.partition}").choice(between)
            _say_late(world, log, Random(f"{seed} {log.name} {log.partition} late"))
    world.in_trouble = True
    _forget_rows(world)
    world.loop.at(world.loop.now + 0.9 * _DOWN_S, partial(_forget_rows, world))
    for worker in world.workers:
        worker.crash(_DOWN_S)
    return _trouble_around(world, EVERY_S * ceil((world.loop.now + 2 * _DOWN_S) / EVERY_S))


def _say_late(world: "World", log: Log, dice: Random) -> None:
    """Have a word come behind the beginning that was replaced before it, from a slow scheduler."""
    words = [(at, entry) for at, entry in _from(log, 0) if isinstance(entry, Withdrawal)]
    last = {word.job: (at, word) for at, word in words}
    gone = {job: word.revision for job, (at, word) in last.items() if at < log.start}
    late = [word for _, word in words if word.revision < gone.get(word.job, -1)]
    if late and dice.random() < _SHARE_OF_LATE:
        world.count["words that came late, behind a beginning"] += 1
        log.append(world.loop.now, [dice.choice(late)])


def repeat_runs(world: "World", seed: int, about: float) -> None:
    """Have the last runs on each log come once more, with the words since: from an older cursor."""
    dice = Random(f"{seed} repeats")
    for retry in (False, True):
        for log in world.logs_of(retry=retry):
            world.loop.at(about + dice.uniform(-1, 4), partial(_repeat, world, log))


def _repeat(world: "World", log: Log) -> None:
    for _, entries in log.messages[max(0, _settled(log) - 1) :]:
        if any(isinstance(entry, Run | Skip | Withdrawal) for entry in entries):
            log.append(world.loop.now, entries)


def _trouble_around(world: "World", due: int) -> float:
    for _ in range(world.dice.randint(0, 4)):
        act = world.dice.choice(world.trouble.of_second_life())
        world.loop.at(world.dice.uniform(max(world.loop.now, due - 5.5), due + 1), act)
    world.loop.at(due + _AFTER_S, world.trouble.end)
    return due + _AFTER_S


def _settled(log: Log) -> int:
    """Return the offset behind the last run: a fold from there knows of none that is over."""
    for offset in range(len(log.messages) - 1, -1, -1):
        if any(isinstance(entry, Run | Skip) for entry in log.messages[offset][1]):
            return offset + 1
    return 0


def _between_doubles(log: Log, *, retry: bool) -> Iterator[int]:
    """Yield the offsets behind which each run that comes was live already, and has begun.

    What is older than the beginning is told by the brokers' clocks, which must be right then.
    """
    ledger, first = Ledger(retry=retry), dict[tuple[str, int], int]()
    for offset, entry in _from(log, 0):
        if isinstance(entry, Run):
            first.setdefault((entry.id, entry.attempt), offset)
    begins = max(first.values(), default=len(log.messages)) + 1
    for start, (at, entries) in enumerate(log.messages[: _settled(log)]):
        left = [entry for _, entry in _from(log, start)]
        last = {entry.run: entry for entry in left if isinstance(entry, (*_TELL, Released))}
        told = {run for run in ledger.book.live if isinstance(last.get(run), _TELL)}
        come = [entry for entry in left if isinstance(entry, Run | Skip)]
        is_told = all(
            isinstance(one, Run) and one.id in told and (one.as_of or at) <= at for one in come
        )
        if start >= begins and is_told and at >= moment(log.true_times[start]):
            yield start
        ledger.fold(start, at, entries)


def _from(log: Log, start: int) -> Iterator[tuple[int, Entry]]:
    for offset, (_, entries) in enumerate(log.messages[start:], start):
        yield from ((offset, entry) for entry in entries)


def _forget_rows(world: "World") -> None:
    for rows in world.rows.values():
        rows.clear()
