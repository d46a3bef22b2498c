"""Whether something has become several times slower: by ratios to a floor in the same run.

The margins are wide. On a quiet machine the executor reaches 0.8 to 1.0 of the floor, and a fold
0.07 of the plain loop; see docs/performance.md.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ratios() -> dict[str, float]:
    """Measured in a process of its own, which is not traced for coverage."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    words = [sys.executable, "-m", "bench.guard"]
    done = subprocess.run(words, cwd=_ROOT, env=plain, check=True, capture_output=True, timeout=280)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def test_the_executor_starts_at_least_a_third_as_fast_as_a_bare_loop(
    ratios: dict[str, float],
) -> None:
    assert ratios["executor_to_floor"] > 0.33


def test_an_entry_is_folded_in_less_than_forty_times_what_a_plain_loop_takes(
    ratios: dict[str, float],
) -> None:
    assert ratios["fold_to_plain"] > 0.025
