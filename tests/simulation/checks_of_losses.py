"""Workers that were taken for lost: rightly, and fenced when they wake."""

from collections import defaultdict
from collections.abc import Iterator

from cronstream.core.protocol.owner import LEAST_LEFT_S
from tests.simulation.checks_of_starts import about_a_lease, silence
from tests.simulation.folding import Folded, Loss
from tests.simulation.loop import seconds
from tests.simulation.world import World

_FOR_EVER = float("inf")


def faults_of_losses(world: World, folds: list[Folded]) -> Iterator[str]:
    """Yield what is wrong with workers that were taken for lost, or with what they did then."""
    losses = [loss for folded in folds for loss in folded.losses]
    world.count["lost workers"] += len(losses)
    world.count["late entries refused"] += sum(folded.late for folded in folds)
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
    """Who was taken for lost was silent; a broker that nobody reaches makes nobody lost by itself.

    A new owner counts an outage as silence, but for the least that is left of a lease (rule 3).
    """
    spans = [(start, end) for process, start, end in world.silences if process == loss.worker]
    now = seconds(loss.at)
    # In an outage what was judged before it waits to be sent.
    longest = max(timing.lease_s for timing in world.timings)
    since = now - 2 * longest - silence(world.outages, 0.0, now)
    own, all_told = silence(spans, since, now), silence(spans + world.outages, since, now)
    least = LEAST_LEFT_S - 4 * world.slowest_s - 0.3
    if all_told < about_a_lease(world) or own < least:
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
