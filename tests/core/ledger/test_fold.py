"""The fold, rule by rule: what each entry changes, and above all what it does not."""

import pytest

from cronstream.core.ledger.mark import LONG_AGO, WINDOW
from cronstream.core.ledger.state import KEEP, MAX_LOSSES, STALE, Effect, State
from cronstream.core.wire.entries import (
    Claimed,
    Entry,
    Forwarded,
    Lost,
    Owned,
    Settled,
    Skipped,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Delivery, Outcome, SkipReason, Verdict
from cronstream.core.wire.runs import Backoff, RetryOn
from tests.builders import a_run, at
from tests.ledger_builders import Told, a_skip, beat, due, finished, released, started

ONCE = Delivery.AT_MOST_ONCE

# -- a run's way ---------------------------------------------------------------------------------


def test_a_run_that_succeeds_goes_from_queued_to_its_verdict() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    states = [told.live.state]
    claim = told.claim(run)
    states.append(told.live.state)
    told.tell(started(run, claim))
    states.append(told.live.state)
    told.tell(finished(run, claim))

    assert states == [State.QUEUED, State.CLAIMED, State.RUNNING]
    assert told.verdicts == ["succeeded"]
    assert not told.ledger.book.live
    assert told.ledger.book.mark("backup").settled == {run.scheduled_at: Verdict.SUCCEEDED}


def test_a_message_counts_once() -> None:
    told, run = Told(), a_run()
    offset = told.tell(run)

    assert not told.ledger.fold(offset, at(0), [a_run(scheduled_at=at(60))])
    assert list(told.ledger.book.live) == [run.id]


def test_time_never_goes_back_in_a_fold() -> None:
    told = Told()
    told.tell(beat("w1", 1), seconds=5)
    told.tell(beat("w1", 2), seconds=3)

    assert told.ledger.book.now == at(5)


def test_the_barrier_changes_nothing() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.claim(run)
    version = told.live.version
    told.tell(Owned(worker="w2", number=1))

    assert (told.live.state, told.live.version) == (State.CLAIMED, version)


def test_a_finish_without_a_start_counts_since_a_command_may_fail_to_start() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    claim = told.claim(run)
    told.tell(finished(run, claim, Outcome.FAILED))

    assert told.live.effect is Effect.DISCARD


# -- rule 1: compare and set ---------------------------------------------------------------------


def test_the_first_claim_of_a_version_wins() -> None:
    told, run = Told(), a_run()
    version = told.tell(run)
    told.claim(run, "w1", version)
    told.tell(Claimed(run=run.id, version=version, worker="w2", number=1))

    assert told.live.holder == "w1"
    assert told.ledger.book.refused["claim"] == 1


def test_a_claim_of_an_older_version_changes_nothing() -> None:
    told, run = Told(), a_run()
    version = told.tell(run)
    told.tell(released(run, told.claim(run)))
    told.tell(Claimed(run=run.id, version=version, worker="w2", number=1))

    assert told.live.state is State.QUEUED


@pytest.mark.parametrize("kind", ["released", "started", "finished"])
@pytest.mark.parametrize(("worker", "further"), [("w2", 0), ("w1", 1)])
def test_an_entry_of_a_claim_that_does_not_stand_changes_nothing(
    kind: str, worker: str, further: int
) -> None:
    told, run = Told(), a_run()
    told.tell(run)
    claim = told.claim(run, "w1") + further
    entries: dict[str, Entry] = {
        "released": released(run, claim, worker),
        "started": started(run, claim, worker),
        "finished": finished(run, claim, worker=worker),
    }
    told.tell(entries[kind])

    assert told.live.state is State.CLAIMED
    assert told.ledger.book.refused[kind] == 1


def test_a_finish_that_comes_twice_counts_once() -> None:
    told, run = Told(), a_run(max_attempts=3)
    told.tell(run)
    claim = told.start(run)
    told.tell(finished(run, claim, Outcome.FAILED))
    version = told.live.version
    told.tell(finished(run, claim, Outcome.FAILED))

    assert told.live.version == version
    assert len(told.live.run.attempts or []) == 1


def test_a_started_that_comes_twice_counts_once() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    claim = told.start(run)
    told.tell(started(run, claim))

    assert told.live.state is State.RUNNING


def test_a_release_before_the_claim_it_releases_changes_nothing() -> None:
    told, run = Told(), a_run()
    version = told.tell(run)
    told.tell(released(run, version))

    assert told.live.state is State.QUEUED
    assert told.live.version == version


def test_a_release_makes_the_run_claimable_under_another_version() -> None:
    told, run = Told(), a_run()
    version = told.tell(run)
    told.tell(released(run, told.claim(run)))

    assert told.live.state is State.QUEUED
    assert told.live.version > version
    assert not told.ledger.book.held


def test_forwarded_of_another_version_changes_nothing() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.tell(Forwarded(run=run.id, version=told.live.version - 1))

    assert told.live.state is State.DECIDING


# -- decisions and effects -----------------------------------------------------------------------


def test_a_failure_with_attempts_left_is_retried_after_its_backoff() -> None:
    told, run = Told(), a_run(max_attempts=3)
    told.tell(run)
    told.finish(run, Outcome.FAILED, seconds=7)

    live = told.live
    assert (live.state, live.effect) == (State.DECIDING, Effect.RETRY)
    assert live.not_before is not None
    assert at(22) <= live.not_before <= at(23.5)
    assert told.ledger.book.deciding == {run.id: live.version}


def test_the_last_failure_is_discarded_not_retried() -> None:
    told, run = Told(), a_run(max_attempts=1)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    assert told.live.effect is Effect.DISCARD
    told.forward(run)

    assert told.verdicts == ["discarded"]


def test_what_is_not_to_be_retried_is_discarded_at_once() -> None:
    told, run = Told(), a_run(max_attempts=3, retry_on=RetryOn(statuses=[7]))
    told.tell(run)
    told.finish(run, Outcome.FAILED)

    assert told.live.effect is Effect.DISCARD


def test_a_forwarded_retry_waits_for_its_verdict_from_the_retry_log() -> None:
    told, run = Told(), a_run(max_attempts=2)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.forward(run)
    assert told.live.state is State.RETRYABLE
    assert not told.ledger.book.deciding
    told.tell(Settled(run=run.id, verdict=Verdict.SUCCEEDED, attempt=2))

    assert told.verdicts == ["succeeded"]


def test_a_verdict_from_the_retry_log_may_come_before_forwarded() -> None:
    told, run = Told(), a_run(max_attempts=2)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    version = told.live.version
    told.tell(Settled(run=run.id, verdict=Verdict.DISCARDED, attempt=2))
    told.tell(Forwarded(run=run.id, version=version))

    assert told.verdicts == ["discarded"]


def test_a_settled_of_a_run_that_is_not_at_its_retries_changes_nothing() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.tell(Settled(run=run.id, verdict=Verdict.SUCCEEDED, attempt=2))
    told.tell(Settled(run="other@x", verdict=Verdict.SUCCEEDED, attempt=2))

    assert told.live.state is State.QUEUED
    assert told.ledger.book.refused["settled"] == 2


def test_a_queued_run_may_be_skipped_by_its_owner() -> None:
    told, run = Told(), a_run()
    version = told.tell(run)
    told.tell(Skipped(run=run.id, version=version - 1, reason=SkipReason.OVERLAP))
    assert told.live.state is State.QUEUED
    told.tell(Skipped(run=run.id, version=version, reason=SkipReason.OVERLAP))

    assert told.verdicts == ["skipped"]


# -- the retry log -------------------------------------------------------------------------------


def test_a_success_on_the_retry_log_is_settled_once_it_is_forwarded() -> None:
    told, run = Told(retry=True), a_run(attempt=2, max_attempts=3, attempts_left=2)
    told.tell(run)
    told.finish(run)
    assert told.live.effect is Effect.SETTLE
    told.forward(run)

    assert told.verdicts == ["succeeded"]


def test_the_next_attempt_on_the_retry_log_takes_the_place_of_the_failed_one() -> None:
    told = Told(retry=True)
    second = a_run(attempt=2, max_attempts=4, attempts_left=3, as_of=at(0))
    third = second.derive(attempt=3, attempts_left=2)
    told.tell(second)
    told.finish(second, Outcome.FAILED)
    told.tell(third)

    assert (told.live.run.attempt, told.live.state) == (3, State.QUEUED)
    assert not told.ledger.book.deciding


def test_a_forwarded_of_a_retry_on_the_retry_log_changes_nothing() -> None:
    told = Told(retry=True)
    run = a_run(attempt=2, max_attempts=4, attempts_left=3)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.forward(run)

    assert told.live.state is State.DECIDING


def test_a_later_attempt_enters_once_whether_live_deciding_or_settled() -> None:
    told = Told(retry=True)
    run = a_run(attempt=2, max_attempts=2, attempts_left=1, as_of=at(0))
    told.tell(run)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.tell(run)
    told.forward(run)
    told.tell(run)

    assert told.ledger.book.refused["duplicate"] == 3
    assert told.verdicts == ["discarded"]


def test_a_later_attempt_that_comes_too_late_is_stale() -> None:
    told = Told(retry=True)
    run = a_run(attempt=2, max_attempts=2, attempts_left=1, as_of=at(0))
    told.tell(run, seconds=STALE.total_seconds() + 1)
    assert not told.ledger.book.live
    told.tell(run.derive(as_of=at(STALE.total_seconds())))

    assert told.ledger.book.refused["stale"] == 1
    assert told.ledger.book.live


def test_what_became_of_a_later_attempt_is_known_for_an_hour() -> None:
    told = Told(retry=True)
    run = a_run(attempt=2, max_attempts=2, attempts_left=1)
    told.tell(run)
    told.finish(run, seconds=0)
    told.forward(run)
    other = due(60, attempt=2, max_attempts=2, attempts_left=1)
    told.tell(other, seconds=KEEP.total_seconds() + 2)
    assert run.id in told.ledger.book.recent
    told.finish(other, seconds=KEEP.total_seconds() + 3)
    told.forward(other)

    assert list(told.ledger.book.recent) == [other.id]


# -- rule 7 to 9: losses -------------------------------------------------------------------------


def test_lost_names_the_heartbeat_and_a_newer_one_makes_it_void() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.start(run)
    number = told.ledger.book.beats["w1"].number
    told.tell(beat("w1", number + 1), Lost(worker="w1", number=number))
    assert told.live.state is State.RUNNING
    told.tell(Lost(worker="nobody", number=1))

    assert told.ledger.book.refused["lost"] == 2


def test_an_older_heartbeat_does_not_hide_a_newer_one() -> None:
    told = Told()
    told.tell(beat("w1", 5), seconds=5)
    told.tell(beat("w1", 4), seconds=6)

    assert (told.ledger.book.beats["w1"].number, told.ledger.book.beats["w1"].at) == (5, at(5))


def test_a_lost_attempt_is_made_again_and_costs_none_of_the_attempts_left() -> None:
    told, run = Told(), a_run(max_attempts=2)
    told.tell(run)
    told.start(run)
    told.lose()

    live = told.live
    assert (live.run.attempt, live.run.attempts_left, live.losses) == (2, 2, 1)
    assert (live.state, live.begun, live.holder) == (State.QUEUED, True, None)
    assert [a.outcome for a in live.run.attempts or []] == [Outcome.LOST]


def test_a_claim_lost_before_its_start_takes_a_number_but_counts_as_no_loss() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.claim(run)
    told.lose()

    assert (told.live.run.attempt, told.live.losses) == (2, 0)


def test_an_interrupted_attempt_costs_nothing_and_is_no_loss() -> None:
    told, run = Told(), a_run(max_attempts=2)
    told.tell(run)
    told.finish(run, Outcome.INTERRUPTED)

    live = told.live
    assert (live.run.attempt, live.run.attempts_left, live.losses) == (2, 2, 0)


def test_the_sixth_loss_discards_the_run_as_lost() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    for _ in range(MAX_LOSSES):
        told.start(run)
        told.lose()
    assert told.live.state is State.QUEUED
    told.start(run)
    told.lose()

    assert told.live.effect is Effect.DISCARD
    assert told.live.reason == "attempt 6 lost (6 losses in all)"


@pytest.mark.parametrize("outcome", [Outcome.LOST, Outcome.INTERRUPTED])
def test_at_most_once_is_discarded_after_it_has_started(outcome: Outcome) -> None:
    told, run = Told(), a_run(delivery=ONCE, max_attempts=3)
    told.tell(run)
    claim = told.start(run)
    if outcome is Outcome.LOST:
        told.lose()
    else:
        told.tell(finished(run, claim, outcome))

    assert told.live.effect is Effect.DISCARD
    assert "at_most_once" in told.live.reason


def test_at_most_once_is_reopened_with_its_number_when_it_was_lost_before_its_start() -> None:
    told, run = Told(), a_run(delivery=ONCE)
    told.tell(run)
    told.claim(run)
    told.lose()

    assert (told.live.state, told.live.run.attempt, told.live.begun) == (State.QUEUED, 1, False)


def test_at_most_once_is_reopened_when_a_start_was_announced_and_given_back() -> None:
    told, run = Told(), a_run(delivery=ONCE)
    told.tell(run)
    claim = told.start(run)
    told.tell(released(run, claim))

    assert (told.live.state, told.live.begun) == (State.QUEUED, False)


def test_a_loss_takes_all_that_a_worker_held_and_nothing_else() -> None:
    told, runs = Told(), [due(0), due(1), due(2)]
    told.tell(*runs)
    for run, worker in zip(runs, ["w1", "w1", "w2"], strict=True):
        told.claim(run, worker)
    told.lose("w1")

    states = [told.ledger.book.live[run.id].state for run in runs]
    assert states == [State.QUEUED, State.QUEUED, State.CLAIMED]
    assert told.ledger.book.held == {"w2": {runs[2].id}}


def test_a_finish_after_a_loss_is_refused() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    claim = told.start(run)
    told.lose()
    told.tell(finished(run, claim))

    assert told.live.state is State.QUEUED
    assert told.ledger.book.refused["finished"] == 1


def test_a_worker_that_was_not_heard_of_for_an_hour_is_forgotten_unless_it_holds() -> None:
    told, first, second = Told(), due(0), due(1)
    told.tell(first, second)
    told.tell(beat("gone", 1))
    told.claim(first, "holder")
    told.tell(beat("late", 1), seconds=KEEP.total_seconds() + 5)
    claim = told.claim(second, "late")
    told.tell(finished(second, claim, worker="late"))

    assert list(told.ledger.book.beats) == ["holder", "late"]


# -- rule 11: dedupe -----------------------------------------------------------------------------


def test_a_due_time_enters_once_whether_live_settled_or_behind_the_mark() -> None:
    told, run, later = Told(), due(10), due(20)
    told.tell(run)
    told.tell(run)
    told.finish(run)
    told.tell(run)
    told.tell(later)
    told.tell(due(15))

    assert told.ledger.book.refused["duplicate"] == 3
    assert list(told.ledger.book.live) == [later.id]


def test_scheduled_runs_are_never_stale() -> None:
    told = Told()
    told.tell(a_run(as_of=at(0)), seconds=5 * STALE.total_seconds())

    assert told.ledger.book.live


def test_a_run_with_a_cause_enters_once_by_its_id_and_concerns_no_mark() -> None:
    told = Told(revision=False)
    run = a_run(revision=None, as_of=at(0))
    told.tell(run)
    told.tell(run)
    told.finish(run)
    told.tell(run)

    assert told.verdicts == ["succeeded"]
    assert told.ledger.book.refused["duplicate"] == 2
    assert not told.ledger.book.marks


def test_a_run_with_a_cause_that_comes_too_late_is_stale() -> None:
    told = Told()
    told.tell(a_run(revision=None, as_of=at(0)), seconds=STALE.total_seconds() + 1)

    assert not told.ledger.book.live


def test_what_is_kept_of_a_job_is_bounded() -> None:
    told = Told()
    for minute in range(60):
        run = due(60 * minute, revision=minute + 1)
        told.tell(run)
        told.finish(run)
        told.tell(a_skip(60 * minute + 20, 60 * minute + 25, revision=minute + 1))
        told.edit(minute + 2, 60 * minute + 30)

    mark = told.ledger.book.mark("backup")
    assert mark.floor == at(59 * 60 + 25) - WINDOW
    assert len(mark.settled) == len(mark.skipped) == WINDOW.total_seconds() // 60
    assert len(mark.revisions) <= WINDOW.total_seconds() // 60 + 2


# -- what a message says cannot hurt the fold ------------------------------------------------------


def test_an_edit_from_the_beginning_of_the_calendar_on_is_taken_like_any_other() -> None:
    told = Told()
    told.tell(Withdrawal(job="backup", revision=2, effective_from=LONG_AGO))
    told.tell(due(10, revision=2))

    assert told.ledger.book.live


def test_a_backoff_that_no_calendar_has_room_for_ends_in_a_wait_all_the_same() -> None:
    told = Told()
    run = a_run(max_attempts=2, backoff=Backoff(first_s=2**53, ceiling_s=2**53))
    told.tell(run)
    told.finish(run, Outcome.FAILED)

    assert told.live.effect is Effect.RETRY
