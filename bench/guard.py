"""Ratios for the regression guard (``tests/bench``): no times, so a slow machine is no fault.

    python -m bench.guard

Prints one JSON object: starts of the executor to those of a bare loop of ``posix_spawn``, and
entries decoded and folded to those that a plain loop goes through, each the best of some rounds.
"""

import asyncio
import json

from bench import executor, floors, fold

_PROGRAM = "/bin/true"
_ROUNDS = 3


def _executor_to_floor(number: int = 300) -> float:
    best = 0.0
    for _ in range(_ROUNDS):
        before = floors.posix_spawn([_PROGRAM], number, 4)
        row = asyncio.run(executor.drain(_PROGRAM, number))
        after = floors.posix_spawn([_PROGRAM], number, 4)
        best = max(best, row["per_s"] / ((before + after) / 2))
    return best


def _fold_to_plain() -> float:
    rows = [fold.measure(2000) for _ in range(_ROUNDS)]
    return max(row["decode_and_fold_per_s"] / row["plain_per_s"] for row in rows)


if __name__ == "__main__":
    ratios = {"executor_to_floor": _executor_to_floor(), "fold_to_plain": _fold_to_plain()}
    print(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}))
