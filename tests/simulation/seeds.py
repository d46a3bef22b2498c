"""Runs worlds from seeds, on one core or several, and counts what it sees."""

import gc
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
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
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    with get_context("fork").Pool(jobs, _let_garbage_lie) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=_CHUNK)


def _let_garbage_lie() -> None:
    """A world leaves few cycles behind; what came before it leaves none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def first_seen(fault: str, seeds: Iterable[int]) -> Seen | None:
    """Return the first of the seeds in which a planted fault is seen, or None."""
    with planted(fault):
        return next((seen for seed in seeds if (seen := run_seed(seed)).faults), None)


@dataclass(frozen=True, slots=True)
class Bite:
    """Whether a planted fault was seen.

    Attributes:
        seen: The first seed that shows it; None if none did.
        took_s: CPU seconds until then.
    """

    fault: str
    seen: Seen | None
    took_s: float


def bites(faults: Iterable[str], seeds: range, jobs: int) -> Iterator[Bite]:
    """Plant each fault in turn, and search the seeds for it, in `jobs` processes."""
    with get_context("fork").Pool(jobs, _let_garbage_lie) as pool:
        yield from pool.imap(partial(_bite, seeds), faults)


def _bite(seeds: range, fault: str) -> Bite:
    began = time.process_time()
    return Bite(fault, first_seen(fault, seeds), time.process_time() - began)
