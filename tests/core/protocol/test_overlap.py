"""Rule 17 at work in one worker: when runs begin, what is skipped, and who is ended."""

from typing import Any

import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.protocol.actions import Cancel, End, Go, Hand, Publish, key_of
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Finished,
    Forwarded,
    Level,
    Released,
    Settled,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.ledger_builders import beat, due, finished
from tests.member_builders import Worker, owner, report_started

ALLOW, SKIP, QUEUE, REPLACE = Overlap


def with_runs(policy: Overlap, *seconds: float, **fields: Any) -> tuple[Worker, list[Run]]:
    """A worker at noon that owns the partition on which some runs are published."""
    runs = [due(at_s, overlap=policy, **fields) for at_s in seconds]
    return owner(*runs), runs


def let_start(worker: Worker, run: Run) -> str:
    """Have the worker begin a run, and its executor start it; return the key."""
    worker.settle()
    [key] = [hand.key for hand in worker.of(Hand) if hand.run.id == run.id]
    report_started(worker, key)
    return key


def end(worker: Worker, key: str, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """Have the executor report the end of a command, and the worker do what follows."""
    run, _, claim = key.rpartition("#")
    entry = Finished(
        run=run,
        claim=int(claim),
        worker="w1",
        outcome=outcome,
        started_at=at(0),
        ended_at=at(worker.mono - 100),
        exit_status=0 if outcome is Outcome.SUCCEEDED else 1,
    )
    worker.member.finished(key, entry)
    worker.collect()
    worker.settle()


def handed(worker: Worker) -> list[Run]:
    return [hand.run for hand in worker.of(Hand)]


# -- beginning -------------------------------------------------------------------------------------


def test_several_runs_begin_as_far_as_there_is_room() -> None:
    runs = [due(n, overlap=QUEUE, max_running=3) for n in (1, 2, 3)]
    worker = owner(Level(level=4), *runs, max_claims=2)
    worker.wake(10)
    assert len(worker.appended(Claimed)) == 2
    worker.settle()

    assert [run.id for run in handed(worker)] == [run.id for run in runs[:2]]


def test_as_many_begin_at_once_as_max_running_says() -> None:
    worker = owner(Level(level=4), *(due(n, overlap=SKIP, max_running=2) for n in (1, 2, 3)))
    worker.wake(10)
    assert len(worker.appended(Claimed)) == 2
    worker.settle()

    assert [run.id for run in handed(worker)] == [due(1).id, due(2).id]
    assert worker.member.ledgers[0].book.live.keys() == {due(1).id, due(2).id}


@pytest.mark.parametrize("policy", [SKIP, QUEUE, REPLACE])
def test_a_run_is_claimed_and_started_in_the_log_when_it_is_due_not_before(
    policy: Overlap,
) -> None:
    worker, [run] = with_runs(policy, 10)
    worker.settle()
    assert not worker.of(Hand)
    worker.wake(10)

    assert [type(entry) for entry in worker.appended(Claimed, Started)] == [Claimed, Started]
    assert not worker.of(Hand)
    worker.flush()
    assert handed(worker) == [run]


def test_without_a_slot_it_is_claimed_and_announced_only_when_it_has_one() -> None:
    other = due(0, job="other", revision=None, cause=Cause.RUN_NOW)
    worker = owner(due(0, overlap=SKIP), due(1, overlap=SKIP), other, slots=1)
    worker.settle()
    assert [run.id for run in handed(worker)] == [other.id, due(0).id]
    waiting = worker.keys(Hand)[-1]
    worker.wake(1)
    assert [entry.run for entry in worker.appended(Skipped)] == [due(1).id]
    worker.flush()
    assert not worker.keys(Go)
    worker.member.ready(waiting)
    worker.wake()
    assert [entry.run for entry in worker.appended(Started)] == [due(0).id]
    worker.flush()

    assert worker.keys(Go) == [waiting]


def test_what_begins_at_once_takes_the_slots_that_are_left() -> None:
    named = {"overlap": QUEUE, "revision": None, "cause": Cause.RUN_NOW}
    worker = owner(*(due(0, job=f"job{i}", **named) for i in range(3)), slots=2)
    worker.wake()

    assert len(worker.appended(Claimed)) == 3
    assert len(worker.appended(Started)) == 2


def test_a_claim_that_was_refused_keeps_no_slot() -> None:
    worker, [run] = with_runs(SKIP, 0)
    worker.member.timing = Timing(slots=1)
    worker.wake()
    assert worker.member._free_slots(at(0)) == 0
    version = worker.member.ledgers[0].book.live[run.id].version
    worker.log(Claimed(run=run.id, version=version, worker="w2", number=1))
    worker.flush()

    assert worker.member._free_slots(at(0)) == 1


@pytest.mark.parametrize("delivery", Delivery)
def test_it_may_start_once_its_own_started_is_read_back(delivery: Delivery) -> None:
    worker, _ = with_runs(SKIP, 0, delivery=delivery)
    worker.wake()
    claim, start = worker.appended(Claimed, Started)
    worker.unsent.clear()
    worker.log(claim)
    [hand] = worker.of(Hand)
    assert not hand.go
    worker.log(start)

    assert worker.keys(Go) == [hand.key]


def test_a_start_is_told_once() -> None:
    worker, [run] = with_runs(SKIP, 0)
    let_start(worker, run)
    worker.settle()

    entries = [entry for _, message in worker.logs[0] for entry in message]
    assert sum(isinstance(entry, Started) for entry in entries) == 1


def test_one_that_began_just_before_a_rebalance_is_handed_over_at_the_next_barrier() -> None:
    worker, [run] = with_runs(SKIP, 0)
    worker.wake()
    claim, start = worker.appended(Claimed, Started)
    worker.unsent.clear()
    worker.member.revoked()
    worker.log(claim, start)
    worker.assign(0)
    worker.flush()

    [hand] = worker.of(Hand)
    assert hand.run == run
    assert hand.go or worker.keys(Go) == [hand.key]


def test_one_that_began_before_its_partition_went_elsewhere_is_given_back() -> None:
    worker, [run] = with_runs(SKIP, 0)
    worker.wake()
    worker.assign(1)
    [cancel] = worker.of(Cancel)
    worker.flush()
    worker.member.cancelled(cancel.key)
    worker.collect()

    assert [entry.run for entry in worker.appended(Released)] == [run.id]
    assert not worker.of(Hand)


def test_nothing_begins_in_a_rebalance_nor_in_a_worker_that_stops() -> None:
    worker, _ = with_runs(SKIP, 0)
    worker.member.revoked()
    worker.wake()
    assert not worker.unsent
    worker.member.rebalancing = False
    worker.member.drain()
    worker.wake()

    assert not worker.appended(Claimed)


def test_nothing_begins_beyond_the_claims_that_a_worker_may_have() -> None:
    worker = owner(due(0), due(0.5, overlap=QUEUE), max_claims=1)
    worker.wake(1)
    assert len(worker.appended(Claimed)) == 1
    worker.flush()
    [hand] = worker.of(Hand)
    report_started(worker, hand.key)
    end(worker, hand.key)

    assert handed(worker)[1].overlap is QUEUE


def test_a_claim_that_another_owner_was_faster_with_is_judged_again() -> None:
    worker, [first, second] = with_runs(QUEUE, 0, 1)
    version = worker.member.ledgers[0].book.live[first.id].version
    worker.wake()
    unsent, worker.unsent = worker.unsent, []
    entry = Claimed(run=second.id, version=version, worker="w2", number=1)
    worker.log(entry)
    for append in unsent:
        worker.log(append.entry)
    assert not worker.of(Hand)
    claim = finished(second, version, worker="w2")
    worker.log(claim)
    worker.settle()

    assert handed(worker) == [first]


def test_a_job_whose_lines_do_not_move_costs_nothing() -> None:
    worker, [first, *_] = with_runs(QUEUE, 0, 1, 2)
    let_start(worker, first)
    worker.wake(5)
    worker.settle()

    assert not worker.member.ledgers[0].book.stirred


def test_a_job_is_judged_again_only_when_all_that_was_asked_is_read_back() -> None:
    worker, [first, second, third] = with_runs(SKIP, 0, 5, 5.5)
    let_start(worker, first)
    worker.wake(6)
    one, other = worker.appended(Skipped)
    worker.unsent.clear()
    assert [one.run, other.run] == [second.id, third.id]
    worker.log(one)
    worker.wake()
    worker.log(due(7, overlap=SKIP))
    worker.log(Skipped(run="other@2026-01-01T12:00:00Z", version=3, reason=SkipReason.OVERLAP))
    worker.wake(1)
    assert not worker.appended(Skipped)
    worker.log(other)
    worker.wake()

    assert [entry.run for entry in worker.appended(Skipped)] == [due(7).id]


def test_lines_of_one_job_are_not_stirred_by_another() -> None:
    worker, _ = with_runs(QUEUE, 100)
    worker.log(Withdrawal(job="other", revision=1, effective_from=at(0)))
    ledger = worker.member.ledgers[0]
    worker.wake()
    ledger.book.stirred.clear()
    worker.log(due(0, job="other"))
    worker.settle()
    [hand] = worker.of(Hand)
    report_started(worker, hand.key)
    end(worker, hand.key)

    assert not ledger.book.stirred
    assert list(ledger.book.lines) == ["backup"]


def test_what_has_ended_is_not_handed_over_at_a_barrier_that_comes_before_its_end() -> None:
    worker, [run] = with_runs(QUEUE, 0)
    key = let_start(worker, run)
    worker.flush()
    worker.member.finished(key, finished(run, int(key.rpartition("#")[2])))
    worker.member.revoked()
    worker.member.actions.clear()
    worker.assign(0)
    worker.flush()

    assert len(worker.of(Hand)) == 1


# -- skip ------------------------------------------------------------------------------------------


def test_skip_leaves_out_what_is_due_while_another_runs() -> None:
    worker, [first, second, third] = with_runs(SKIP, 0, 5, 20)
    key = let_start(worker, first)
    worker.wake(5)
    [skipped] = worker.appended(Skipped)
    assert (skipped.run, skipped.reason) == (second.id, "overlap")
    worker.flush()
    end(worker, key)
    worker.wake(15)
    worker.settle()

    assert handed(worker) == [first, third]


def test_skip_leaves_out_what_is_due_between_attempts_too() -> None:
    worker, [first, second] = with_runs(SKIP, 0, 5, max_attempts=2)
    end(worker, let_start(worker, first), Outcome.FAILED)
    [publish] = worker.of(Publish)
    assert publish.run == first.id
    worker.wake(5)

    assert [entry.run for entry in worker.appended(Skipped)] == [second.id]


def test_a_skip_is_asked_for_once() -> None:
    worker, [first, _] = with_runs(SKIP, 0, 5)
    let_start(worker, first)
    worker.wake(5)
    worker.log(beat("w2", 1))
    worker.wake(1)

    assert len(worker.appended(Skipped)) == 1


# -- queue -----------------------------------------------------------------------------------------


def test_queued_runs_begin_one_after_another_by_due_time() -> None:
    runs = [due(s, overlap=QUEUE, revision=None, number=i) for i, s in enumerate((2, 0, 1))]
    worker = owner(*runs)
    worker.wake(3)
    worker.settle()
    for run in sorted(runs, key=lambda run: run.scheduled_at):
        assert handed(worker)[-1] == run
        end(worker, let_start(worker, run))


def test_a_queue_skips_its_surplus() -> None:
    worker, [first, *rest] = with_runs(QUEUE, 0, 1, 2, 3, max_queue=2)
    let_start(worker, first)
    worker.wake(5)

    assert [entry.run for entry in worker.appended(Skipped)] == [rest[2].id]


def test_the_next_of_a_queue_waits_for_the_verdict_from_the_retry_log() -> None:
    worker, [first, second] = with_runs(QUEUE, 0, 1, max_attempts=2)
    end(worker, let_start(worker, first), Outcome.FAILED)
    worker.wake(10)
    worker.settle()
    assert handed(worker) == [first]
    worker.log(Settled(run=first.id, verdict=Verdict.DISCARDED, attempt=2))
    worker.settle()

    assert handed(worker) == [first, second]


# -- replace ---------------------------------------------------------------------------------------


def test_replace_ends_the_former_and_begins_after_its_end() -> None:
    worker, [first, second] = with_runs(REPLACE, 0, 5)
    key = let_start(worker, first)
    worker.wake(5)
    assert [entry.run for entry in worker.appended(Cancelled)] == [first.id]
    worker.settle()
    [ended] = worker.of(End)
    assert ended.key == key
    assert handed(worker) == [first]
    end(worker, key, Outcome.INTERRUPTED)

    assert handed(worker) == [first, second]
    assert first.id not in worker.member.ledgers[0].book.live


def test_one_that_has_not_yet_started_its_command_is_dropped() -> None:
    worker, [first, _] = with_runs(REPLACE, 0, 5)
    worker.settle()
    worker.wake(5)
    worker.settle()
    [hand] = worker.of(Hand)
    assert worker.keys(Cancel) == [hand.key]
    worker.member.kept(hand.key)
    worker.settle()
    assert worker.keys(End) == [hand.key]

    assert hand.run == first


def test_what_waits_to_replace_is_itself_passed_over_by_a_later_one() -> None:
    worker, [first, second, _] = with_runs(REPLACE, 0, 5, 6)
    let_start(worker, first)
    worker.wake(5)
    worker.flush()
    worker.wake(1)

    assert [entry.run for entry in worker.appended(Skipped)] == [second.id]
    assert not worker.appended(Cancelled)


def test_a_former_owner_ends_what_was_cancelled_on_a_partition_that_it_lost() -> None:
    worker, [first, _] = with_runs(REPLACE, 0, 5)
    key = let_start(worker, first)
    version = worker.member.ledgers[0].book.live[first.id].version
    worker.assign(1)
    worker.log(Cancelled(run=first.id, version=version))
    worker.wake()

    assert worker.keys(End) == [key]


def test_a_run_at_its_retries_is_cancelled_on_the_retry_log() -> None:
    worker, [first, second] = with_runs(REPLACE, 0, 5, max_attempts=2)
    end(worker, let_start(worker, first), Outcome.FAILED)
    live = worker.member.ledgers[0].book.live[first.id]
    worker.log(Forwarded(run=first.id, version=live.version))
    worker.wake(5)
    worker.settle()
    publish = worker.of(Publish)[-1]
    assert publish.messages == (("cronstream.cluster-a.retry", Cancelled(run=first.id)),)
    assert publish.forwarded
    worker.log(Settled(run=first.id, verdict=Verdict.SKIPPED, attempt=2))
    worker.settle()

    assert handed(worker) == [first, second]


def test_a_retry_worker_ends_what_was_cancelled_and_reports_it_as_skipped() -> None:
    worker = Worker(retry=True)
    run = a_run(attempt=2, max_attempts=2, attempts_left=1, overlap=REPLACE)
    worker.logs[0].append((worker.mono, [run]))
    worker.assign(0)
    worker.flush()
    key = let_start(worker, run)
    worker.flush()
    worker.log(Cancelled(run=run.id))
    worker.wake()
    assert worker.keys(End) == [key]
    end(worker, key, Outcome.INTERRUPTED)

    [publish] = worker.of(Publish)
    settled = Settled(run=run.id, verdict=Verdict.SKIPPED, attempt=2)
    assert publish.messages == (("cronstream.cluster-a", settled),)


def test_every_line_is_looked_at_when_a_partition_is_assigned() -> None:
    worker, [run] = with_runs(QUEUE, 0)
    ledger: Ledger = worker.member.ledgers[0]
    ledger.book.stirred.clear()
    worker.assign(0)
    worker.flush()
    worker.settle()

    assert worker.keys(Hand) == [key_of(run.id, 1)] or handed(worker) == [run]
