"""``python -m tests.simulation``: many seeds, one seed with its logs, or the planted faults."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.simulation.answering import Broken, say, say_one, say_teeth
from tests.simulation.faults import FAULTS
from tests.simulation.report import table_of_counts
from tests.simulation.seeds import bites, first_seen, run_seed, run_seeds
from tests.simulation.trace import trace

#: Seconds between two lines that say how far it has come.
_PROGRESS_S = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the options say; return 1 if a promise was broken, or a fault not seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", nargs="?", const="", help="print its logs, or of one run")
    parser.add_argument("--teeth", action="store_true", help="plant each fault; is it seen?")
    parser.add_argument("--fault", help="run with this one planted", choices=sorted(FAULTS))
    options = parser.parse_args(arguments)
    seeds = range(options.start, options.start + options.seeds)
    if options.teeth:
        return say_teeth(bites(seeds, options.jobs), len(seeds), FAULTS)
    if options.seed is not None:
        return _one(options.seed, options.trace, options.fault)
    return _many(seeds, options.jobs)


def _one(seed: int, wanted: str | None, fault: str | None) -> int:
    if wanted is not None:
        for line in trace(seed, wanted, fault):
            say(line)
    seen = run_seed(seed) if fault is None else first_seen(fault, [seed])
    return say_one(seen)


def _replay(seed: int) -> str:
    return f"python -m tests.simulation --seed {seed} --trace"


def _many(seeds: range, jobs: int) -> int:
    count: Counter[str] = Counter()
    began, broken = time.monotonic(), Broken(_replay)
    said = began
    for number, seen in enumerate(run_seeds(seeds, jobs), 1):
        count += seen.count
        broken.note(seen)
        if time.monotonic() - said > _PROGRESS_S:
            said = time.monotonic()
            say(f"{number} of {len(seeds)} seeds, {broken.count} with broken promises")
    for line in table_of_counts(count):
        say(line)
    took = time.monotonic() - began
    pace = f"{took:.0f} s ({len(seeds) / took:.0f} a second)"
    say(f"{len(seeds)} seeds in {pace}, {broken.count} with broken promises")
    return 1 if broken.count else 0


if __name__ == "__main__":
    sys.exit(main())
