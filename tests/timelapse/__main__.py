"""``python -m tests.timelapse``: many seeds, one seed, or the planted faults."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tests.simulation.report import table_of_bites
from tests.simulation.searching import Seen
from tests.timelapse.faults import FAULTS
from tests.timelapse.seeds import bites, first_seen, run_seed, run_seeds
from tests.timelapse.trouble import kinds

_MOST_SHOWN = 12
_BECAME = ("due times", "succeeded", "discarded", "skipped", "no verdict", "starts", "overlaps")
_IN_THE_WORLD = ("deploys", "upgrades", "process starts", "rebalances", "messages deleted")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the options say; return 1 if a promise was broken, or a fault not seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.timelapse", description=__doc__)
    parser.add_argument("--seeds", type=int, default=8, help="how many")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--teeth", action="store_true", help="plant each fault; is it seen?")
    parser.add_argument("--fault", help="run with this one planted", choices=sorted(FAULTS))
    options = parser.parse_args(arguments)
    seeds = range(options.start, options.start + options.seeds)
    if options.teeth:
        return _teeth(seeds, options.jobs)
    if options.seed is not None:
        return _one(options.seed, options.fault)
    return _many(seeds, options.jobs)


def _one(seed: int, fault: str | None) -> int:
    seen = run_seed(seed) if fault is None else first_seen(fault, [seed])
    faults = seen.faults if seen else []
    for sentence in faults:
        _say(sentence)
    return 1 if faults else 0


def _many(seeds: range, jobs: int) -> int:
    count: Counter[str] = Counter()
    began, broken, all_seen = time.monotonic(), 0, []
    for seen in run_seeds(seeds, jobs):
        count += seen.count
        all_seen.append(seen)
        if seen.faults:
            broken += 1
            if broken <= _MOST_SHOWN:
                _say(f"seed {seen.seed}: {len(seen.faults)} broken: {seen.faults[0]}")
                _say(f"  replay it: python -m tests.timelapse --seed {seen.seed}")
    for line in (*_table(count), *_growth(all_seen)):
        _say(line)
    took = time.monotonic() - began
    pace = f"{took:.0f} s ({took / len(seeds):.1f} s for each)"
    _say(f"{len(seeds)} times three months in {pace}, {broken} with broken promises")
    return 1 if broken else 0


def _table(count: Counter[str]) -> Iterator[str]:
    for title, names in (
        ("what became of runs", _BECAME),
        ("what happened", (*_IN_THE_WORLD, *kinds())),
    ):
        yield title
        for name in names:
            yield f"  {name:<32}{count[name]:>12,}"


def _growth(all_seen: Iterable[Seen]) -> Iterator[str]:
    """Yield the largest of each thing in any seed, early and late."""
    yield f"{'the largest of any':<34}{'early':>12}{'in the end':>12}"
    most: dict[str, list[int]] = {}
    for seen in all_seen:
        for what, early, late in seen.growth:
            before = most.setdefault(what, [0, 0])
            most[what] = [max(before[0], early), max(before[1], late)]
    for what, (early, late) in most.items():
        yield f"  {what:<32}{early:>12,}{late:>12,}"


def _teeth(seeds: range, jobs: int) -> int:
    found = []
    for line, bite in table_of_bites(bites(seeds, jobs), len(seeds)):
        _say(line)
        found.append(bite)
    unseen = sum(bite.seen is None for bite in found if bite)
    _say(f"\n{len(FAULTS) - unseen} of {len(FAULTS)} planted faults seen")
    return 1 if unseen else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
