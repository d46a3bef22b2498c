"""A worker that leaves partitions, all or some: what it still starts, and what it gives back."""

import pytest

from cronstream.core.protocol.actions import Cancel, End, Hand, key_of
from cronstream.core.wire.entries import Claimed, Heartbeat, Owned, Released
from cronstream.core.wire.enumerations import Delivery
from cronstream.core.wire.runs import Run
from tests.ledger_builders import due
from tests.member_builders import BACKUP, Worker, owner, report_started

_OTHER, _READS = Owned(worker="w2", number=1), Heartbeat(worker="w2", number=2)


def with_claims(*seconds: float, **changes: object) -> tuple[Worker, list[Run]]:
    """A worker whose executor has runs that are due then."""
    runs = [due(second, **changes) for second in seconds]
    worker = owner(*runs)
    worker.settle()
    assert len(worker.of(Hand)) == len(runs)
    return worker, runs


def stop(worker: Worker, *, hands_over: bool = True) -> None:
    worker.member.drain(hands_over=hands_over)
    worker.wake()


def given_back(worker: Worker) -> list[str]:
    return [key.partition("#")[0] for key in dict.fromkeys(worker.keys(Cancel))]


def test_who_stops_gives_back_at_once_what_is_due_after_a_rebalance_has_passed() -> None:
    worker, [_, later] = with_claims(9, 11)
    stop(worker)

    assert given_back(worker) == [later.id]


def test_who_stops_and_has_nobody_to_hand_over_to_gives_back_all() -> None:
    worker, runs = with_claims(1, 9, 11)
    stop(worker, hands_over=False)

    assert given_back(worker) == [run.id for run in runs]


def test_what_is_due_before_the_next_owner_is_there_stays_until_it_has_started() -> None:
    worker, [run] = with_claims(9)
    stop(worker)
    worker.assign()
    worker.wake(9)
    report_started(worker, key_of(run.id, 0))
    worker.wake(5)

    assert not worker.of(Cancel)


def test_once_the_next_owner_has_read_the_log_only_what_is_due_at_once_is_kept_from_it() -> None:
    worker, [_, soon] = with_claims(7.5, 8.5)
    stop(worker)
    worker.assign()
    worker.wake(5)
    worker.log(_OTHER)
    worker.wake()
    assert not worker.of(Cancel)
    worker.log(_READS)
    worker.wake()

    assert given_back(worker) == [soon.id]


def test_what_waits_for_a_slot_is_given_back_when_it_stops_and_when_its_time_is_over() -> None:
    worker, [waits, soon] = with_claims(0, 9)
    worker.wake(0.6)
    stop(worker)
    assert given_back(worker) == [waits.id]
    worker.assign()
    worker.wake(9.9)
    assert given_back(worker) == [waits.id]
    worker.wake(0.7)

    assert given_back(worker) == [waits.id, soon.id]


def test_who_hears_that_the_others_leave_too_gives_back_all() -> None:
    worker, [run] = with_claims(5)
    stop(worker)
    assert not worker.of(Cancel)
    stop(worker, hands_over=False)

    assert given_back(worker) == [run.id]


def test_what_needs_a_word_before_it_starts_is_given_back_at_once() -> None:
    worker, [run] = with_claims(5, delivery=Delivery.AT_MOST_ONCE)
    stop(worker)

    assert given_back(worker) == [run.id]


def test_what_would_be_ended_as_soon_as_it_starts_is_given_back_at_once() -> None:
    worker, [run] = with_claims(5)
    [held] = worker.member.holding.values()
    held.run = run.derive(drain_s=0.0)
    stop(worker)

    assert given_back(worker) == [run.id]


def test_commands_end_after_the_drain_times_of_their_jobs() -> None:
    worker, runs = with_claims(0, 1, 2, 3)
    times = (0.0, 5.0, 60.0, None)
    for drain_s, held in zip(times, worker.member.holding.values(), strict=True):
        held.run = held.run.derive(drain_s=drain_s)
    assert worker.member.drain_times(20.0) == [5.0, 20.0]
    for limit_s, number in ((0.0, 1), (5.0, 2), (20.0, 2), (60.0, 3)):
        worker.did.clear()
        worker.member.end_all("stops", limit_s)
        worker.collect()
        assert [key.partition("#")[0] for key in worker.keys(End)] == [r.id for r in runs[:number]]
    worker.did.clear()
    worker.member.end_all("stops")
    worker.collect()
    assert len(worker.of(End)) == len(runs)


def test_a_claim_that_is_on_its_way_is_given_back_at_once() -> None:
    worker = owner(due(5))
    worker.wake()
    assert worker.appended(Claimed)
    stop(worker)

    assert given_back(worker) == [due(5).id]


def test_a_partition_that_went_elsewhere_is_left_as_by_one_that_stops() -> None:
    worker, [_, later, last] = with_claims(1, 9, 11)
    worker.assign(1)
    worker.wake()
    assert given_back(worker) == [last.id]
    worker.log(_OTHER, _READS)
    worker.wake()

    assert given_back(worker) == [last.id, later.id]


def test_an_owner_that_was_there_before_is_none_that_follows() -> None:
    worker, _ = with_claims(5)
    worker.log(_OTHER, _READS)
    worker.assign(1)
    worker.log(_READS)
    worker.wake()

    assert not worker.of(Cancel)


def test_an_owner_that_was_there_first_after_the_rebalance_follows() -> None:
    worker, [run] = with_claims(5)
    worker.member.revoked()
    worker.log(_OTHER, _READS)
    worker.member.assigned([], lambda _: pytest.fail("nothing is its own"))
    worker.wake()

    assert given_back(worker) == [run.id]


def test_a_partition_that_comes_back_is_left_no_more() -> None:
    worker, _ = with_claims(5)
    worker.assign(1)
    worker.wake()
    worker.assign(0, 1)
    worker.flush()
    worker.wake(20)

    assert not worker.of(Cancel)
    assert not worker.appended(Released)


def test_an_owner_shows_that_it_has_read_the_log_where_another_holds_something() -> None:
    worker = Worker()
    claim = Claimed(run=due(5).id, version=0, worker="w2", number=1)
    worker.logs[0] += [(100.0, [BACKUP, due(5)]), (100.0, [claim])]
    worker.assign(0)
    worker.wake()
    assert not worker.appended(Heartbeat)
    worker.flush()
    worker.wake()

    assert worker.appended(Heartbeat)
