"""What can be told when reading begins in the middle of a log."""

from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Forwarded,
    Lost,
    Released,
    Settled,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Outcome, SkipReason, Verdict
from cronstream.core.wire.runs import Attempt, Discarded
from cronstream.history.story import RunState
from tests.builders import NOON, a_run, at
from tests.history.tape import Tape, finished

RUN = "backup@2026-01-01T12:00:00Z"


def a_tape() -> Tape:
    return Tape(first_offset=1000)


def test_a_run_is_told_although_its_revision_was_announced_before_the_window() -> None:
    tape = a_tape()
    tape.first(a_run(revision=17))
    assert tape.story(RUN).state is RunState.QUEUED
    assert not tape.story(RUN).partial


def test_an_older_revision_is_still_refused_once_a_newer_one_is_known() -> None:
    tape = a_tape()
    tape.first(Withdrawal(job="backup", revision=18, effective_from=at(-60)))
    tape.first(a_run(revision=17))
    assert tape.stories.get(RUN) is None


def test_a_skip_is_told_although_its_revision_was_announced_before_the_window() -> None:
    tape = a_tape()
    skip = Skip(job="backup", revision=17, reason=SkipReason.MISSED, from_at=NOON, to_at=NOON)
    tape.first(skip)
    assert tape.story(RUN).reason == "missed"


def test_a_run_published_before_the_window_is_told_from_its_entries_and_marked() -> None:
    tape = a_tape()
    tape.first(Claimed(run=RUN, version=990, worker="w1", number=3))
    assert tape.story(RUN).state is RunState.CLAIMED
    tape.first(Claimed(run=RUN, version=990, worker="w2", number=3))
    tape.first(Started(run=RUN, claim=990, worker="w1", started_at=at(0)))
    assert tape.story(RUN).state is RunState.RUNNING
    tape.first(finished(RUN, 990, exit_status=0))

    story = tape.story(RUN)
    assert (story.state, story.partial, story.job) == (RunState.SUCCEEDED, True, "backup")
    assert story.scheduled_at == NOON
    assert [(a.number, a.worker, a.exit_status) for a in story.attempts] == [(None, "w1", 0)]


def test_only_the_end_of_an_attempt_is_enough_to_tell_it() -> None:
    tape = a_tape()
    decided = tape.first(finished(RUN, 990, outcome=Outcome.FAILED, exit_status=3))
    assert tape.story(RUN).state is RunState.DECIDING
    tape.first(Forwarded(run=RUN, version=decided))
    assert tape.story(RUN).state is RunState.RETRYABLE
    tape.first(Settled(run=RUN, verdict=Verdict.DISCARDED, attempt=3))
    assert tape.story(RUN).state is RunState.DISCARDED
    tape.first(finished(RUN, 990))
    assert tape.story(RUN).state is RunState.DISCARDED, "a verdict stands"


def test_a_release_before_the_window_ends_leaves_it_queued() -> None:
    tape = a_tape()
    tape.first(Claimed(run=RUN, version=990, worker="w1", number=3))
    tape.first(Released(run=RUN, claim=990, worker="w1"))
    assert (tape.story(RUN).state, tape.story(RUN).attempts) == (RunState.QUEUED, ())


def test_the_loss_of_a_worker_reaches_a_run_that_the_fold_does_not_know() -> None:
    tape = a_tape()
    tape.first(Claimed(run=RUN, version=990, worker="w1", number=3))
    tape.first(Lost(worker="w2", number=1))
    tape.first(Lost(worker="w1", number=2))
    assert tape.story(RUN).state is RunState.CLAIMED
    tape.first(Lost(worker="w1", number=3), when=at(9))
    story = tape.story(RUN)
    assert (story.state, story.attempts[0].outcome) == (RunState.QUEUED, Outcome.LOST)


def test_a_skip_of_an_unknown_run_is_told_with_its_reason() -> None:
    tape = a_tape()
    tape.first(Skipped(run=RUN, version=990, reason=SkipReason.OVERLAP))
    assert (tape.story(RUN).state, tape.story(RUN).reason) == (RunState.SKIPPED, "overlap")


def test_an_unknown_run_that_was_replaced_is_skipped_when_it_has_ended() -> None:
    ends: list[Entry] = [
        finished(RUN, 990, outcome=Outcome.INTERRUPTED),
        Released(run=RUN, claim=990, worker="w1"),
        Lost(worker="w1", number=3),
    ]
    for end in ends:
        tape = a_tape()
        tape.first(Claimed(run=RUN, version=990, worker="w1", number=3))
        tape.first(Cancelled(run=RUN, version=991))
        assert tape.story(RUN).state is RunState.CLAIMED
        tape.first(end)
        assert (tape.story(RUN).state, tape.story(RUN).reason) == (RunState.SKIPPED, "overlap")


def test_an_unknown_run_that_succeeds_all_the_same_has_succeeded() -> None:
    tape = a_tape()
    tape.first(Cancelled(run=RUN, version=991))
    tape.first(finished(RUN, 990))
    assert (tape.story(RUN).state, tape.story(RUN).reason) == (RunState.SUCCEEDED, None)


def test_a_doubled_run_whose_original_is_before_the_window_does_not_undo_its_verdict() -> None:
    tape = a_tape()
    tape.first(finished(RUN, 990))
    tape.first(a_run())
    assert tape.story(RUN).state is RunState.SUCCEEDED


def test_a_doubled_run_is_told_by_the_entries_that_follow_from_its_original() -> None:
    tape = a_tape()
    tape.first(a_run())
    tape.first(Started(run=RUN, claim=990, worker="w1", started_at=at(0)))
    assert tape.story(RUN).state is RunState.RUNNING
    tape.first(finished(RUN, 990))
    assert tape.story(RUN).state is RunState.SUCCEEDED


def test_a_later_attempt_brings_the_former_ones_along() -> None:
    tape = a_tape()
    former = Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=at(1), worker="w1", exit_status=3)
    tape.first(Claimed(run=RUN, version=990, worker="w1", number=3))
    tape.first(finished(RUN, 990, outcome=Outcome.FAILED))
    tape.retry(
        a_run(max_attempts=2, attempt=2, attempts_left=1, not_before=at(60), attempts=[former])
    )
    story = tape.story(RUN)
    assert (story.state, story.partial, story.failures) == (RunState.RETRYABLE, True, 1)
    assert [(a.number, a.exit_status) for a in story.attempts] == [(1, 3)]


def test_the_next_attempt_on_the_retry_log_ends_the_guessing() -> None:
    tape = a_tape()
    tape.retry(finished(RUN, 990, "r1", outcome=Outcome.FAILED))
    following = {"attempt": 3, "attempts_left": 1, "not_before": at(60), "as_of": at(5)}
    version = tape.retry(a_run(max_attempts=3, **following))
    tape.retry(Claimed(run=RUN, version=version, worker="r2", number=1))
    tape.retry(Claimed(run=RUN, version=version, worker="r3", number=1))
    story = tape.story(RUN)
    assert (story.state, story.attempt) == (RunState.CLAIMED, 3)
    assert story.last is not None
    assert story.last.worker == "r2"


def test_a_discarded_run_of_which_nothing_else_is_in_the_window_is_told_all_the_same() -> None:
    tape = a_tape()
    run = a_run(attempts=[Attempt(attempt=1, outcome=Outcome.TIMED_OUT, ended_at=at(1))])
    tape.discarded(Discarded(run=run, reason="timed out", discarded_at=at(2)))
    story = tape.story(RUN)
    assert (story.state, story.reason, story.partial) == (RunState.DISCARDED, "timed out", True)
    assert story.attempts[0].outcome is Outcome.TIMED_OUT
