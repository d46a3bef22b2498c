"""Runs worlds from seeds, and looks at them."""

import traceback
from collections.abc import Iterable, Iterator

from tests.simulation.checks import broken_promises
from tests.simulation.faults import FAULTS
from tests.simulation.scale import scaled_down
from tests.simulation.searching import Bite, Seen, bites_of, first_of, run_each
from tests.simulation.world import World

#: Seeds that a process takes at once.
_AT_ONCE = 50


def run_seed(seed: int) -> Seen:
    """Let one world run, and look at it."""
    world = World(seed)
    count = world.count
    try:
        with scaled_down():
            world.run()
            faults = broken_promises(world)
        if not faults and not world.is_quiet():
            faults = ["it does not come to rest"]
    except Exception:  # noqa: BLE001 - whatever the core raises is a finding, and has a seed
        faults = [traceback.format_exc()]
    world.take_apart()
    return Seen(seed, faults, count)


def run_seeds(seeds: range, jobs: int) -> Iterator[Seen]:
    """Run many, in `jobs` processes."""
    return run_each(run_seed, seeds, jobs, _AT_ONCE)


def first_seen(fault: str, seeds: Iterable[int]) -> Seen | None:
    """Return the first of the seeds in which a planted fault is seen, or None."""
    return first_of(run_seed, FAULTS, fault, seeds)


def bites(seeds: range, jobs: int) -> Iterator[Bite]:
    """Plant each fault in turn, and search the seeds for it, in `jobs` processes."""
    return bites_of(first_seen, list(FAULTS), seeds, jobs)


__all__ = ["Bite", "Seen", "bites", "first_seen", "run_seed", "run_seeds"]
