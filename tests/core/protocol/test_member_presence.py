"""A member whose clock is off, and one that keeps to the lease and fence of others."""

from dataclasses import replace

import pytest

from cronstream.core.protocol.actions import Cancel, Hand, Lease
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Claimed, Lost, Released
from tests.builders import a_run
from tests.member_builders import holder, owner


def test_a_member_that_rests_gives_back_what_has_not_started_and_claims_nothing() -> None:
    worker, key = holder(a_run())

    worker.member.rest()
    worker.collect()
    assert worker.keys(Cancel) == [key]
    worker.member.cancelled(key)
    worker.collect()
    assert len(worker.appended(Released)) == 1
    worker.settle()

    assert not worker.member.holding
    assert not worker.appended(Claimed)
    assert len(worker.of(Hand)) == 1


def test_when_its_clock_is_right_again_it_claims_and_starts_what_it_gave_back() -> None:
    worker, key = holder(a_run())
    worker.member.rest()
    worker.member.cancelled(key)
    worker.settle()

    worker.member.resume()
    worker.settle()

    assert len(worker.of(Hand)) == 2
    assert worker.keys(Hand)[-1] != key
    worker.member.resume()
    worker.settle()
    assert len(worker.of(Hand)) == 2


def test_a_clock_that_comes_right_does_not_undo_a_stop() -> None:
    worker, _ = holder(a_run())
    worker.member.rest()
    worker.member.drain()
    worker.member.resume()
    assert worker.member.draining

    worker.member.rest()
    worker.member.resume()
    assert worker.member.draining


def test_what_waits_for_its_barrier_is_not_taken_over_when_it_resumes() -> None:
    worker, _ = holder(a_run())
    worker.member.rest()
    worker.assign(0)
    worker.member.resume()
    worker.collect()

    assert not worker.member.owners[0].ready
    assert len(worker.of(Hand)) == 1


def test_a_holder_starts_by_the_fence_that_it_keeps_to() -> None:
    worker, _ = holder(a_run())
    worker.member.keep_to(replace(worker.member.timing, lease_s=20.0, fence_s=3.0))

    worker.wake(2.0)
    worker.flush()
    worker.wake()

    assert worker.of(Lease)[-1].until == worker.mono + 3.0


@pytest.mark.parametrize(("lease_s", "lost_after_s"), [(6.0, 7), (20.0, 21)])
def test_an_owner_judges_by_the_lease_that_it_keeps_to(lease_s: float, lost_after_s: int) -> None:
    """With its own of 6 s, it would have made again what another may start for 15 s."""
    worker = owner(a_run())
    worker.log(Claimed(run=a_run().id, version=0, worker="w2", number=1))
    worker.settle()
    worker.member.keep_to(replace(worker.member.timing, lease_s=lease_s))

    seconds = 0
    while not worker.appended(Lost) and seconds < 30:
        worker.flush()
        worker.wake(1.0)
        seconds += 1

    assert [lost.worker for lost in worker.appended(Lost)] == ["w2"]
    assert abs(seconds - lost_after_s) <= 1


def test_a_fenced_command_is_ended_by_the_shortest_lease_that_anybody_judges_by() -> None:
    run = a_run(fence=True, grace_s=2.0)
    long = Timing(lease_s=20.0, fence_s=4.5)

    assert long.fence_of(run) == 0.0
    assert replace(long, least_lease_s=6.0).fence_of(run) == 1.5 == Timing().fence_of(run)
    assert replace(long, least_lease_s=6.0).longest_fenced_grace_s == 3.0
