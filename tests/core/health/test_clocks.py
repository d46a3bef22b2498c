"""Which clocks are off, and by how much."""

from datetime import timedelta

import pytest

from cronstream.core.health.clocks import (
    Comparison,
    difference_s,
    fault,
    firing_fault,
    right_s,
    warnings,
)
from cronstream.core.health.presence import Presence
from tests.builders import at
from tests.core.health.test_presence import a_process, a_scheduler


def machines(*clocks: float | None) -> list[Presence]:
    return [a_process(f"node{i}.a", clock_s=clock_s) for i, clock_s in enumerate(clocks)]


@pytest.mark.parametrize(
    ("appended", "found"),
    [(0.5, 0.0), (-600.0, 600.0), (1200.0, -1199.0), (0.0, 0.0), (1.0, 0.0)],
)
def test_a_clock_is_off_by_what_cannot_be_the_way_of_the_message(
    appended: float, found: float
) -> None:
    assert difference_s(at(0), at(appended), at(1)) == found


def test_a_message_that_took_long_and_a_clock_that_stepped_meanwhile_say_nothing() -> None:
    assert difference_s(at(0), at(500), at(1.1)) is None
    assert difference_s(at(0), at(0), at(-1)) is None


@pytest.mark.parametrize(
    ("clocks", "right"),
    [
        ([], 0.0),
        ([None], 0.0),
        ([600.0], 0.0),
        ([0.0, 600.0], 0.0),
        ([0.0, 600.0, 600.0], 0.0),
        ([-600.0, -600.1], -600.0),
        ([0.1, -0.1, -1200.0], 0.0),
    ],
)
def test_the_right_time_is_what_most_clocks_say(clocks: list[float | None], right: float) -> None:
    assert right_s(machines(*clocks)) == right


def test_a_machine_counts_once_however_many_processes_it_has() -> None:
    many = [a_process(f"node1.{i}", clock_s=600.0) for i in range(9)]

    assert right_s(many) == 0.0


@pytest.mark.parametrize(
    ("clock_s", "right", "said"),
    [
        (None, 0.0, ""),
        (5.0, 0.0, ""),
        (-600.0, -600.0, ""),
        (600.0, 0.0, "clock is 600.0 s ahead"),
        (-1200.0, 0.0, "clock is 1200.0 s behind"),
        (0.0, -600.0, "clock is 600.0 s ahead"),
    ],
)
def test_a_worker_claims_nothing_by_a_clock_that_is_off(
    clock_s: float | None, right: float, said: str
) -> None:
    found = fault(clock_s, right)

    assert said in found
    assert bool(found) == bool(said)


def test_each_clock_that_is_off_is_told_once() -> None:
    there = [*machines(0.0, 0.2, 600.0, None), a_process("node2.b", clock_s=600.1)]

    assert warnings(there) == ["the clock of node2 is 600.1 s ahead: set it by NTP"]
    assert warnings(machines(0.0, 0.9)) == []


def test_a_broker_whose_clock_is_off_is_told_and_nobody_else() -> None:
    [line] = warnings(machines(-600.0, -600.2))

    assert line.startswith("the clock of Kafka is 600.0 s ahead")


BEHIND = a_scheduler("node9.me", clock_s=-600.0)
RIGHT = [a_process("node1.w", clock_s=0.0), a_process("node2.w", clock_s=0.1)]


def test_a_scheduler_whose_clock_is_off_leaves_firing_to_one_whose_clock_is_right() -> None:
    other = a_scheduler("node3.s", clock_s=0.2)
    told = firing_fault(BEHIND, [BEHIND, *RIGHT, other])
    assert told == "this machine's clock is 600.0 s behind: it leaves firing to node3.s"


@pytest.mark.parametrize(
    "other",
    [
        a_scheduler("node3.s", clock_s=-600.0),
        a_scheduler("node3.s"),
        a_scheduler("node9.other", clock_s=0.0),
        a_process("node3.s", clock_s=0.0),
    ],
)
def test_where_there_is_none_it_goes_on_though_late(other: Presence) -> None:
    assert firing_fault(BEHIND, [BEHIND, *RIGHT, other]) == ""


@pytest.mark.parametrize("clock_s", [None, -15.0, 15.0, 0.0])
def test_a_scheduler_within_half_of_the_look_ahead_makes_nothing_late(
    clock_s: float | None,
) -> None:
    me = a_scheduler("node9.me", clock_s=clock_s)
    assert firing_fault(me, [me, *RIGHT, a_scheduler("node3.s", clock_s=0.0)]) == ""


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.mark.parametrize(
    ("sent", "appended", "is_trusted", "is_late"),
    [(0, 0, True, False), (30, 0, True, False), (31, 0, False, False), (0, 32, True, True)],
)
def test_a_schedulers_clock_may_be_off_by_what_is_allowed(
    sent: float, appended: float, *, is_trusted: bool, is_late: bool
) -> None:
    compared = Comparison.of(at(sent), at(appended), at(sent + 1), seconds(7))

    assert compared.is_trusted(seconds(7), seconds(30)) is is_trusted
    assert compared.is_late(seconds(7), seconds(30)) is is_late
    assert compared.agrees(seconds(7), seconds(30)) is (is_trusted and not is_late)


@pytest.mark.parametrize(
    ("step", "is_trusted", "is_late"), [(31, False, False), (-31, True, True), (29, True, False)]
)
def test_a_step_is_known_before_the_next_message_is_measured(
    step: float, *, is_trusted: bool, is_late: bool
) -> None:
    compared = Comparison.of(at(0), at(0), at(0), seconds(7))

    assert compared.is_trusted(seconds(7 + step), seconds(30)) is is_trusted
    assert compared.is_late(seconds(7 + step), seconds(30)) is is_late
    assert not compared.agrees(seconds(7 + step), seconds(30)) or (is_trusted and not is_late)


@pytest.mark.parametrize("off", [3600, -3600])
def test_a_step_that_puts_a_clock_right_counts_once_it_was_measured(off: float) -> None:
    compared = Comparison.of(at(off), at(0), at(off), seconds(off))

    assert not compared.agrees(seconds(0), seconds(30))
