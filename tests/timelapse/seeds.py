"""Runs time-lapses from seeds, and looks at them."""

import logging
import traceback
from collections.abc import Iterable, Iterator

from tests.simulation.searching import Bite, Seen, bites_of, first_of, run_each
from tests.timelapse.faults import FAULTS
from tests.timelapse.lapse import DAYS, Lapse
from tests.timelapse.tables import small_pieces


def run_seed(seed: int) -> Seen:
    """Let three months pass, and look at them."""
    return run_days(seed, DAYS)


def run_days(seed: int, days: int) -> Seen:
    """Let some days pass, and look at them."""
    lapse = Lapse(seed, days)
    logging.disable(logging.CRITICAL)
    try:
        with small_pieces():
            faults = lapse.run()
    except Exception:  # noqa: BLE001 - whatever the core raises is a finding, and has a seed
        faults = [traceback.format_exc()]
    finally:
        logging.disable(logging.NOTSET)
    seen = Seen(seed, faults, lapse.count, list(lapse.growth.table()))
    lapse.take_apart()
    return seen


def run_seeds(seeds: range, jobs: int) -> Iterator[Seen]:
    """Run many, in `jobs` processes."""
    return run_each(run_seed, seeds, jobs, 1)


def first_seen(fault: str, seeds: Iterable[int]) -> Seen | None:
    """Return the first of the seeds in which a planted fault is seen, or None."""
    return first_of(run_seed, FAULTS, fault, seeds)


def bites(seeds: range, jobs: int) -> Iterator[Bite]:
    """Plant each fault in turn, and search the seeds for it, in `jobs` processes."""
    return bites_of(first_seen, list(FAULTS), seeds, jobs)


__all__ = ["bites", "first_seen", "run_days", "run_seed", "run_seeds"]
