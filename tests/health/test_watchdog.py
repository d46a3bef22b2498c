"""The thread that ends a process whose event loop is stuck."""

import logging
import subprocess
import sys

import pytest

from cronstream.health.watchdog import STATUS, Watchdog

#: A process whose main thread is stuck, and holds the lock of the log as well.
STUCK = """
import logging, sys, time
from cronstream.health import watchdog
watchdog._STEP_S = watchdog._LAST_WORD_S = 0.05
logging.basicConfig(stream=sys.stdout)
dog = watchdog.Watchdog(0.2)
dog.start()
if sys.argv[1:] == ["locked"]:
    logging.getLogger().handlers[0].acquire()
time.sleep(20)
"""


def _dog(limit_s: float) -> tuple[Watchdog, list[int]]:
    left: list[int] = []
    return Watchdog(limit_s, left.append), left


def test_a_loop_that_turns_is_let_be() -> None:
    dog, left = _dog(2)

    for _ in range(20):
        dog.feed()
        assert not dog.look()

    assert left == []


def test_a_loop_that_turns_no_more_ends_the_process_with_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dog, left = _dog(3)
    dog.feed()

    with caplog.at_level(logging.CRITICAL):
        looks = [dog.look() for _ in range(4)]

    assert looks == [False, False, False, True]
    assert left == [STATUS]
    assert len(caplog.messages) == 1
    assert "event loop has been stuck for 3 s" in caplog.text


def test_a_process_that_was_held_up_as_a_whole_has_missed_one_look() -> None:
    dog, left = _dog(3)
    dog.feed()
    dog.look()  # and here nobody looks for hours, the dog as little as the loop
    dog.look()
    dog.feed()

    assert not any(dog.look() for _ in range(3))
    assert left == []


def test_a_process_that_cannot_end_in_good_order_is_ended() -> None:
    dog, left = _dog(30)
    dog.end_within(2)
    dog.stop()  # what ends has no say in that any more
    dog.feed()

    assert [dog.look(), dog.look()] == [False, True]
    assert left == [STATUS]


@pytest.mark.parametrize("how", ["free", "locked"])
def test_a_stuck_process_is_ended_though_its_log_may_be_stuck_too(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK, how], capture_output=True, text=True, timeout=15, check=False
    )

    assert done.returncode == STATUS
    assert ("has been stuck for 0.2 s (in <module>, <string>:10)" in done.stdout) is (how == "free")
