"""``python -m tests.simulation``: many seeds, one seed with its logs, or the planted faults."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.faults import FAULTS
from tests.simulation.seeds import first_seen, run_seed, run_seeds
from tests.simulation.trace import trace

_MOST_SHOWN = 12


def main() -> int:
    """Do what the options say; return 1 if a promise was broken, or a fault not seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", nargs="?", const="", help="print its logs, or of one run")
    parser.add_argument("--teeth", action="store_true", help="plant each fault; is it seen?")
    parser.add_argument("--fault", help="run with this one planted", choices=sorted(FAULTS))
    options = parser.parse_args()
    if options.teeth:
        return _teeth(range(options.start, options.start + options.seeds))
    if options.seed is not None:
        return _one(options.seed, options.trace, options.fault)
    return _many(range(options.start, options.start + options.seeds), options.jobs)


def _one(seed: int, wanted: str | None, fault: str | None) -> int:
    if wanted is not None:
        for line in trace(seed, wanted, fault):
            _say(line)
    seen = run_seed(seed) if fault is None else first_seen(fault, [seed])
    faults = seen.faults if seen else []
    for sentence in faults:
        _say(sentence)
    return 1 if faults else 0


def _many(seeds: range, jobs: int) -> int:
    count: Counter[str] = Counter()
    began, broken = time.monotonic(), 0
    for seen in run_seeds(seeds, jobs):
        count += seen.count
        if seen.faults:
            broken += 1
            if broken <= _MOST_SHOWN:
                _say(f"seed {seen.seed}: {len(seen.faults)} broken: {seen.faults[0]}")
    took = time.monotonic() - began
    _say(f"{len(seeds)} seeds in {took:.0f} s, {broken} with broken promises")
    _say(", ".join(f"{name}: {number}" for name, number in sorted(count.items())))
    return 1 if broken else 0


def _teeth(seeds: range) -> int:
    unseen = 0
    for fault in FAULTS:
        seen = first_seen(fault, seeds)
        if seen is None:
            unseen += 1
            _say(f"{fault}: not seen in {len(seeds)} seeds")
        else:
            last = seen.faults[0].strip().splitlines()[-1]
            _say(f"{fault}: seen after {seen.seed - seeds.start + 1} seeds ({last})")
    return 1 if unseen else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
