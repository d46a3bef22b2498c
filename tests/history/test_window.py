"""What can be told when reading begins in the middle of a log."""

import pytest

from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Forwarded,
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


def test_of_a_run_published_before_the_window_only_what_its_entries_say_is_told() -> None:
    tape = a_tape()
    tape.first(Claimed(run=RUN, version=990, worker="w1", number=3))
    tape.first(Claimed(run=RUN, version=990, worker="w2", number=3))
    assert (tape.story(RUN).state, tape.story(RUN).attempts) == (RunState.UNKNOWN, ())
    tape.first(Started(run=RUN, claim=990, worker="w1", started_at=at(0)))
    tape.first(finished(RUN, 990, exit_status=0))

    story = tape.story(RUN)
    assert (story.state, story.partial, story.job) == (RunState.UNKNOWN, True, "backup")
    assert story.scheduled_at == NOON
    assert [(a.number, a.worker, a.exit_status) for a in story.attempts] == [(None, "w1", 0)]


def test_where_no_state_is_known_the_end_of_each_attempt_is_news_and_nothing_else() -> None:
    tape = a_tape()
    tape.first(Started(run=RUN, claim=990, worker="w1", started_at=at(0)))
    tape.first(finished(RUN, 990, outcome=Outcome.INTERRUPTED))
    tape.first(Started(run=RUN, claim=991, worker="w1", started_at=at(3)))
    tape.first(finished(RUN, 991))
    told = [(change.before, len(change.story.attempts)) for change in tape.changes]
    assert told == [(None, 1), (RunState.UNKNOWN, 1), (RunState.UNKNOWN, 2)]
    assert [a.outcome for a in tape.story(RUN).attempts] == [
        Outcome.INTERRUPTED,
        Outcome.SUCCEEDED,
    ]


@pytest.mark.parametrize(
    ("entry", "state", "reason"),
    [
        (Settled(run=RUN, verdict=Verdict.DISCARDED, attempt=3), RunState.DISCARDED, None),
        (Settled(run=RUN, verdict=Verdict.SKIPPED, attempt=3), RunState.SKIPPED, "overlap"),
        (Skipped(run=RUN, version=990, reason=SkipReason.OVERLAP), RunState.SKIPPED, "overlap"),
        (Forwarded(run=RUN, version=990), RunState.UNKNOWN, None),
        (Cancelled(run=RUN, version=990), RunState.UNKNOWN, None),
    ],
)
def test_a_verdict_that_an_entry_names_is_told_and_none_is_worked_out(
    entry: Entry, state: RunState, reason: str | None
) -> None:
    tape = a_tape()
    tape.first(finished(RUN, 990, outcome=Outcome.FAILED, exit_status=3))
    tape.first(entry)
    assert (tape.story(RUN).state, tape.story(RUN).reason) == (state, reason)
    tape.first(finished(RUN, 991))
    assert tape.story(RUN).state is state


def test_an_attempt_that_was_given_back_was_none() -> None:
    tape = a_tape()
    tape.first(Started(run=RUN, claim=990, worker="w1", started_at=at(0)))
    tape.first(Released(run=RUN, claim=989, worker="w1"))
    assert len(tape.story(RUN).attempts) == 1
    tape.first(Released(run=RUN, claim=990, worker="w1"))
    assert tape.story(RUN).attempts == ()


def test_a_doubled_run_whose_original_is_before_the_window_is_no_news() -> None:
    tape = a_tape()
    tape.first(finished(RUN, 990))
    tape.first(a_run())
    assert (tape.story(RUN).state, tape.story(RUN).partial) == (RunState.UNKNOWN, True)


def test_a_doubled_run_is_partial_once_an_entry_speaks_of_its_original() -> None:
    tape = a_tape()
    tape.first(a_run())
    assert (tape.story(RUN).state, tape.story(RUN).partial) == (RunState.QUEUED, False)
    tape.first(Started(run=RUN, claim=990, worker="w1", started_at=at(0)))
    story = tape.story(RUN)
    assert (story.state, story.partial, story.command) == (RunState.UNKNOWN, True, "true")
    assert (story.published_at, [a.worker for a in story.attempts]) == (None, ["w1"])


def test_who_speaks_late_of_a_due_time_that_was_skipped_brings_no_run() -> None:
    tape = a_tape()
    tape.first(Skip(job="backup", revision=1, reason=SkipReason.PAUSED, from_at=NOON, to_at=NOON))
    tape.first(Claimed(run=RUN, version=990, worker="w1", number=3))
    assert [story.state for story in tape.stories] == [RunState.SKIPPED]


def test_what_an_edit_takes_out_is_not_taken_for_the_run_that_brings_it() -> None:
    tape = a_tape()
    tape.first(a_run(revision=1, scheduled_at=at(60)))
    tape.first(a_run(revision=2, scheduled_at=at(30), command="new"))
    story = tape.story("backup@2026-01-01T12:01:00Z")
    assert (story.state, story.reason, story.command) == (RunState.SKIPPED, "withdrawn", "true")


def test_a_run_that_nobody_takes_up_for_a_week_is_told_as_missed() -> None:
    tape = a_tape()
    tape.first(a_run(revision=1))
    for day in range(1, 9):
        tape.first(when=at(day * 86_400))
    story = tape.story(RUN)
    assert (story.state, story.reason) == (RunState.SKIPPED, "missed")
    assert tape.states == ["queued", "skipped"]


def test_of_runs_before_the_window_only_so_many_are_kept() -> None:
    tape = Tape(first_offset=1000, keep=4)
    for i in range(20):
        tape.first(finished(a_run(scheduled_at=at(i)).id, 900 + i), when=at(i))
    assert max(story.scheduled_at for story in tape.stories) == at(19)
    assert len(list(tape.stories)) <= 5


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


def test_the_next_attempt_on_the_retry_log_tells_where_the_run_stands() -> None:
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
