"""Rule 26: what waits for a slot is lent to workers of the role that have one free."""

from typing import Any

import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.protocol.actions import Cancel, Hand, Lease
from cronstream.core.protocol.lending import Others
from cronstream.core.trust.judging import Judgement, Standing
from cronstream.core.wire.entries import (
    Claimed,
    Entry,
    Heartbeat,
    Level,
    Lost,
    Released,
    Skipped,
    Started,
)
from cronstream.core.wire.enumerations import Delivery, Overlap
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.ledger_builders import due, finished
from tests.member_builders import BACKUP, Worker, owner, report_started

#: One other worker, which has two slots, and from which nothing is lent.
IDLE = Others(slots=2)
LATEST = Level(level=4)


def _full(*more: Run, **timing: Any) -> Worker:
    """An owner with one slot, on which a run has started at noon, and more that were due then."""
    worker = owner(LATEST, due(0), *more, slots=1, **timing)
    worker.member.others = IDLE
    worker.settle()
    report_started(worker, worker.keys(Hand)[0])
    worker.flush()
    return worker


def _give_back(worker: Worker) -> None:
    """Its executor says that what was cancelled has never started."""
    for key in worker.keys(Cancel):
        worker.member.cancelled(key)
    worker.collect()
    worker.flush()


def _asked_for(number: int, **fields: Any) -> Run:
    return a_run(revision=None, number=number, **fields)


def _borrower(*entries: Entry, **timing: Any) -> Worker:
    """A worker that owns partition 1 and reads partition 0, from which another lends."""
    worker = Worker(**{"slots": 2, **timing})
    worker.logs[0].append((worker.mono, [BACKUP, *entries]))
    worker.logs[1].append((worker.mono, [LATEST]))
    worker.assign(1)
    worker.flush()
    worker.member.others = Others(slots=0, lending=frozenset({0}))
    worker.wake(1)
    worker.member.lend_ledger(0, Ledger(retry=False))
    worker.read(0)
    worker.mono += 0.1
    return worker


# -- lending ---------------------------------------------------------------------------------------


def test_what_waits_for_a_slot_is_given_back_once_its_executor_says_that_it_never_started() -> None:
    worker = _full(_asked_for(1))
    worker.wake(0.5)
    key = worker.keys(Hand)[1]
    assert worker.keys(Cancel) == [key]
    assert not worker.appended(Released)
    worker.member.cancelled(key)
    worker.collect()

    assert [entry.run for entry in worker.appended(Released)] == [_asked_for(1).id]
    assert worker.member.lending == {0}


def test_what_has_waited_for_a_moment_only_is_kept() -> None:
    worker = _full(_asked_for(1))
    worker.wake(0.2)

    assert not worker.keys(Cancel)
    assert not worker.member.lending


def test_nothing_is_lent_while_a_slot_is_free() -> None:
    worker = owner(LATEST, due(0), _asked_for(1), slots=3)
    worker.member.others = IDLE
    worker.settle()
    worker.wake(5)

    assert not worker.keys(Cancel)


@pytest.mark.parametrize(
    "others", [Others(), Others(slots=0, lending=frozenset({7}))], ids=["nobody", "all are full"]
)
def test_nothing_is_lent_if_nobody_may_have_a_slot_free(others: Others) -> None:
    worker = _full(_asked_for(1))
    worker.member.others = others
    worker.wake(5)

    assert not worker.keys(Cancel)
    assert not worker.member.lending


def test_no_more_is_given_back_than_the_others_can_take_soon() -> None:
    worker = _full(*(_asked_for(number) for number in range(9)))
    worker.wake(0.5)
    worker.wake(0.5)

    assert len(worker.keys(Cancel)) == 4


def test_what_was_given_back_is_claimed_again_as_slots_come_free() -> None:
    worker = _full(*(_asked_for(number) for number in range(3)))
    worker.wake(0.5)
    _give_back(worker)
    worker.settle()
    assert len(worker.keys(Hand)) == 4
    worker.member.finished(worker.keys(Hand)[0], _finished(worker.of(Hand)[0]))
    worker.collect()
    worker.flush()
    worker.settle()

    assert len(worker.keys(Hand)) == 5


def _finished(hand: Hand) -> Any:
    return finished(hand.run, int(hand.key.rpartition("#")[2]))


def _finish(worker: Worker, *hands: Hand) -> None:
    for hand in hands:
        report_started(worker, hand.key)
        worker.member.finished(hand.key, _finished(hand))
    worker.collect()
    worker.flush()


def _claimed_by_another(worker: Worker, *keys: str) -> None:
    live = worker.member.ledgers[0].book.live
    for one in [live[key.rpartition("#")[0]] for key in keys]:
        worker.log(Claimed(run=one.run.id, version=one.version, worker="other", number=1))


def test_what_has_a_slot_soon_is_kept_where_slots_come_free_fast() -> None:
    worker = _full(*(_asked_for(number) for number in range(12)))
    hands = worker.of(Hand)
    _finish(worker, *hands[:3])
    worker.wake(0.2)
    _finish(worker, *hands[3:6])
    report_started(worker, hands[6].key)
    worker.wake(0.55)

    assert worker.keys(Cancel) == [hand.key for hand in hands[10:]]


def test_what_nobody_has_claimed_comes_back_for_its_turn_and_no_more_is_lent_meanwhile() -> None:
    worker = _full(*(_asked_for(n, not_before=at(n / 100)) for n in range(14)))
    worker.wake(0.5)
    _give_back(worker)
    lent = worker.keys(Cancel)
    kept = [hand for hand in worker.of(Hand) if hand.key not in lent]
    _finish(worker, *kept[:4])
    worker.wake(0.2)
    _finish(worker, *kept[4:8])
    report_started(worker, kept[8].key)
    worker.wake(0.55)
    worker.flush()
    worker.wake()
    worker.flush()

    assert [hand.run.number for hand in worker.of(Hand)[15:]] == [0, 1]
    worker.wake(0.2)
    assert worker.keys(Cancel) == lent


def test_twice_as_much_is_lent_at_once_when_others_have_claimed_what_was() -> None:
    worker = _full(*(_asked_for(number) for number in range(99)))
    worker.member.others = Others(slots=40)
    worker.wake(0.5)
    first = worker.keys(Cancel)
    assert len(first) == 16
    _give_back(worker)
    _claimed_by_another(worker, *first)
    worker.wake(0.1)

    assert len(worker.keys(Cancel)) == 16 + 32


def test_what_its_owner_claims_again_itself_is_not_claimed_by_others() -> None:
    worker = _full(*(_asked_for(number) for number in range(99)))
    worker.member.others = many = Others(slots=40)
    worker.wake(0.5)
    _give_back(worker)
    lent = len(worker.keys(Cancel))
    worker.member.others = Others()
    worker.settle()
    worker.member.others = many
    worker.wake(0.1)

    assert len(worker.keys(Cancel)) == lent + 16


def test_how_much_others_have_claimed_counts_no_more_once_a_slot_was_free() -> None:
    worker = _full(*(_asked_for(number) for number in range(3)))
    worker.member.others = Others(slots=40)
    worker.wake(0.5)
    lent = worker.keys(Cancel)
    _give_back(worker)
    _claimed_by_another(worker, *lent)
    worker.wake(0.1)
    _finish(worker, worker.of(Hand)[0])
    worker.wake(0.1)
    worker.log(*(_asked_for(number, not_before=at(3)) for number in range(10, 99)))
    worker.settle()
    report_started(worker, worker.keys(Hand)[4])
    worker.wake(3)

    assert len(worker.keys(Cancel)) == len(lent) + 16


def test_what_was_given_back_is_claimed_again_when_nobody_may_have_a_slot_any_more() -> None:
    worker = _full(*(_asked_for(number) for number in range(3)))
    worker.wake(0.5)
    _give_back(worker)
    worker.member.others = Others()
    worker.settle()

    assert len(worker.keys(Hand)) == 7


@pytest.mark.parametrize(
    "fields",
    [{"delivery": Delivery.AT_MOST_ONCE}, {"overlap": Overlap.SKIP}],
    ids=["at_most_once", "may not overlap"],
)
def test_what_its_owner_has_a_say_in_is_never_lent(fields: dict[str, Any]) -> None:
    worker = _full(_asked_for(1, **fields))
    worker.wake(5)

    assert not worker.keys(Cancel)
    assert not worker.member.lending


def test_nothing_is_lent_on_a_log_that_was_not_raised_to_it() -> None:
    worker = owner(Level(level=3), due(0), _asked_for(1), slots=1)
    worker.member.others = IDLE
    worker.settle()
    report_started(worker, worker.keys(Hand)[0])
    worker.wake(5)

    assert not worker.keys(Cancel)


def test_nothing_is_lent_while_a_rebalance_is_under_way_or_once_it_is_to_stop() -> None:
    worker = _full(_asked_for(1))
    worker.member.revoked()
    worker.wake(0.5)
    assert not worker.member.lending
    worker.member.rebalancing = False
    worker.wake(0.5)
    assert worker.member.lending == {0}
    worker.member.drain()
    worker.wake(0.5)

    assert not worker.member.lending


def test_what_comes_too_late_is_skipped_though_no_slot_is_free() -> None:
    late = due(1).derive(start_within_s=1.0)
    worker = _full(*(_asked_for(number) for number in range(3)), late)
    worker.wake(0.5)
    _give_back(worker)
    worker.wake(5)
    _give_back(worker)
    worker.wake(0.5)
    worker.wake(0.5)

    assert [entry.run for entry in worker.appended(Skipped)] == [late.id]


# -- borrowing -------------------------------------------------------------------------------------


def test_a_borrower_claims_what_waits_where_others_lend() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.wake(0.1)
    [claim] = worker.appended(Claimed)

    assert (claim.run, claim.worker, claim.borrowed) == (_asked_for(1).id, "w1", True)


def test_a_borrower_starts_what_it_has_claimed_once_it_has_read_its_claim_as_the_winner() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.wake(0.1)
    assert not worker.of(Hand)
    worker.flush()
    worker.wake()
    [hand] = worker.of(Hand)

    assert (hand.partition, hand.go, hand.run.id) == (0, True, _asked_for(1).id)
    assert worker.member.borrowed == 1
    assert [lease.partition for lease in worker.of(Lease)][-1] == 0


def test_a_borrower_that_comes_second_starts_nothing() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.wake(0.1)
    [claim] = worker.appended(Claimed)
    worker.log(claim.derive(worker="w2"))
    worker.flush()
    worker.wake()

    assert not worker.of(Hand)
    assert not worker.member.claiming


def test_a_borrower_claims_no_more_than_it_has_slots_for_beside_what_is_its_own_soon() -> None:
    worker = _borrower(LATEST, *(_asked_for(number) for number in range(5)))
    worker.log(_asked_for(7, not_before=at(1.5)), partition=1)
    worker.settle()

    assert len([hand for hand in worker.of(Hand) if hand.partition == 0]) == 1


def test_a_borrower_says_that_it_is_there_on_the_partition_that_it_borrows_from() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.settle()
    worker.wake(1.1)
    beats = [append.partition for append in worker.unsent if isinstance(append.entry, Heartbeat)]

    assert 0 in beats


def test_a_borrower_that_was_taken_for_lost_ends_what_it_has() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.settle()
    [hand] = worker.of(Hand)
    report_started(worker, hand.key)
    beat = worker.member.ledgers[0].book.beats["w1"]
    worker.log(Lost(worker="w1", number=beat.number))
    worker.wake()

    assert worker.of(type(worker.did[-1]))
    assert worker.did[-1].key == hand.key  # type: ignore[union-attr]


def test_a_borrower_does_not_touch_what_has_just_become_due() -> None:
    worker = _borrower(LATEST, _asked_for(1, not_before=at(1)))
    worker.wake(0.1)

    assert not worker.appended(Claimed)


def test_what_others_have_made_where_it_reads_hides_nothing_from_a_borrower() -> None:
    worker, made = _borrower(LATEST), [_asked_for(number) for number in range(6_000)]
    offset = worker.log(*made)
    worker.log(*(Claimed(run=run.id, version=offset, worker="w2", number=1) for run in made))
    worker.log(_asked_for(9_999, not_before=at(0.1)))
    worker.wake(1)

    assert [claim.run for claim in worker.appended(Claimed)] == [_asked_for(9_999).id]
    assert len(worker.member.ledgers[0].book.waiting) == 1


def test_what_was_made_behind_what_waits_for_long_does_not_heap_up_with_a_borrower() -> None:
    worker, made = _borrower(LATEST), [_asked_for(number) for number in range(6_000)]
    worker.log(_asked_for(9_999, delivery=Delivery.AT_MOST_ONCE, not_before=at(-1)))
    for some in (made[:2_000], made[2_000:4_000], made[4_000:]):
        offset = worker.log(*some)
        worker.log(*(Claimed(run=run.id, version=offset, worker="w2", number=1) for run in some))
        worker.log(*(finished(run, offset, worker="w2") for run in some))
        worker.wake(1)

    assert len(worker.member.ledgers[0].book.waiting) <= 2_001


def test_a_borrower_leaves_what_it_does_not_trust() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.member.trusting.judge = lambda _: Judgement(Standing.REFUSED, "forged")
    worker.wake(0.1)

    assert not worker.appended(Claimed)


def test_a_borrower_that_is_to_stop_gives_back_what_has_not_started() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.settle()
    worker.member.drain()
    worker.wake()

    assert worker.keys(Cancel) == worker.keys(Hand)


def test_a_partition_is_read_on_until_nothing_was_lent_from_it_for_a_while() -> None:
    worker = _borrower(LATEST)
    worker.member.others = Others()
    worker.wake(29)
    assert worker.member.to_follow() == {0}
    worker.wake(2)
    worker.wake()

    assert worker.member.to_follow() == set()
    assert 0 not in worker.member.ledgers


def test_a_partition_that_becomes_its_own_is_owned_with_what_was_read_of_it() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    ledger = worker.member.ledgers[0]
    worker.assign(0, 1)
    worker.flush()
    worker.settle()

    assert worker.member.ledgers[0] is ledger
    assert [hand.run.id for hand in worker.of(Hand)] == [_asked_for(1).id]
    assert not worker.member.borrowing


def test_a_ledger_that_nobody_asked_for_any_more_is_not_taken() -> None:
    worker = Worker()
    worker.member.lend_ledger(0, Ledger(retry=False))

    assert not worker.member.ledgers


def test_a_worker_without_a_free_slot_reads_nothing_to_borrow() -> None:
    worker = _full()
    worker.member.others = Others(slots=0, lending=frozenset({1}))
    worker.wake(1)

    assert worker.member.to_load() == set()


def test_what_has_started_with_a_borrower_is_told_on_the_lenders_log() -> None:
    worker = _borrower(LATEST, _asked_for(1))
    worker.settle()
    [hand] = worker.of(Hand)
    report_started(worker, hand.key)

    told = [
        (append.partition, append.entry.run)
        for append in worker.unsent
        if isinstance(append.entry, Started)
    ]
    assert told == [(0, _asked_for(1).id)]


def test_what_is_looked_at_to_lend_or_borrow_does_not_grow_with_what_waits() -> None:
    looked: list[str] = []

    def judge(run: Run) -> Judgement:
        looked.append(run.id)
        return Judgement(Standing.TRUSTED)

    worker = _borrower(LATEST, *(_asked_for(number) for number in range(3_000)))
    worker.member.trusting.judge = judge
    worker.wake(0.1)

    assert len(worker.appended(Claimed)) == 2
    assert len(looked) < 20
