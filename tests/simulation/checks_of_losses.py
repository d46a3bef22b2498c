"""Workers that were taken for lost: rightly, and fenced when they wake."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cronstream.core.ledger.actions import key_of
from cronstream.core.ledger.fold import Ledger
from cronstream.core.records import Entry, Finished, Lost, Released, Started
from tests.simulation.checks_of_starts import about_a_lease, silence
from tests.simulation.log import Log
from tests.simulation.loop import seconds
from tests.simulation.world import World

_FOR_EVER = float("inf")
#: What the holder of a claim says, and names its claim by.
_OF_HOLDERS = (Started, Finished, Released)


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that held something was taken for lost.

    Attributes:
        at: When, by the log.
        keys: The claims that it held there.
    """

    at: datetime
    worker: str
    keys: frozenset[str]


@dataclass(slots=True)
class Folded:
    """A log, folded from its start.

    Attributes:
        late: How many entries of lost workers, about what they had lost, were refused.
        faults: A sentence for each that was taken.
    """

    ledger: Ledger
    losses: list[Loss] = field(default_factory=list)
    late: int = 0
    faults: list[str] = field(default_factory=list)


def fold(log: Log, *, retry: bool) -> Folded:
    """Fold a log, and note who is lost in it and what they say afterwards."""
    ledger = Ledger(retry=retry)
    folded, taken_away = Folded(ledger), set[tuple[str, str]]()
    for offset, (at, entries) in enumerate(log.messages):
        held = {e.worker: _keys(ledger, e.worker) for e in entries if isinstance(e, Lost)}
        late = _late(entries, taken_away) if taken_away else Counter()
        before = {kind: ledger.refused[kind] for kind in late}
        ledger.take(offset, at, entries)
        for kind, number in late.items():
            folded.late += number
            if ledger.refused[kind] - before[kind] < number:
                folded.faults.append(f"{kind} of a lost worker was taken at offset {offset}")
        for worker, keys in held.items():
            if keys and not ledger.held.get(worker):
                folded.losses.append(Loss(at, worker, keys))
                taken_away |= {(worker, key) for key in keys}
    return folded


def _keys(ledger: Ledger, worker: str) -> frozenset[str]:
    claims = ((run, ledger.live[run].claim) for run in ledger.held.get(worker, ()))
    return frozenset(key_of(run, claim) for run, claim in claims if claim is not None)


def _late(entries: list[Entry], taken_away: set[tuple[str, str]]) -> Counter[str]:
    return Counter(
        type(entry).__name__.lower()
        for entry in entries
        if isinstance(entry, _OF_HOLDERS)
        and (entry.worker, key_of(entry.run, entry.claim)) in taken_away
    )


def faults_of_losses(world: World, folds: list[Folded]) -> Iterator[str]:
    """Yield what is wrong with workers that were taken for lost, or with what they did then."""
    losses = [loss for folded in folds for loss in folded.losses]
    world.count["lost workers"] += len(losses)
    world.count["late entries refused"] += sum(folded.late for folded in folds)
    for folded in folds:
        yield from folded.faults
    started = defaultdict(list)
    for start in world.starts if losses else ():
        started[start.worker, start.key].append(start.at)
    for loss in losses:
        yield from _false_loss(world, loss)
        if _woke(world, loss):
            world.count["woke past its lease"] += 1
        for key in sorted(loss.keys):
            if any(at > seconds(loss.at) for at in started[loss.worker, key]):
                yield f"{loss.worker} started {key} after it was taken for lost"
    yield from _kept(world, losses)


def _false_loss(world: World, loss: Loss) -> Iterator[str]:
    """Who was taken for lost was silent; a broker that nobody reaches makes nobody lost."""
    spans = [(start, end) for process, start, end in world.silences if process == loss.worker]
    now = seconds(loss.at)
    # In an outage what was judged before it waits to be sent.
    since = now - 2 * world.timing.lease_s - silence(world.outages, 0.0, now)
    if silence(spans, since, now) < about_a_lease(world):
        yield f"{loss.worker} was taken for lost at {now:.3f}, but was not silent"


def _woke(world: World, loss: Loss) -> bool:
    """Whether the worker was only stopped or cut off, and went on when it had been lost."""
    spans = [(start, end) for process, start, end in world.silences if process == loss.worker]
    died = min((start for start, end in spans if end == _FOR_EVER), default=_FOR_EVER)
    return any(start <= seconds(loss.at) < end < died for start, end in spans)


def _kept(world: World, losses: list[Loss]) -> Iterator[str]:
    """In the end nobody has anything left that was taken from it."""
    taken = {(loss.worker, key) for loss in losses for key in loss.keys}
    for worker in world.workers if taken else ():
        has = {*worker.member.holding, *worker.executor.running, *worker.executor.holds}
        for key in sorted(has):
            if (worker.id, key) in taken:
                yield f"{worker.id} still has {key}, which it has lost"
