"""How long an ill is borne, and when a loop or a fold stands still."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.health.judgement import HEALTHY, Health
from cronstream.core.health.too_long import Missed, Standstill, UnhealthyTime

BAD = Health(ok=False, reason="it is so", ends=True)
LASTING = Health(ok=False, reason="it is so", ends=False)


def _looks(patience: UnhealthyTime, healths: list[Health], step_s: float = 1.0) -> list[bool]:
    return [patience.is_over(health, i * step_s) for i, health in enumerate(healths)]


def test_patience_is_over_after_its_span() -> None:
    assert _looks(UnhealthyTime(3, 2), [BAD] * 5) == [False, False, False, True, True]


@pytest.mark.parametrize("between", [HEALTHY, LASTING])
def test_patience_begins_anew_after_anything_else(between: Health) -> None:
    assert not any(_looks(UnhealthyTime(3, 2), [BAD, BAD, BAD, between, BAD, BAD, BAD]))


def test_what_lasts_never_ends_a_process() -> None:
    assert not any(_looks(UnhealthyTime(3, 2), [LASTING] * 50))


def test_no_patience_means_that_a_process_is_never_ended() -> None:
    assert not any(_looks(UnhealthyTime(0, 2), [BAD] * 50))


@given(st.floats(min_value=2, max_value=1e9))
def test_a_process_that_was_held_up_has_its_patience_as_it_was(gap_s: float) -> None:
    patience = UnhealthyTime(10, 2)
    patience.is_over(BAD, 0.0)
    patience.is_over(BAD, 1.0)

    assert not patience.is_over(BAD, 1.0 + gap_s)


# -- loops and folds --------------------------------------------------------------------------


def test_a_loop_is_stuck_after_so_many_looks_without_a_turn() -> None:
    missed = Missed(3)

    assert [missed.is_stuck(turns) for turns in (5, 5, 5, 6, 6, 6, 6)] == [False] * 6 + [True]


def test_a_fold_stands_still_from_when_it_was_first_seen_where_it_is() -> None:
    still = Standstill()

    assert still.look({1: 10, 2: 20}, 0.0) == {1: 0.0, 2: 0.0}
    assert still.look({1: 10, 2: 21}, 5.0) == {1: 0.0, 2: 5.0}
    assert still.look({2: 21}, 6.0) == {2: 5.0}
    assert still.look({1: 10}, 7.0) == {1: 7.0}
