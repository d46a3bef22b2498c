"""Searches seeds for broken promises, on one core or several, also with faults planted."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TypeAlias

from tests.simulation.planting import Faults


@dataclass(frozen=True, slots=True)
class Seen:
    """What one seed has shown.

    Attributes:
        faults: A sentence for each broken promise, or the traceback of an error.
        growth: Each thing that must not grow, with its largest early and late.
    """

    seed: int
    faults: list[str]
    count: Counter[str]
    growth: list[tuple[str, int, int]] = field(default_factory=list)


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


#: Lets what grows from a seed live, and looks at it.
RunSeed: TypeAlias = Callable[[int], Seen]
#: Plants a fault, and returns the first of the seeds in which it is seen.
FirstSeen: TypeAlias = Callable[[str, Iterable[int]], Seen | None]


def run_each(run: RunSeed, seeds: range, jobs: int, at_once: int) -> Iterator[Seen]:
    """Run many, in `jobs` processes, each of which takes some at once."""
    if jobs == 1:
        yield from map(run, seeds)
        return
    with get_context("fork").Pool(jobs, _let_garbage_lie) as pool:
        yield from pool.imap_unordered(run, seeds, chunksize=at_once)


def _let_garbage_lie() -> None:
    """A world leaves few cycles behind; what came before it leaves none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def first_of(run: RunSeed, faults: Faults, name: str, seeds: Iterable[int]) -> Seen | None:
    """Return the first of the seeds in which a planted fault is seen, or None."""
    with faults.planted(name):
        return next((seen for seed in seeds if (seen := run(seed)).faults), None)


def bites_of(first_seen: FirstSeen, names: list[str], seeds: range, jobs: int) -> Iterator[Bite]:
    """Plant each fault in turn, and search the seeds for it, in `jobs` processes."""
    with get_context("fork").Pool(jobs, _let_garbage_lie) as pool:
        yield from pool.imap(partial(_bite, first_seen, seeds), names)


def _bite(first_seen: FirstSeen, seeds: range, name: str) -> Bite:
    began = time.process_time()
    seen = first_seen(name, seeds)
    return Bite(name, seen, time.process_time() - began)
