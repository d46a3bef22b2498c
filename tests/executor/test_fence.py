"""Fenced commands end before their worker's lease can be over: against real processes."""

import asyncio

from cronstream import clock
from cronstream.executor.protocol import Finished, Started
from tests.executor.test_ending import DEAF
from tests.executor.test_holds import LEASED_UNTIL, popped, with_lease
from tests.executor.witness import Witness, a_hold


async def test_a_fenced_command_is_ended_before_its_lease_is_over(witness: Witness) -> None:
    hold = a_hold("sleep 30", ends_before_s=14.5)
    await witness.started(hold)
    witness.lease(for_s=15.0)
    until = clock.monotonic() + 15.0
    finished = await witness.the(Finished, hold.key)

    assert clock.monotonic() < until
    assert (finished.outcome, finished.exit_status) == ("interrupted", None)
    assert finished.note == "its worker's lease was about to be over, and it is fenced"


async def test_one_that_ignores_term_is_killed_after_its_grace(witness: Witness) -> None:
    hold = a_hold(DEAF, ends_before_s=14.5, grace_s=0.2)
    await witness.started(hold)
    witness.lease(for_s=15.0)
    until = clock.monotonic() + 15.0
    finished = await witness.the(Finished, hold.key)

    assert clock.monotonic() < until
    assert (finished.outcome, finished.signal) == ("interrupted", 9)


async def test_it_goes_on_as_long_as_the_lease_is_renewed(witness: Witness) -> None:
    hold = a_hold("sleep 4; exit 3", ends_before_s=1.0)
    await witness.started(hold)
    witness.lease(for_s=4.0)
    await asyncio.sleep(0.5)
    witness.lease(for_s=60.0)

    assert (await witness.the(Finished, hold.key)).exit_status == 3


async def test_one_without_a_fence_outlives_the_lease(witness: Witness) -> None:
    hold = a_hold("sleep 0.8")
    await witness.started(hold)
    witness.lease(for_s=0.2)
    finished = await witness.the(Finished, hold.key)

    assert finished.outcome == "succeeded"


async def test_a_lease_that_is_told_again_shorter_ends_it_at_once(witness: Witness) -> None:
    hold = a_hold("sleep 30", ends_before_s=0.0)
    await witness.started(hold)
    other = a_hold("sleep 0.3", partition="q", ends_before_s=0.0)
    witness.lease("q")
    witness.lease("p", for_s=0.0)
    witness.send(other)

    assert (await witness.the(Finished, hold.key)).outcome == "interrupted"
    assert (await witness.the(Finished, other.key)).outcome == "succeeded"
    assert len(witness.of(Started)) == 2


def test_a_fenced_command_does_not_start_when_it_would_be_ended_at_once() -> None:
    fenced, other = a_hold(key="a", ends_before_s=5.0), a_hold(key="b")
    waiting = with_lease(fenced, other)
    assert popped(waiting, monotonic=LEASED_UNTIL - 5) == ["b"]
    waiting.lease("p", LEASED_UNTIL + 1)

    assert popped(waiting, monotonic=LEASED_UNTIL - 5) == ["a"]
