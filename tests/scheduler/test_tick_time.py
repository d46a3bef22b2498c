import pytest

from cronstream.scheduler.tick_time import seconds_until_mid_second
from tests.builders import at


@pytest.mark.parametrize(
    ("within", "wait"),
    [(0.0, 0.5), (0.3, 0.2), (0.4, 0.0), (0.6, 0.0), (0.9, 0.0), (0.95, 0.55)],
)
def test_a_tick_waits_for_the_middle_of_a_second_unless_it_is_near(
    within: float, wait: float
) -> None:
    assert seconds_until_mid_second(at(within)) == pytest.approx(wait)
