"""When commands start though the machine's clock steps."""

import pytest

from cronstream import clock
from cronstream.executor.dial import Dial
from cronstream.executor.holds import Holds
from cronstream.executor.protocol import Clock, Started
from tests.executor.witness import Witness, a_hold, now


class Machine:
    """Two clocks, of which one may step."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1000.0, 5.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def dial(machine: Machine) -> Dial:
    return Dial(lambda: machine.wall, lambda: machine.monotonic)


@pytest.mark.parametrize("step_s", [-600.0, -3.0, 3.0, 600.0])
def test_a_command_starts_at_its_time_though_the_clock_steps_before(
    machine: Machine, dial: Dial, step_s: float
) -> None:
    waiting = Holds()
    waiting.lease("p", 100.0)
    waiting.hold(a_hold(key="k", at=1020.0))
    machine.wall += step_s
    machine.passes(19.9)
    assert waiting.pop_due(now=dial.now(), monotonic=machine.monotonic) is None
    machine.passes(0.1)

    assert waiting.pop_due(now=dial.now(), monotonic=machine.monotonic) is not None


def test_it_follows_a_step_once_the_worker_has_found_the_clock_right(
    machine: Machine, dial: Dial
) -> None:
    machine.wall -= 600
    dial.set(machine.wall - machine.monotonic)
    machine.passes(3)

    assert dial.now() == machine.wall == 403.0


@pytest.mark.parametrize("key", ["before", "after"])
async def test_an_executor_goes_by_the_clock_that_it_is_told(witness: Witness, key: str) -> None:
    """One that is due in an hour by its own clock is due now by the right one."""
    witness.lease()
    orders = [a_hold(key=key, at=now() + 3600), Clock(now() - clock.monotonic() + 3600)]
    witness.send(*(orders if key == "before" else reversed(orders)))
    started = await witness.the(Started, key)

    assert started.at == pytest.approx(now() + 3600, abs=5)


def test_two_clocks_are_compared_well_though_the_process_had_to_wait_for_a_core(
    machine: Machine,
) -> None:
    waits = iter([0.05, 0.0, 0.03, 0.0, 0.2])

    def wall() -> float:
        machine.passes(next(waits))
        return machine.wall

    assert Dial(wall, lambda: machine.monotonic).now() == pytest.approx(machine.wall, abs=1e-9)
