"""When in a second the loops of a process look."""

import pytest

from cronstream import clock


@pytest.mark.parametrize(
    ("within", "period_s", "wait_s"),
    [
        (0.0, 1.0, 1.25),
        (0.25, 1.0, 1.0),
        (0.2499, 1.0, 1.0001),  # A timer that is a little early is not followed by another.
        (0.75, 1.0, 0.5),
        (0.8, 1.0, 1.45),
        (0.3, 0.5, 0.45),
        (1.25, 2.0, 1.0),
    ],
)
def test_the_next_step_is_at_least_half_a_period_away(
    within: float, period_s: float, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock.Steps, "phase_s", 0.25)
    monkeypatch.setattr(clock, "wall", lambda: 1_000_000.0 + within)
    assert clock.until_step(period_s) == pytest.approx(wait_s, abs=1e-4)


def test_all_loops_of_a_process_come_to_their_steps_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "wall", lambda: 1_000_001.3)
    apart_s = clock.until_step(2.0) - clock.until_step(1.0)
    assert apart_s == pytest.approx(round(apart_s), abs=1e-6)
