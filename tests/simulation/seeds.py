"""Runs worlds from seeds, on one core or several, and counts what it sees."""

import gc
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context

from tests.simulation.checks import broken_promises
from tests.simulation.faults import planted
from tests.simulation.scale import scaled_down
from tests.simulation.world import World

#: Seeds that a process takes at once.
_CHUNK = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """What one seed has shown.

    Attributes:
        faults: A sentence for each broken promise, or the traceback of an error.
    """

    seed: int
    faults: list[str]
    count: Counter[str]


def run_seed(seed: int) -> Seen:
    """Let one world run, and look at it."""
    world = World(seed)
    try:
        with scaled_down():
            world.run()
            faults = broken_promises(world)
    except Exception:  # noqa: BLE001 - whatever the core raises is a finding, and has a seed
        return Seen(seed, [traceback.format_exc()], world.count)
    if not faults and not world.is_quiet():
        faults = ["it does not come to rest"]
    return Seen(seed, faults, world.count)


def run_seeds(seeds: range, jobs: int) -> Iterator[Seen]:
    """Run many, in `jobs` processes."""
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    with get_context("fork").Pool(jobs, gc.set_threshold, (100_000,)) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=_CHUNK)


def first_seen(fault: str, seeds: Iterable[int]) -> Seen | None:
    """Return the first of the seeds in which a planted fault is seen, or None."""
    with planted(fault):
        return next((seen for seed in seeds if (seen := run_seed(seed)).faults), None)
