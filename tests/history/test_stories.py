"""Entries in, stories out: what people are told must be what the ledger says."""

from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Forwarded,
    Heartbeat,
    Level,
    Lost,
    Owned,
    Released,
    Settled,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.runs import Discarded, Run
from cronstream.history.story import LogKind, RunState
from cronstream.history.words import state_text
from tests.builders import NOON, a_run, at
from tests.history.tape import Tape, finished

RUN = "backup@2026-01-01T12:00:00Z"
EVER = at(-86_400)


def a_tape() -> Tape:
    """Return a log on which revision 1 of the job is in force."""
    tape = Tape()
    tape.first(Withdrawal(job="backup", revision=1, effective_from=EVER))
    return tape


def claimed(version: int, worker: str = "w1", number: int = 1, run: str = RUN) -> Claimed:
    return Claimed(run=run, version=version, worker=worker, number=number)


def started(claim: int, worker: str = "w1", run: str = RUN) -> Started:
    return Started(run=run, claim=claim, worker=worker, started_at=at(0.004), pid=7)


def test_a_run_that_succeeds_is_told_from_its_publication_to_its_verdict() -> None:
    tape = a_tape()
    version = tape.first(a_run(max_attempts=3), when=at(-30))
    tape.first(claimed(version), when=at(-29))
    tape.first(started(version), when=at(0.01))
    tape.first(finished(RUN, version, started_at=at(0.004), exit_status=0, head="hi\n"), when=at(3))

    story = tape.story(RUN)
    assert tape.states == ["queued", "claimed", "running", "succeeded"]
    assert (story.state, story.attempts_text, story.partial) == (
        RunState.SUCCEEDED,
        "1 of 3",
        False,
    )
    assert (story.published_at, story.changed_at) == (at(-30), at(3))
    assert story.start_delay_s == 0.004
    [attempt] = story.attempts
    assert (attempt.worker, attempt.exit_status, attempt.head) == ("w1", 0, "hi\n")
    assert (attempt.claimed_at, attempt.duration_s) == (at(-29), 1.996)
    assert attempt.offsets == (("claimed", 2), ("started", 3), ("ended", 4))


def test_only_the_first_claim_of_a_version_is_told() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(claimed(version, "w1"))
    tape.first(claimed(version, "w2"))
    tape.first(started(version, "w2"))
    tape.first(finished(RUN, version, "w2"))

    story = tape.story(RUN)
    assert story.state is RunState.CLAIMED
    assert [attempt.worker for attempt in story.attempts] == ["w1"]


def test_a_released_claim_leaves_no_attempt_behind() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(claimed(version, "w1"))
    released = tape.first(Released(run=RUN, claim=version, worker="w1"))
    assert tape.story(RUN).attempts == ()
    assert tape.story(RUN).state is RunState.QUEUED

    tape.first(claimed(released, "w2"))
    assert [attempt.worker for attempt in tape.story(RUN).attempts] == ["w2"]


def failed_first_attempt(tape: Tape, **fields: object) -> Run:
    """Let the first attempt of a run fail, and forward it; return the run as it was published."""
    run = a_run(max_attempts=2, **fields)
    version = tape.first(run)
    tape.first(claimed(version))
    tape.first(started(version))
    decided = tape.first(finished(RUN, version, outcome=Outcome.FAILED, exit_status=3))
    tape.first(Forwarded(run=RUN, version=decided))
    return run


def test_a_failed_run_waits_for_its_next_attempt_until_the_retry_log_tells_more() -> None:
    tape = a_tape()
    run = failed_first_attempt(tape)
    assert tape.story(RUN).state is RunState.RETRYABLE
    not_before = tape.story(RUN).not_before
    assert not_before is not None
    assert not_before > NOON

    second = run.derive(attempt=2, attempts_left=1, not_before=at(60), as_of=at(1))
    version = tape.retry(second)
    assert tape.story(RUN).state is RunState.RETRYABLE
    assert tape.story(RUN).not_before == at(60)
    tape.retry(claimed(version, "r1"))
    tape.retry(started(version, "r1"))
    assert tape.story(RUN).state is RunState.RUNNING

    decided = tape.retry(finished(RUN, version, "r1"))
    assert tape.story(RUN).state is RunState.DECIDING
    tape.first(Settled(run=RUN, verdict=Verdict.SUCCEEDED, attempt=2))
    tape.retry(Forwarded(run=RUN, version=decided))
    story = tape.story(RUN)
    assert story.state is RunState.SUCCEEDED
    assert [(a.number, a.log, a.outcome) for a in story.attempts] == [
        (1, LogKind.FIRST, Outcome.FAILED),
        (2, LogKind.RETRY, Outcome.SUCCEEDED),
    ]
    assert (story.attempts_text, story.failures) == ("2 of 2", 1)


def test_it_does_not_matter_which_of_the_two_logs_is_read_first() -> None:
    tape = a_tape()
    second = a_run(max_attempts=2, attempt=2, attempts_left=1, not_before=at(60))
    version = tape.retry(second)
    tape.retry(claimed(version, "r1"))
    tape.retry(finished(RUN, version, "r1"))
    failed_first_attempt(tape)
    tape.first(Settled(run=RUN, verdict=Verdict.SUCCEEDED, attempt=2))

    assert tape.story(RUN).state is RunState.SUCCEEDED
    assert [attempt.number for attempt in tape.story(RUN).attempts] == [1, 2]


def test_a_run_out_of_attempts_is_discarded_with_the_reason_of_the_discarded_topic() -> None:
    tape = a_tape()
    run = a_run()
    version = tape.first(run)
    tape.first(claimed(version))
    decided = tape.first(finished(RUN, version, outcome=Outcome.FAILED, exit_status=3))
    assert tape.story(RUN).state is RunState.DECIDING
    tape.first(Forwarded(run=RUN, version=decided))
    assert tape.story(RUN).state is RunState.DISCARDED

    tape.discarded(Discarded(run=run, reason="it failed", discarded_at=at(4)))
    tape.discarded(Discarded(run=run, reason="a double", discarded_at=at(5)))
    assert tape.story(RUN).reason == "it failed"


def test_a_lost_attempt_is_made_again_and_its_late_report_is_told_as_late() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(claimed(version, "w1", number=5))
    tape.first(started(version, "w1"))
    tape.first(Lost(worker="w1", number=4))
    assert tape.story(RUN).state is RunState.RUNNING, "a newer heartbeat came before"

    again = tape.first(Lost(worker="w1", number=5), when=at(9))
    tape.first(finished(RUN, version, "w1"))
    story = tape.story(RUN)
    assert story.state is RunState.QUEUED
    [attempt] = story.attempts
    assert (attempt.outcome, attempt.ended_at) == (Outcome.LOST, at(9))
    assert attempt.late is Outcome.SUCCEEDED

    tape.first(claimed(again, "w2"))
    tape.first(finished(RUN, again, "w2"))
    story = tape.story(RUN)
    assert (story.state, story.attempts_text) == (RunState.SUCCEEDED, "2, 0 of 1 failures")


def test_a_cancelled_run_says_who_wanted_it_no_more() -> None:
    tape = a_tape()
    tape.first(Level(level=2))
    version = tape.first(a_run(), when=at(-30))
    tape.first(claimed(version), when=at(-29))
    for who in ("ada", "bob"):
        tape.first(Cancelled(run=RUN, reason=SkipReason.CANCELLED, by=who), when=at(-2))
    assert tape.story(RUN).cancelled_by is None
    tape.first(Released(run=RUN, claim=version, worker="w1"), when=at(-1))

    story = tape.story(RUN)
    assert (story.state, story.cancelled_by) == (RunState.SKIPPED, "ada")
    assert state_text(story) == "skipped (cancelled by ada)"


def test_a_heartbeat_and_an_owner_are_no_news_of_a_run() -> None:
    tape = a_tape()
    tape.first(a_run())
    tape.changes.clear()
    tape.first(Heartbeat(worker="w1", number=1), Owned(worker="w1", number=2))
    assert tape.changes == []


def test_an_at_most_once_run_lost_after_its_start_is_discarded() -> None:
    tape = a_tape()
    version = tape.first(a_run(delivery=Delivery.AT_MOST_ONCE, max_attempts=3))
    tape.first(claimed(version))
    tape.first(started(version))
    decided = tape.first(Lost(worker="w1", number=1))
    tape.first(Forwarded(run=RUN, version=decided))
    assert tape.story(RUN).state is RunState.DISCARDED


def test_an_interrupted_attempt_costs_none() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(claimed(version))
    tape.first(finished(RUN, version, outcome=Outcome.INTERRUPTED, signal=15))
    story = tape.story(RUN)
    assert (story.state, story.failures) == (RunState.QUEUED, 0)
    assert story.attempts[0].outcome is Outcome.INTERRUPTED


def test_entries_of_one_message_are_told_one_by_one() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(claimed(version))
    tape.first(started(version), finished(RUN, version))
    assert tape.states == ["queued", "claimed", "running", "succeeded"]


def test_the_overlap_policy_skips_a_queued_run_with_its_reason() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(Skipped(run=RUN, version=version, reason=SkipReason.OVERLAP))
    story = tape.story(RUN)
    assert (story.state, story.reason) == (RunState.SKIPPED, "overlap")


def test_being_asked_to_end_changes_no_state_yet() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(claimed(version))
    tape.first(Cancelled(run=RUN, version=version))
    assert tape.story(RUN).state is RunState.CLAIMED


def test_a_run_that_was_replaced_is_skipped_when_it_has_ended() -> None:
    tape = a_tape()
    version = tape.first(a_run(overlap=Overlap.REPLACE))
    claim = tape.first(claimed(version))
    tape.first(started(version))
    tape.first(Cancelled(run=RUN, version=claim))
    tape.first(finished(RUN, version, outcome=Outcome.INTERRUPTED, signal=15))
    story = tape.story(RUN)
    assert (story.state, story.reason) == (RunState.SKIPPED, "overlap")
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.INTERRUPTED]


def test_a_run_that_was_replaced_at_its_retries_is_skipped_on_both_logs() -> None:
    tape = a_tape()
    run = a_run(overlap=Overlap.REPLACE, max_attempts=2)
    version = tape.first(run)
    tape.first(claimed(version), started(version))
    decided = tape.first(finished(RUN, version, outcome=Outcome.FAILED, exit_status=3))
    second = tape.retry(run.derive(attempt=2, attempts_left=1))
    waiting = tape.first(Forwarded(run=RUN, version=decided))
    tape.first(Cancelled(run=RUN, version=waiting))
    cancelled = tape.retry(Cancelled(run=RUN))
    assert second < cancelled
    assert tape.story(RUN).state is RunState.DECIDING
    tape.first(Settled(run=RUN, verdict=Verdict.SKIPPED, attempt=2))
    tape.retry(Forwarded(run=RUN, version=cancelled))
    story = tape.story(RUN)
    assert (story.state, story.reason) == (RunState.SKIPPED, "overlap")


def test_a_withdrawn_run_gives_way_to_the_run_of_the_new_revision() -> None:
    tape = a_tape()
    tape.first(a_run(command="old"))
    tape.first(Withdrawal(job="backup", revision=2, effective_from=at(-5)))
    story = tape.story(RUN)
    assert (story.state, story.reason) == (RunState.SKIPPED, "withdrawn")

    tape.first(a_run(command="new", revision=2))
    story = tape.story(RUN)
    assert (story.state, story.reason, story.command) == (RunState.QUEUED, None, "new")


def test_a_claimed_run_is_withdrawn_once_its_holder_releases_it() -> None:
    tape = a_tape()
    version = tape.first(a_run(command="old"))
    tape.first(claimed(version))
    tape.first(Withdrawal(job="backup", revision=2, effective_from=at(-5)))
    assert tape.story(RUN).state is RunState.CLAIMED
    tape.first(a_run(command="new", revision=2))
    assert tape.story(RUN).command == "old"

    tape.first(Released(run=RUN, claim=version, worker="w1"))
    story = tape.story(RUN)
    assert (story.state, story.command, story.attempts) == (RunState.QUEUED, "new", ())


def test_a_doubled_message_changes_nothing() -> None:
    tape = a_tape()
    version = tape.first(a_run())
    tape.first(claimed(version))
    entries: tuple[Entry, ...] = (a_run(), claimed(version), finished(RUN, version))
    tape.first(*entries)
    before = tape.story(RUN)
    tape.first(*entries)
    assert tape.story(RUN) == before


def test_a_span_of_skipped_due_times_is_one_story_with_its_count() -> None:
    tape = a_tape()
    skip = Skip(
        job="backup",
        revision=1,
        reason=SkipReason.MISSED,
        from_at=NOON,
        to_at=at(3600),
        count=61,
    )
    tape.first(skip)
    tape.first(skip)
    [story] = list(tape.stories)
    assert story.id == "backup@2026-01-01T12:00:00Z..2026-01-01T13:00:00Z"
    assert (story.state, story.reason, story.count, story.to_at) == (
        RunState.SKIPPED,
        "missed",
        61,
        at(3600),
    )


def test_one_skipped_due_time_has_the_id_that_its_run_would_have() -> None:
    tape = a_tape()
    skip = Skip(job="backup", revision=1, reason=SkipReason.PAUSED, from_at=NOON, to_at=NOON)
    tape.first(skip)
    assert tape.story(RUN).reason == "paused"


def test_only_the_wanted_job_is_told_of() -> None:
    tape = Tape(job="report")
    for job in ("backup", "report"):
        tape.first(Withdrawal(job=job, revision=1, effective_from=EVER))
        version = tape.first(a_run(job=job))
        tape.first(claimed(version, run=f"{job}@2026-01-01T12:00:00Z"))
    assert [(s.job, s.state) for s in tape.stories] == [("report", RunState.CLAIMED)]


def test_the_oldest_settled_runs_are_forgotten_and_live_ones_never() -> None:
    tape = Tape(keep=4)
    tape.first(Withdrawal(job="backup", revision=1, effective_from=EVER))
    tape.first(a_run())
    for i in range(1, 21):
        run = a_run(scheduled_at=at(i * 60))
        version = tape.first(run, when=at(i * 60))
        tape.first(claimed(version, run=run.id), finished(run.id, version), when=at(i * 60))
    kept = sorted(story.scheduled_at for story in tape.stories)
    assert kept[0] == NOON
    assert kept[-1] == at(1200)
    assert len(kept) <= 6


def test_a_run_that_was_imported_is_told_as_partial() -> None:
    tape = Tape()
    tape.first(Heartbeat(worker="w1", number=1), when=at(30))
    tape.first(Claimed(run=RUN, version=-7, worker="w1", number=2), when=at(31))
    tape.first(finished(RUN, -7, exit_status=0), when=at(32))
    story = tape.story(RUN)
    assert (story.state, story.partial) == (RunState.UNKNOWN, True)
    assert [attempt.exit_status for attempt in story.attempts] == [0]
