"""One worker: what it hands to its executor, gives back, renews and judges, step by step."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.protocol import claiming
from cronstream.core.protocol.actions import (
    Cancel,
    End,
    Go,
    Hand,
    Lease,
    Publish,
    key_of,
    run_and_claim,
)
from cronstream.core.wire.entries import (
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Heartbeat,
    Lost,
    Owned,
    Released,
    Settled,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Delivery, Outcome, Verdict
from cronstream.core.wire.runs import Discarded, Run
from tests.builders import NOON, a_run, at
from tests.ledger_builders import beat, due, finished
from tests.member_builders import BACKUP, Worker, first, holder, owner, report_started

ONCE = Delivery.AT_MOST_ONCE


# -- keys ------------------------------------------------------------------------------------------


def test_a_key_names_run_and_claim_whatever_is_in_the_jobs_name() -> None:
    assert run_and_claim(key_of("a#b@2026-01-01T12:00:00Z!run-now-1", 7)) == (
        "a#b@2026-01-01T12:00:00Z!run-now-1",
        7,
    )


# -- rules 3 and 4: the barrier, and claims --------------------------------------------------------


def test_nothing_is_decided_before_the_barrier_is_read_back() -> None:
    worker = Worker()
    worker.logs[0].append((worker.mono, [BACKUP, a_run()]))
    worker.assign(0)
    worker.wake()
    assert [type(entry) for entry in worker.appended(Owned, Claimed)] == [Owned]
    worker.flush()
    worker.wake()

    assert worker.appended(Claimed)


def test_only_the_owned_of_the_last_assignment_is_the_barrier() -> None:
    worker = Worker()
    worker.logs[0].append((worker.mono, [BACKUP, a_run()]))
    worker.assign(0)
    former = worker.unsent.pop()
    worker.assign(0)
    worker.log(former.entry)
    worker.wake()

    assert not worker.appended(Claimed)


def test_a_barrier_that_comes_doubled_forgets_no_claim_that_is_on_its_way() -> None:
    worker = owner(a_run())
    barrier = first(
        entry for _, entries in worker.logs[0] for entry in entries if type(entry) is Owned
    )
    worker.wake()
    worker.log(barrier)
    worker.assign()

    assert worker.keys(Cancel) == [key_of(a_run().id, 0)]


def test_a_run_is_claimed_once_and_only_within_the_look_ahead() -> None:
    worker = owner(due(10), due(40), look_ahead=timedelta(seconds=30))
    worker.wake()
    worker.wake()
    assert [first([entry]).run for entry in worker.appended(Claimed)] == [due(10).id]
    worker.flush()
    worker.wake(11)

    assert [first([entry]).run for entry in worker.appended(Claimed)] == [due(40).id]


def test_no_more_is_claimed_than_a_worker_may_hold() -> None:
    worker = owner(*(due(second) for second in range(5)), max_claims=3)
    worker.settle()
    assert len(worker.of(Hand)) == 3
    worker.member.finished(worker.of(Hand)[0].key, finished(due(0), 0))
    worker.collect()
    worker.settle()

    assert len(worker.of(Hand)) == 4


def test_of_very_many_runs_some_are_claimed_at_once_and_the_rest_when_it_is_woken_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claiming, "AT_ONCE", 3)
    worker = owner(*(due(second) for second in range(8)))
    for made in (3, 6, 8):
        worker.wake()
        assert (len(worker.appended(Claimed)), worker.member.has_more) == (made, made < 8)
    claims = worker.appended(Claimed)
    assert [claim.run for claim in claims] == [due(second).id for second in range(8)]


def test_heartbeats_go_out_while_very_many_runs_are_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claiming, "AT_ONCE", 3)
    worker = owner(*(due(second) for second in range(8)))
    worker.wake()
    worker.wake(2)
    numbers = [claim.number for claim in worker.appended(Claimed)]
    beats = [beat.number for beat in worker.appended(Heartbeat)]
    assert len(numbers) == 6
    assert numbers[-1] > numbers[0], "a claim is a heartbeat, too"
    assert all(beat > numbers[0] for beat in beats)


def test_an_attempt_is_handed_over_when_its_claim_is_read_back_as_the_winner() -> None:
    worker = owner(a_run())
    worker.wake()
    assert not worker.of(Hand)
    worker.flush()

    [hand] = worker.of(Hand)
    assert (hand.key, hand.partition, hand.go) == (key_of(a_run().id, 0), 0, True)


def test_a_claim_that_lost_hands_over_nothing() -> None:
    worker = owner(a_run())
    worker.wake()
    worker.log(Claimed(run=a_run().id, version=0, worker="w2", number=1))
    worker.flush()

    assert not worker.of(Hand)
    assert not worker.member.claiming


def test_a_claim_whose_release_is_behind_it_is_not_handed_over_at_the_barrier() -> None:
    worker = Worker()
    claim = Claimed(run=a_run().id, version=0, worker="w1", number=1)
    release = Released(run=a_run().id, claim=0, worker="w1")
    worker.logs[0] += [(100.0, [BACKUP, a_run()]), (100.0, [claim]), (100.0, [release])]
    worker.assign(0)
    worker.flush()

    assert not worker.of(Hand)


def test_a_claim_of_its_own_that_stands_is_handed_over_at_the_barrier() -> None:
    worker = Worker()
    claim = Claimed(run=a_run().id, version=0, worker="w1", number=1)
    worker.logs[0] += [(100.0, [BACKUP, a_run()]), (100.0, [claim])]
    worker.assign(0)
    assert not worker.of(Hand)
    worker.flush()

    assert worker.keys(Hand) == [key_of(a_run().id, 0)]


def test_what_is_running_is_not_handed_over_again() -> None:
    worker, key = holder(a_run())
    report_started(worker, key)
    worker.flush()
    worker.assign(0)
    worker.flush()

    assert len(worker.of(Hand)) == 1


# -- rule 6: leases --------------------------------------------------------------------------------


def test_a_lease_counts_from_when_the_heartbeat_was_sent_and_begins_when_it_is_read_back() -> None:
    worker = owner(a_run(), fence_s=4.5)
    worker.wake()
    assert not worker.of(Lease)
    worker.mono += 2
    worker.flush()
    worker.wake()

    assert worker.of(Lease) == [Lease(0, 104.5)]


def test_a_heartbeat_that_is_read_back_twice_renews_nothing() -> None:
    worker, _ = holder(a_run())
    before = worker.of(Lease)
    worker.log(first(e for _, es in worker.logs[0] for e in es if isinstance(e, Claimed)))
    worker.wake()

    assert worker.of(Lease) == before


def test_ends_go_before_the_lease_that_would_let_them_start() -> None:
    worker, key = holder(due(20))
    worker.wake(1)
    number = worker.member.ledgers[0].book.beats["w1"].number
    worker.log(Lost(worker="w1", number=number))
    worker.did.clear()
    worker.flush()
    worker.wake()

    assert [type(action) for action in worker.did] == [End, Lease]
    assert worker.keys(End) == [key]


def test_heartbeats_go_each_second_to_where_something_is_held() -> None:
    worker, _ = holder(due(20))
    worker.wake(0.5)
    assert not worker.appended(Heartbeat)
    worker.wake(0.6)
    worker.wake(0.1)

    assert len(worker.appended(Heartbeat)) == 1


def test_without_anything_held_there_are_no_heartbeats() -> None:
    worker = owner()
    worker.wake(5)

    assert not worker.unsent


# -- the executor's reports ------------------------------------------------------------------------


def test_a_start_and_a_finish_go_to_the_log_under_their_claim() -> None:
    worker, key = holder(a_run())
    report_started(worker, key)
    entry = finished(a_run(), 0)
    worker.member.finished(key, entry)
    worker.collect()

    started, ended = worker.appended(Started, Finished)
    assert (first([started]).claim, first([started]).pid) == (0, 77)
    assert ended is entry
    assert not worker.member.holding


def test_what_is_reported_of_an_unknown_key_changes_nothing() -> None:
    worker = owner()
    worker.member.started("x#1", NOON, 1)
    worker.member.finished("x#1", finished(a_run(), 1))
    worker.member.cancelled("x#1")
    worker.member.kept("x#1")
    worker.collect()

    assert not worker.unsent


def test_a_finish_that_is_read_back_is_held_no_longer_though_it_was_handed_over_again() -> None:
    worker, key = holder(a_run())
    worker.member.finished(key, finished(a_run(), 0))
    worker.collect()
    ended = worker.unsent.pop()
    worker.assign(0)
    worker.flush()
    assert key in worker.member.holding
    worker.log(ended.entry)

    assert not worker.member.holding


# -- rule 5: rebalances ----------------------------------------------------------------------------


def test_claims_are_kept_while_a_rebalance_is_under_way() -> None:
    worker, key = holder(due(20))
    worker.member.revoked()
    worker.wake(1)

    assert not worker.of(Cancel)
    assert key in worker.member.holding
    assert worker.member.to_follow() == {0}


def test_during_a_rebalance_nothing_is_claimed() -> None:
    worker = owner()
    worker.member.revoked()
    worker.log(a_run())
    worker.wake()

    assert not worker.appended(Claimed)


def test_what_has_not_started_is_given_back_when_its_partition_has_gone() -> None:
    worker, key = holder(due(20))
    worker.assign(1)
    worker.wake()
    assert worker.keys(Cancel) == [key]
    worker.member.cancelled(key)
    worker.collect()

    [released] = worker.appended(Released)
    assert first([released]).claim == 0
    assert not worker.member.to_follow()


def test_a_claim_on_its_way_is_given_back_too() -> None:
    worker = owner(a_run())
    worker.wake()
    worker.assign()
    [key] = worker.keys(Cancel)
    assert worker.member.to_follow() == {0}
    worker.member.cancelled(key)
    worker.collect()

    kinds = [type(entry) for entry in worker.appended(Claimed, Released)]
    assert kinds == [Claimed, Released]


def test_what_runs_goes_on_when_its_partition_has_gone_and_is_followed() -> None:
    worker, key = holder(a_run())
    report_started(worker, key)
    worker.assign()
    worker.wake(1)

    assert not worker.of(Cancel)
    assert worker.appended(Heartbeat)
    assert worker.member.to_follow() == {0}
    worker.member.finished(key, finished(a_run(), 0))
    worker.wake()
    assert not worker.member.ledgers


def test_only_the_executors_word_gives_back_and_its_other_word_keeps() -> None:
    worker, key = holder(due(20))
    worker.assign()
    assert not worker.appended(Released)
    worker.member.kept(key)
    worker.wake()

    assert not worker.appended(Released)
    assert worker.member.holding[key].started


# -- losses and withdrawals of what is held --------------------------------------------------------


def test_a_holder_that_was_lost_ends_its_command_once() -> None:
    worker, key = holder(a_run())
    report_started(worker, key)
    worker.flush()
    worker.log(Lost(worker="w1", number=worker.member.ledgers[0].book.beats["w1"].number))
    worker.wake()
    worker.log(Lost(worker="w1", number=99))
    worker.wake()

    assert worker.of(End) == [End(key, "its worker was taken for lost")]


def test_what_was_asked_to_give_way_is_cancelled_and_released() -> None:
    worker, key = holder(due(20))
    worker.log(Withdrawal(job="backup", revision=2, effective_from=at(10)))
    worker.wake()
    worker.wake()
    assert worker.keys(Cancel) == [key]
    worker.member.cancelled(key)
    worker.collect()
    worker.flush()

    assert not worker.member.ledgers[0].book.live


def test_what_had_started_when_it_was_asked_to_give_way_goes_on() -> None:
    worker, key = holder(a_run())
    worker.log(Withdrawal(job="backup", revision=2, effective_from=at(0)))
    report_started(worker, key)
    worker.wake()
    assert not worker.of(Cancel)
    worker.flush()

    assert worker.member.ledgers[0].book.live[a_run().id].state == "running"


def test_what_was_too_late_to_cancel_is_not_cancelled_again() -> None:
    worker, key = holder(due(20))
    worker.log(Withdrawal(job="backup", revision=2, effective_from=at(10)))
    worker.wake()
    worker.member.kept(key)
    worker.wake()

    assert worker.keys(Cancel) == [key]
    assert not worker.of(End)


def test_a_claim_read_back_after_the_withdrawal_gives_way_at_once() -> None:
    worker = owner(due(20))
    worker.wake()
    claim = worker.unsent.pop(0).entry
    worker.logs[0] += [
        (worker.mono, [claim]),
        (worker.mono, [Withdrawal(job="backup", revision=2, effective_from=at(10))]),
    ]
    worker.assign(0)
    worker.flush()
    worker.wake()

    assert worker.keys(Cancel) == worker.keys(Hand)


def test_an_edit_on_another_partition_leaves_what_is_held_alone() -> None:
    worker, _ = holder(due(20))
    worker.assign(0, 1)
    worker.log(Withdrawal(job="other", revision=2, effective_from=at(0)), partition=1)
    worker.wake()

    assert not worker.of(Cancel)


# -- rule 9: at most once --------------------------------------------------------------------------


def test_at_most_once_starts_only_after_its_own_started_is_read_back() -> None:
    worker, key = holder(due(5, delivery=ONCE))
    assert not worker.of(Hand)[0].go
    worker.wake(5)
    assert not worker.appended(Started), "it has no slot yet"
    worker.member.ready(key)
    worker.wake()
    assert len(worker.appended(Started)) == 1
    assert not worker.of(Go)
    worker.flush()
    assert worker.keys(Go) == [key]
    report_started(worker, key)
    worker.member.ready(key)
    worker.wake(1)

    assert not worker.appended(Started)


def test_what_is_asked_to_give_way_is_not_announced() -> None:
    worker, key = holder(due(5, delivery=ONCE))
    worker.log(Withdrawal(job="backup", revision=2, effective_from=at(1)))
    worker.wake(5)
    worker.member.ready(key)
    worker.member.ready("nothing#1")
    worker.wake()

    assert not worker.appended(Started)
    assert worker.keys(Cancel) == [key]


def test_what_has_a_slot_when_it_is_asked_to_give_way_is_not_announced() -> None:
    worker, key = holder(due(5, delivery=ONCE))
    worker.wake(5)
    worker.member.ready(key)
    worker.log(Withdrawal(job="backup", revision=2, effective_from=at(1)))
    worker.wake()

    assert not worker.appended(Started)
    assert worker.keys(Cancel) == [key]


def test_what_has_a_slot_is_not_announced_by_a_worker_that_drains() -> None:
    worker, key = holder(due(5, delivery=ONCE))
    worker.wake(5)
    worker.member.ready(key)
    worker.member.drain()
    worker.wake()

    assert not worker.appended(Started)


def test_at_most_once_does_not_start_when_its_started_came_after_the_withdrawal() -> None:
    worker, key = holder(due(5, delivery=ONCE))
    worker.member.ready(key)
    worker.wake(5)
    worker.log(Withdrawal(job="backup", revision=2, effective_from=at(1)))
    worker.flush()
    worker.wake()

    assert not worker.of(Go)
    assert worker.keys(Cancel) == [key]


def test_at_most_once_waits_while_a_rebalance_is_under_way() -> None:
    worker, key = holder(due(5, delivery=ONCE))
    worker.member.ready(key)
    worker.member.revoked()
    worker.wake(6)
    assert not worker.appended(Started)
    worker.member.assigned([0], lambda _: Ledger(retry=False))
    worker.collect()
    worker.flush()
    worker.wake()

    assert worker.appended(Started)


def test_at_most_once_that_is_held_no_longer_holds_nobody_up() -> None:
    worker = owner(due(5, delivery=ONCE), due(6, delivery=ONCE))
    worker.settle()
    first_key, second_key = worker.keys(Hand)
    worker.member.ready(first_key)
    worker.member.ready(second_key)
    worker.member.cancelled(first_key)
    worker.collect()
    worker.unsent.clear()
    worker.wake(7)

    assert [first([entry]).run for entry in worker.appended(Started)] == [
        run_and_claim(second_key)[0]
    ]


def test_a_started_of_an_attempt_that_may_go_changes_nothing_when_read_back() -> None:
    worker, key = holder(a_run())
    report_started(worker, key)
    worker.flush()

    assert not worker.of(Go)


# -- draining --------------------------------------------------------------------------------------


def test_a_draining_worker_claims_nothing_and_gives_back_what_has_not_started() -> None:
    worker, key = holder(due(20))
    worker.member.drain()
    worker.log(due(21))
    worker.wake()

    assert worker.keys(Cancel) == [key]
    assert not worker.appended(Claimed)


def test_a_claim_that_is_read_back_while_draining_is_given_back() -> None:
    worker = owner(due(20))
    worker.wake()
    worker.member.drain()
    worker.collect()
    worker.flush()
    assert not worker.of(Hand)
    worker.member.cancelled(worker.keys(Cancel)[0])
    worker.collect()

    assert worker.appended(Released)


def test_a_barrier_that_is_passed_while_draining_forgets_no_claim() -> None:
    worker = owner(due(20))
    worker.wake()
    worker.assign(0)
    worker.member.drain()
    worker.collect()
    worker.flush()
    worker.member.cancelled(worker.keys(Cancel)[0])
    worker.collect()

    assert worker.appended(Released)


def test_what_is_left_after_draining_is_ended_as_interrupted() -> None:
    worker, key = holder(a_run())
    worker.member.end_all("asked to stop")
    worker.collect()

    assert worker.of(End) == [End(key, "asked to stop")]


# -- rule 2: effects -------------------------------------------------------------------------------


def effects_of(run: Run, outcome: Outcome, *, retry: bool = False) -> tuple[Worker, list[Publish]]:
    worker = Worker(retry=retry)
    claim = Claimed(run=run.id, version=0, worker="w0", number=1)
    worker.logs[0] += [
        (100.0, [BACKUP, run]),
        (100.0, [claim]),
        (101.0, [finished(run, 0, outcome, "w0")]),
    ]
    worker.assign(0)
    worker.flush()
    worker.wake()
    worker.wake()
    return worker, worker.of(Publish)


def test_a_retry_is_published_once_in_an_assignment_whoever_decided_it() -> None:
    run = a_run(max_attempts=3)
    _, [publish] = effects_of(run, Outcome.FAILED)
    [(topic, message)] = publish.messages

    assert topic == "cronstream.cluster-a.retry"
    assert isinstance(message, Run)
    assert (message.attempt, message.attempts_left, message.as_of) == (2, 2, at(1))
    assert message.not_before > at(15)
    assert publish.forwarded


def test_a_discard_goes_to_the_discarded_topic() -> None:
    _, [publish] = effects_of(a_run(), Outcome.FAILED)
    [(topic, message)] = publish.messages

    assert topic == "cronstream.cluster-a.discarded"
    assert isinstance(message, Discarded)
    assert message.discarded_at == at(1)
    assert "exit status 3" in message.reason


def a_second(**fields: Any) -> Run:
    return a_run(**{"attempt": 2, "max_attempts": 3, "attempts_left": 2, **fields})


def test_a_retry_worker_reports_a_success_to_the_clusters_log() -> None:
    _, [publish] = effects_of(a_second(), Outcome.SUCCEEDED, retry=True)

    settled = Settled(run=a_run().id, verdict=Verdict.SUCCEEDED, attempt=2)
    assert publish.messages == (("cronstream.cluster-a", settled),)
    assert publish.forwarded


def test_a_retry_worker_reports_a_discard_too() -> None:
    run = a_second(attempts_left=1)
    _, [publish] = effects_of(run, Outcome.FAILED, retry=True)

    assert [topic for topic, _ in publish.messages] == [
        "cronstream.cluster-a.discarded",
        "cronstream.cluster-a",
    ]


def test_a_retry_of_a_retry_is_its_own_word_that_it_was_forwarded() -> None:
    _, [publish] = effects_of(a_second(), Outcome.FAILED, retry=True)

    assert not publish.forwarded


def test_what_came_too_late_is_published_again_by_a_newer_time_of_the_log() -> None:
    worker, [publish] = effects_of(a_run(max_attempts=3), Outcome.FAILED)
    worker.flush()
    worker.member.publish_again(publish)
    worker.wake(5.0)
    assert len(worker.of(Publish)) == 1
    assert worker.appended(Heartbeat)

    worker.flush()
    worker.wake()
    [_, again] = worker.of(Publish)
    assert _as_of(again) > _as_of(publish)
    worker.assign()
    worker.member.publish_again(publish)
    worker.wake()
    assert len(worker.of(Publish)) == 2


def test_once_it_is_forwarded_nothing_more_is_waited_for() -> None:
    worker, [publish] = effects_of(a_run(max_attempts=3), Outcome.FAILED)
    worker.flush()
    worker.member.publish_again(publish)
    worker.log(Forwarded(run=publish.run, version=publish.version))
    worker.wake(1.0)
    worker.wake(1.0)

    assert not worker.appended(Heartbeat)


def _as_of(publish: Publish) -> datetime:
    [(_, run)] = publish.messages
    assert isinstance(run, Run)
    assert run.as_of is not None
    return run.as_of


def test_a_new_assignment_publishes_again_what_is_not_forwarded() -> None:
    worker, _ = effects_of(a_run(max_attempts=3), Outcome.FAILED)
    worker.assign(0)
    worker.flush()
    worker.wake()

    assert len(worker.of(Publish)) == 2


def test_what_was_published_is_remembered_only_as_long_as_it_matters() -> None:
    worker = owner()
    published = worker.member.owners[0]._published
    published |= {(f"run-{number}", number) for number in range(200)}
    worker.wake()

    assert not worker.member.owners[0]._published


# -- rule 7: judging leases ------------------------------------------------------------------------


def judge(silence_before: float = 0.0, **timing: Any) -> Worker:
    """An owner of a partition where ``w2`` holds a run, last heard that long before `Owned`."""
    worker = Worker(**timing)
    claim = Claimed(run=a_run().id, version=0, worker="w2", number=5)
    worker.logs[0] += [(100.0, [BACKUP, a_run()]), (100.0, [claim])]
    worker.mono += silence_before
    worker.assign(0)
    worker.flush()
    return worker


def silent_for(worker: Worker, seconds: float) -> list[Entry]:
    """Let time pass, in which only the owner's own heartbeats come; return who is lost then."""
    end = worker.mono + seconds
    lost: list[Entry] = []
    while worker.mono < end:
        worker.wake(0.5)
        lost += worker.appended(Lost)
        worker.unsent = [a for a in worker.unsent if not isinstance(a.entry, Lost)]
        worker.flush()
    return lost


def test_a_holder_is_lost_once_when_its_lease_is_over() -> None:
    worker = judge()
    assert not silent_for(worker, 6.0)

    assert silent_for(worker, 3.0) == [Lost(worker="w2", number=5)]


def test_a_lease_that_is_over_is_judged_without_waiting_for_the_next_heartbeat() -> None:
    worker = judge()
    silent_for(worker, 5.5)
    worker.wake(0.6)
    worker.flush()
    worker.wake()

    assert worker.appended(Lost) == [Lost(worker="w2", number=5)]


def test_a_holder_that_was_silent_before_the_barrier_has_a_second_and_a_half_left() -> None:
    worker = judge(silence_before=60.0)
    assert not silent_for(worker, 1.5)

    assert silent_for(worker, 1.0)


def test_the_silence_before_the_barrier_counts() -> None:
    worker = judge(silence_before=3.0)
    assert not silent_for(worker, 3.0)

    assert silent_for(worker, 1.0)


def test_a_heartbeat_renews_a_lease_and_the_next_silence_names_it() -> None:
    worker = judge()
    silent_for(worker, 4.0)
    worker.log(beat("w2", 6))
    assert not silent_for(worker, 6.0)

    assert silent_for(worker, 1.0) == [Lost(worker="w2", number=6)]


def test_an_outage_makes_nobody_lost() -> None:
    worker = judge()
    for _ in range(40):
        worker.wake(0.5)
    assert not worker.appended(Lost)
    worker.flush()
    worker.wake()
    assert not worker.appended(Lost)
    assert not silent_for(worker, 5.5)

    assert silent_for(worker, 2.0)


def test_a_silence_that_ends_in_an_outage_makes_nobody_lost_before_the_log_goes_on() -> None:
    worker = judge()
    silent_for(worker, 4.0)
    for _ in range(5):
        worker.wake(0.5)

    assert not worker.appended(Lost)


def test_a_worker_does_not_judge_itself() -> None:
    worker, _ = holder(due(20))
    assert not silent_for(worker, 15)


def test_a_holder_of_whom_nothing_is_known_is_not_judged() -> None:
    worker = judge()
    del worker.member.ledgers[0].book.beats["w2"]

    assert not silent_for(worker, 15)


@pytest.mark.parametrize("forgotten", ["beat", "barrier"])
def test_without_a_known_age_a_holder_has_a_second_and_a_half_left(forgotten: str) -> None:
    worker = judge()
    one = worker.member.owners[0]
    if forgotten == "beat":
        worker.member.ledgers[0].book.beats.clear()
    else:
        one.owned_at = None

    assert one._age_at_barrier("w2") == 4.5


def test_an_owner_before_its_barrier_judges_nobody() -> None:
    worker = Worker()
    worker.assign(0)

    assert not list(worker.member.owners[0].losses(1000.0))


# -- reading ---------------------------------------------------------------------------------------


def test_what_was_read_before_or_belongs_to_others_changes_nothing() -> None:
    worker = owner(due(20))
    before = worker.member.ledgers[0].book.next_offset
    worker.member.read(0, 0, NOON, [due(30)], 100.0)
    worker.member.read(1, 0, NOON, [due(30)], 100.0)

    assert worker.member.ledgers[0].book.next_offset == before
    assert list(worker.member.ledgers) == [0]


def test_what_others_report_is_not_taken_for_ones_own() -> None:
    worker, key = holder(due(20))
    worker.log(finished(due(20), 0, worker="w2"))

    assert key in worker.member.holding


# -- rule 8: the fence -----------------------------------------------------------------------------


@pytest.mark.parametrize(("grace_s", "before_s"), [
    (0.0, 0.0), (0.5, 0.0), (1.0, 0.5), (3.0, 2.5), (600.0, 2.5),
])  # fmt: skip
def test_a_fenced_command_has_its_grace_before_the_lease_is_over(
    grace_s: float, before_s: float
) -> None:
    worker = owner(a_run(fence=True, grace_s=grace_s))
    worker.settle()

    assert [hand.ends_before_s for hand in worker.of(Hand)] == [before_s]


def test_a_command_without_a_fence_is_not_ended() -> None:
    worker = owner(a_run())
    worker.settle()

    assert [hand.ends_before_s for hand in worker.of(Hand)] == [None]


def test_what_may_have_started_is_lost_with_its_executor_whatever_its_clock_says() -> None:
    worker, key = holder(a_run())
    worker.wake(1)
    worker.member.executor_died([key], at(-600), worker.mono)
    worker.collect()

    assert [entry.outcome for entry in worker.appended(Finished)] == [Outcome.LOST]
    assert not worker.appended(Released)
