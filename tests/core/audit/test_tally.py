"""How late starts were, in memory that does not grow."""

import pytest

from cronstream.core.audit.tally import Delays


def test_percentiles_are_true_to_two_percent() -> None:
    delays = Delays()
    for i in range(10_000):
        delays.add(i / 1000)
    found = delays.summary()

    assert found["p50"] == pytest.approx(5.0, rel=0.02)
    assert found["p90"] == pytest.approx(9.0, rel=0.02)
    assert found["p99"] == pytest.approx(9.9, rel=0.02)
    assert found["max"] == 9.999


def test_no_percentile_is_more_than_the_maximum() -> None:
    delays = Delays()
    for seconds in (-0.5, 0.0021, 86_400.0):
        delays.add(seconds)

    assert delays.summary() == {"p50": 0.0021, "p90": 86_400, "p99": 86_400, "max": 86_400}


def test_without_a_start_there_is_none() -> None:
    assert Delays().summary() == {"p50": None, "p90": None, "p99": None, "max": None}
