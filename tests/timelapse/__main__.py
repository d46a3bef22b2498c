"""``python -m tests.timelapse``: many seeds, one seed, or the planted faults."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tests.simulation.answering import Broken, say, say_one, say_teeth
from tests.simulation.searching import Seen
from tests.timelapse.faults import FAULTS
from tests.timelapse.seeds import bites, first_seen, run_seed, run_seeds
from tests.timelapse.trouble import kinds

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
        return say_teeth(bites(seeds, options.jobs), len(seeds), FAULTS)
    if options.seed is not None:
        return _one(options.seed, options.fault)
    return _many(seeds, options.jobs)


def _one(seed: int, fault: str | None) -> int:
    seen = run_seed(seed) if fault is None else first_seen(fault, [seed])
    return say_one(seen)


def _replay(seed: int) -> str:
    return f"python -m tests.timelapse --seed {seed}"


def _many(seeds: range, jobs: int) -> int:
    count: Counter[str] = Counter()
    began, broken, all_seen = time.monotonic(), Broken(_replay), []
    for seen in run_seeds(seeds, jobs):
        count += seen.count
        all_seen.append(seen)
        broken.note(seen)
    for line in (*_table(count), *_growth(all_seen)):
        say(line)
    took = time.monotonic() - began
    pace = f"{took:.0f} s ({took / len(seeds):.1f} s for each)"
    say(f"{len(seeds)} times three months in {pace}, {broken.count} with broken promises")
    return 1 if broken.count else 0


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


if __name__ == "__main__":
    sys.exit(main())
