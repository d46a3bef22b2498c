"""Ratios for the regression guard (``tests/bench``): no times, so a slow machine is no fault.

    python -m bench.guard

Prints one JSON object: starts of the executor to those of a bare loop of ``posix_spawn``, and
entries decoded and folded to those that a plain loop goes through, each the best of some rounds:
of more where a machine that does something else meanwhile has spoilt the first.
"""

import asyncio
import json
from collections.abc import Callable

from bench import executor, floors, fold

_PROGRAM = "/bin/true"
_ROUNDS = 12
#: What is good enough: half as much again as the tests ask for.
_GOOD = {"executor_to_floor": 0.5, "fold_to_plain": 0.038}


def _executor_to_floor(number: int = 300) -> float:
    before = floors.posix_spawn([_PROGRAM], number, 4)
    row = asyncio.run(executor.drain(_PROGRAM, number))
    after = floors.posix_spawn([_PROGRAM], number, 4)
    found: float = row["per_s"] / ((before + after) / 2)
    return found


def _fold_to_plain() -> float:
    row = fold.measure(2000)
    return row["decode_and_fold_per_s"] / row["plain_per_s"]


def _best(measure: Callable[[], float], good: float) -> float:
    best = 0.0
    for _ in range(_ROUNDS):
        best = max(best, measure())
        if best >= good:
            break
    return best


if __name__ == "__main__":
    measures = {"executor_to_floor": _executor_to_floor, "fold_to_plain": _fold_to_plain}
    ratios = {name: _best(measure, _GOOD[name]) for name, measure in measures.items()}
    print(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}))
