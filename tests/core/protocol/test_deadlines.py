"""Rule 22: a run that still waits when its time to start is over is skipped, and never started."""

from typing import Any

import pytest

from cronstream.core.protocol.actions import Cancel, Go, Hand
from cronstream.core.wire.entries import Claimed, Level, Released, Skipped, Started
from cronstream.core.wire.enumerations import Cause, Delivery, Overlap, SkipReason
from cronstream.core.wire.runs import Run
from tests.ledger_builders import due
from tests.member_builders import Worker, owner, report_started

#: What lets what is new of this on a log.
LEVEL = Level(level=4)


def hurried(seconds: float, within_s: float = 10.0, **fields: Any) -> Run:
    """Return the run that is due so many seconds after noon, and has to start within a time."""
    return due(seconds, **fields).derive(start_within_s=within_s)


def started_runs(worker: Worker) -> list[str]:
    """Return the runs whose commands an executor may have started."""
    return [hand.run.id for hand in worker.of(Hand)]


def reasons(worker: Worker) -> dict[str, str]:
    """Return why each run that has its verdict was skipped, as the fold has it."""
    entries = (x for _, message in worker.logs[0] for x in message if isinstance(x, Skipped))
    return {entry.run: entry.reason.value for entry in entries}


def test_what_waited_for_a_worker_until_its_time_was_over_is_skipped_and_not_claimed() -> None:
    run, fresh = hurried(0), hurried(2)
    worker = owner(LEVEL)
    worker.wake(11)

    worker.log(run, fresh)
    worker.settle()

    assert started_runs(worker) == [fresh.id]
    assert reasons(worker) == {run.id: "late"}
    assert run.id not in worker.member.ledgers[0].book.live


def test_what_a_person_asks_for_and_what_was_begun_is_made_however_late() -> None:
    asked = hurried(0, revision=None, cause=Cause.RUN_NOW)
    worker = owner(LEVEL, asked)
    worker.wake(60)
    worker.settle()
    assert started_runs(worker) == [asked.id]

    run = hurried(30)
    worker.log(run.derive(attempt=2))
    worker.settle()
    assert started_runs(worker)[1:] == [run.id]


@pytest.mark.parametrize("delivery", list(Delivery))
def test_what_waits_for_a_slot_is_given_back_when_its_time_is_over_and_skipped(
    delivery: Delivery,
) -> None:
    run = hurried(0, delivery=delivery)
    worker = owner(LEVEL, run)
    worker.settle()
    [key] = worker.keys(Hand)
    worker.wake(10)
    assert not worker.of(Cancel)

    worker.wake(0.1)
    assert worker.keys(Cancel) == [key]
    worker.member.cancelled(key)
    worker.collect()
    assert [type(entry) for entry in worker.appended(Released)] == [Released]
    worker.flush()
    worker.settle()

    assert reasons(worker) == {run.id: "late"}
    assert started_runs(worker) == [run.id]


def test_what_has_started_by_then_goes_on() -> None:
    worker = owner(LEVEL, hurried(0))
    worker.settle()
    [key] = worker.keys(Hand)
    report_started(worker, key)

    worker.wake(60)
    worker.settle()

    assert not worker.of(Cancel)
    assert reasons(worker) == {}


def test_what_was_announced_in_time_and_read_back_too_late_is_given_back_too() -> None:
    run = hurried(0, delivery=Delivery.AT_MOST_ONCE)
    worker = owner(LEVEL, run)
    worker.settle()
    [key] = worker.keys(Hand)
    worker.member.ready(key)
    worker.wake()
    assert [entry.run for entry in worker.appended(Started)] == [run.id]

    worker.wake(10.1)  # In an outage it is not read back.
    assert worker.keys(Cancel) == [key]
    worker.member.cancelled(key)
    worker.collect()
    worker.flush()
    worker.settle()

    assert reasons(worker) == {run.id: "late"}
    assert not worker.keys(Go)


def test_in_a_line_what_waits_too_long_is_skipped_and_the_next_goes_on_waiting() -> None:
    begun, late, patient = (
        hurried(0, overlap=Overlap.QUEUE),
        hurried(1, within_s=5, overlap=Overlap.QUEUE),
        due(2, overlap=Overlap.QUEUE),
    )
    worker = owner(LEVEL, begun, late, patient)
    worker.settle()
    [key] = worker.keys(Hand)
    report_started(worker, key)
    worker.wake(6)
    worker.settle()
    assert reasons(worker) == {}

    worker.wake(0.1)
    worker.settle()

    assert reasons(worker) == {late.id: "late"}
    assert patient.id in worker.member.ledgers[0].book.live
    assert started_runs(worker) == [begun.id]


def test_a_herd_that_is_too_late_is_skipped_and_none_of_it_claimed() -> None:
    worker = owner(LEVEL)
    worker.wake(60)
    worker.log(*(hurried(n) for n in range(20)))
    worker.unsent.clear()

    worker.wake()

    assert not worker.appended(Claimed)
    skips = worker.appended(Skipped)
    assert {entry.reason for entry in skips} == {SkipReason.LATE}
    assert len(skips) == 20
