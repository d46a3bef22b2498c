"""The fold of a paused job: what has not begun is skipped, and what has begun goes on (rule 25)."""

from typing import Any

import orjson
import pytest

from cronstream.core.ledger.paused import NOT_PAUSED
from cronstream.core.ledger.rows import from_row, join, row_parts
from cronstream.core.ledger.state import Effect, News, SkipNews, State
from cronstream.core.wire.entries import Claimed, Level, Withdrawal
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, Overlap, SkipReason
from cronstream.core.wire.runs import Run
from tests.builders import NOON, at
from tests.ledger_builders import Told, a_skip, due, finished, released, started


def told() -> Told:
    found = Told()
    found.tell(Level(level=4))
    return found


def pause(revision: int = 2, *, to: float = 9e6, since: float = 60.0, **more: Any) -> Withdrawal:
    values = {"effective_from": at(since), "paused_to": at(to), **more}
    return Withdrawal(job="backup", revision=revision, **values)


def resume(revision: int = 3, *, since: float = 120.0, **more: Any) -> Withdrawal:
    values = {"effective_from": at(since), "lifts": True, **more}
    return Withdrawal(job="backup", revision=revision, **values)


def reasons(told: Told) -> list[tuple[str, str]]:
    """Each run with a verdict, and what that was."""
    news = [item for item in told.ledger.book.news if isinstance(item, News)]
    return [
        (item.run.id, item.reason if item.action == "skipped" else item.action)
        for item in news
        if item.verdict
    ]


def discard(told: Told, run: Run) -> None:
    told.tell(run)
    fail(told, run)


def fail(told: Told, run: Run) -> None:
    """Have a run fail that is there, and be discarded."""
    told.finish(run, Outcome.FAILED)
    told.forward(run)


def succeed(told: Told, run: Run) -> None:
    told.tell(run)
    told.finish(run)


# -- by a person, or the crontab --------------------------------------------------------------


def test_what_has_not_begun_is_skipped_whenever_it_was_due() -> None:
    log, before, ahead = told(), due(-10), due(40)
    log.tell(Withdrawal(job="backup", revision=1, effective_from=at(-60)), before, ahead)
    log.edit(1, -60)
    log.tell(pause())

    assert reasons(log) == [(ahead.id, "paused")]
    assert not log.ledger.book.live


def test_what_is_held_is_asked_for_and_skipped_once_it_is_given_back() -> None:
    log, run = told(), due(40)
    log.tell(run)
    claim = log.claim(run)
    log.tell(pause())
    assert log.live.asked_to_give_way
    log.tell(due(40, revision=2))
    log.tell(released(run, claim))

    assert reasons(log) == [(run.id, "paused")]


def test_what_was_lost_without_a_word_of_its_start_is_skipped_too() -> None:
    log, run = told(), due(-5)
    log.edit(1, -60)
    log.tell(due(40))
    log.claim(due(40))
    log.tell(pause())
    log.lose()

    assert reasons(log) == [(due(40).id, "paused")]
    assert run.id not in log.ledger.book.live


@pytest.mark.parametrize(("lost_s", "has_begun"), [(0, False), (37, False), (39, True), (41, True)])
def test_what_was_lost_before_its_time_has_not_begun_whoever_pauses_its_job_then(
    lost_s: float, *, has_begun: bool
) -> None:
    log, run = told(), due(40)
    log.tell(run)
    log.claim(run)
    log.lose(seconds=lost_s)
    assert (log.live.run.attempt, log.live.begun) == ((2, True) if has_begun else (1, False))
    log.tell(pause())

    assert reasons(log) == ([] if has_begun else [(run.id, "paused")])


def test_a_logs_clock_that_has_stepped_back_makes_nothing_lost_before_its_time() -> None:
    log, run = told(), due(40)
    log.tell(run)
    log.tell(Claimed(run=run.id, version=log.live.version, worker="w1", number=1), seconds=39)
    log.lose(seconds=20)

    assert (log.live.run.attempt, log.live.begun) == (2, True)


def test_what_was_lost_before_its_time_is_claimed_and_made_as_its_first_attempt() -> None:
    log, run = told(), due(40)
    log.tell(run)
    log.claim(run)
    log.lose()
    log.finish(run)

    assert reasons(log) == [(run.id, "succeeded")]
    assert not log.ledger.book.live


def test_what_has_begun_is_made_again_though_it_was_lost_while_its_job_was_paused() -> None:
    log, run = told(), due(10, overlap=Overlap.QUEUE)
    log.tell(run)
    log.start(run)
    log.tell(pause())
    assert log.live.asked_to_give_way, "it may only have been announced"
    log.lose(seconds=20)

    assert reasons(log) == []
    assert (log.live.state, log.live.run.attempt, log.live.begun) == (State.QUEUED, 2, True)


def test_what_has_begun_goes_on_and_so_do_its_later_attempts() -> None:
    log, run = told(), due(10, max_attempts=2)
    log.tell(run)
    claim = log.start(run)
    log.tell(pause())
    log.tell(finished(run, claim, Outcome.FAILED))

    assert log.live.effect is Effect.RETRY


def test_a_start_that_was_under_way_makes_the_run_stand() -> None:
    log, run = told(), due(10)
    log.tell(run)
    claim = log.claim(run)
    log.tell(pause())
    log.tell(started(run, claim))

    assert (log.live.paused, log.live.asked_to_give_way) == (False, False)


def test_run_now_goes_through() -> None:
    log, run = told(), due(10, revision=None, cause=Cause.RUN_NOW)
    log.tell(run)
    log.tell(pause())
    log.tell(due(20, revision=None, cause=Cause.RUN_NOW, number=2))

    assert len(log.ledger.book.live) == 2


@pytest.mark.parametrize("cause", [Cause.REPLAY, Cause.BACKFILL])
def test_what_people_ask_for_goes_through(cause: Cause) -> None:
    log = told()
    log.tell(due(10, revision=None, cause=cause, number=1))
    log.tell(pause())
    log.tell(due(20, revision=None, cause=cause, number=2))

    assert [live.state for live in log.ledger.book.live.values()] == [State.QUEUED] * 2


def chained(seconds: float, number: int = 1, *, since: float | None = None, **fields: Any) -> Run:
    """A run that follows another, which was due some seconds after noon; since when it does."""
    start = at(seconds if since is None else since)
    return due(
        seconds,
        revision=None,
        cause=Cause.CHAIN,
        number=number,
        **{"not_before": start, **fields},
    )


def test_what_follows_another_run_is_skipped_as_what_is_due_is() -> None:
    log, before, meanwhile = told(), chained(10), chained(20, 2)
    log.tell(before)
    log.tell(pause())
    log.tell(meanwhile)
    log.tell(meanwhile)

    assert reasons(log) == [(before.id, "paused"), (meanwhile.id, "paused")]
    assert not log.ledger.book.live
    assert log.ledger.book.refused["duplicate"] == 1


def test_what_follows_another_run_enters_again_once_its_job_is_resumed() -> None:
    log = told()
    log.tell(pause())
    log.tell(resume())
    log.tell(chained(10))

    assert log.live.state is State.QUEUED


def test_a_pause_that_ends_by_itself_is_over_for_what_follows_a_run_only_later() -> None:
    log, during, after = told(), chained(-300, since=44), chained(-300, 2, since=45)
    log.tell(pause(to=45))
    log.tell(during, after)

    assert reasons(log) == [(during.id, "paused")]
    assert set(log.ledger.book.live) == {after.id}


def test_what_follows_another_run_and_is_held_is_skipped_once_it_is_given_back() -> None:
    log, run = told(), chained(10)
    log.tell(run)
    claim = log.claim(run)
    log.tell(pause())
    assert log.ledger.book.asks
    log.tell(released(run, claim))

    assert reasons(log) == [(run.id, "paused")]


def test_what_follows_another_run_and_has_begun_goes_on_with_its_later_attempts() -> None:
    log, run = told(), chained(10, max_attempts=2)
    log.tell(run)
    claim = log.start(run)
    log.tell(pause())
    log.tell(finished(run, claim, Outcome.FAILED))

    assert log.live.effect is Effect.RETRY


def test_with_retries_a_failure_is_the_last_of_what_follows_another_run_too() -> None:
    log, run = told(), chained(10, max_attempts=2)
    log.tell(run)
    claim = log.start(run)
    log.tell(pause(with_retries=True))
    log.tell(finished(run, claim, Outcome.FAILED))

    assert reasons(log) == [(run.id, "paused")]


def test_what_follows_another_run_is_skipped_where_discarded_runs_have_paused_its_job() -> None:
    log, run = told(), chained(10)
    discard(log, due(10, pause_after=1))
    log.tell(run)

    assert reasons(log)[1:] == [(run.id, "paused")]


def test_what_follows_another_run_is_made_where_nothing_is_known_of_its_job() -> None:
    log, run = Told(revision=False), chained(10)
    log.tell(Level(level=4))
    log.tell(run)
    assert log.live.state is State.QUEUED
    claim = log.start(run)
    log.tell(finished(run, claim))

    assert reasons(log) == [(run.id, "succeeded")]


def test_a_job_that_is_paused_is_not_forgotten_however_long_the_log_is_silent_about_it() -> None:
    log, run = told(), chained(400 * 86400)
    log.tell(pause(to=9e9))
    for day in range(1, 100):
        log.tell(Level(level=4), seconds=day * 86400)
    log.tell(run, seconds=100 * 86400)

    assert reasons(log) == [(run.id, "paused")]


def test_a_run_that_comes_late_of_a_revision_before_the_pause_is_skipped() -> None:
    log = told()
    log.tell(pause())
    log.tell(due(30))

    assert reasons(log) == [(due(30).id, "paused")]


def test_a_pause_that_ends_by_itself_skips_nothing_that_is_due_after_it() -> None:
    log, during, after = told(), due(20), due(50)
    log.tell(during, after)
    log.tell(pause(to=45))
    log.tell(due(70, revision=2))

    assert reasons(log) == [(during.id, "paused")]
    assert set(log.ledger.book.live) == {after.id, due(70).id}


def test_after_it_was_resumed_runs_enter_again() -> None:
    log = told()
    log.tell(pause())
    log.tell(a_skip(60, 110, revision=2, reason=SkipReason.PAUSED, count=6))
    log.tell(resume())
    log.tell(due(120, revision=3))

    assert list(log.ledger.book.live) == [due(120).id]


def test_an_hour_that_is_told_twice_counts_once() -> None:
    log = told()
    log.tell(pause())
    for _ in range(2):
        log.tell(a_skip(60, 110, revision=2, reason=SkipReason.PAUSED, count=6))

    assert [n.count for n in log.ledger.book.news if isinstance(n, SkipNews)] == [6]
    assert log.ledger.book.refused["duplicate"] == 1


def test_an_hour_counts_from_when_its_pause_holds() -> None:
    log = told()
    log.tell(pause())
    log.tell(a_skip(30, 110, revision=2, reason=SkipReason.PAUSED, count=9))

    assert [n.from_at for n in log.ledger.book.news if isinstance(n, SkipNews)] == [at(60)]


# -- with later attempts ----------------------------------------------------------------------


def test_with_retries_a_failure_is_the_last() -> None:
    log, run = told(), due(10, max_attempts=2)
    log.tell(run)
    claim = log.start(run)
    log.tell(pause(with_retries=True))
    log.tell(finished(run, claim, Outcome.FAILED))

    assert reasons(log) == [(run.id, "paused")]


def test_with_retries_a_run_with_a_cause_is_retried_all_the_same() -> None:
    log, run = told(), due(10, max_attempts=2, revision=None, cause=Cause.RUN_NOW)
    log.tell(run)
    claim = log.start(run)
    log.tell(pause(with_retries=True))
    log.tell(finished(run, claim, Outcome.FAILED))

    assert log.live.effect is Effect.RETRY


def test_with_retries_the_retry_log_hears_of_what_it_has() -> None:
    log, run = told(), due(10, max_attempts=2)
    log.tell(run)
    log.finish(run, Outcome.FAILED)
    log.forward(run)
    log.tell(pause(with_retries=True))

    assert (log.live.effect, log.live.cancel) == (Effect.CANCEL, SkipReason.PAUSED)


def test_with_retries_what_is_on_its_way_there_is_heard_of_once_it_is_there() -> None:
    log, run = told(), due(10, max_attempts=2)
    log.tell(run)
    log.finish(run, Outcome.FAILED)
    log.tell(pause(with_retries=True))
    before = log.live.effect
    log.forward(run)

    assert (before, log.live.effect) == (Effect.RETRY, Effect.CANCEL)


def test_once_it_was_resumed_failures_are_retried_again() -> None:
    log, run = told(), due(10, max_attempts=2)
    log.tell(run)
    claim = log.start(run)
    log.tell(pause(with_retries=True))
    log.tell(resume())
    log.tell(finished(run, claim, Outcome.FAILED))

    assert log.live.effect is Effect.RETRY


# -- by its discarded runs --------------------------------------------------------------------


def test_so_many_discarded_runs_in_a_row_pause_the_job() -> None:
    log, waiting = told(), due(40, pause_after=2)
    discard(log, due(10, pause_after=2))
    log.tell(due(20, pause_after=2), waiting)
    fail(log, due(20, pause_after=2))
    log.tell(due(50, pause_after=2))

    assert reasons(log)[2:] == [(waiting.id, "paused"), (due(50).id, "paused")]
    assert log.ledger.book.mark("backup").paused.halted_by == due(20).id


def test_what_is_held_then_is_skipped_even_if_the_job_was_resumed_before_it_is_given_back() -> None:
    log, held = told(), due(40, pause_after=1)
    log.tell(due(10, pause_after=1), held)
    claim = log.claim(held)
    fail(log, due(10, pause_after=1))
    log.tell(resume(2, since=100))
    log.tell(released(held, claim))

    assert reasons(log)[-1] == (held.id, "paused")


def test_a_success_between_them_begins_the_count_anew() -> None:
    log = told()
    discard(log, due(10, pause_after=2))
    succeed(log, due(20, pause_after=2))
    discard(log, due(30, pause_after=2))
    log.tell(due(40, pause_after=2))

    assert log.live.state is State.QUEUED


def test_a_run_that_was_skipped_between_them_makes_no_difference() -> None:
    log = told()
    discard(log, due(10, pause_after=2))
    log.tell(a_skip(20, 20))
    discard(log, due(30, pause_after=2))

    assert log.ledger.book.mark("backup").paused.halted_at is not None


def test_what_a_person_asks_for_is_not_counted_and_goes_through() -> None:
    log, asked = told(), due(10, revision=None, cause=Cause.RUN_NOW, pause_after=1)
    discard(log, asked)
    assert log.ledger.book.mark("backup").paused == NOT_PAUSED
    discard(log, due(20, pause_after=1))
    log.tell(due(30, revision=None, cause=Cause.RUN_NOW, number=2))

    assert log.live.state is State.QUEUED


def test_without_pause_after_nothing_is_counted() -> None:
    log = told()
    discard(log, due(10))

    assert log.ledger.book.mark("backup").paused == NOT_PAUSED


def test_a_resume_lifts_it_and_an_edit_does_not() -> None:
    log = told()
    discard(log, due(10, pause_after=1))
    log.edit(2, 60)
    assert log.ledger.book.mark("backup").is_paused(at(61))
    log.tell(resume())
    log.tell(due(120, revision=3, pause_after=1))

    assert not log.ledger.book.mark("backup").is_paused(at(61))
    assert log.live.state is State.QUEUED


def test_a_resume_lifts_it_though_the_job_stays_paused_with_its_cluster() -> None:
    log = told()
    discard(log, due(10, pause_after=1))
    log.tell(pause(2, to=90, lifts=True))
    assert log.ledger.book.mark("backup").paused.halted_at is None
    assert log.ledger.book.mark("backup").is_paused(at(61))
    log.tell(due(120, revision=2, pause_after=1))

    assert not log.ledger.book.mark("backup").is_paused(at(91))
    assert log.live.state is State.QUEUED


def test_a_job_that_is_taken_out_is_no_longer_paused_by_what_it_did() -> None:
    log = told()
    discard(log, due(10, pause_after=1))
    log.tell(Withdrawal(job="backup", revision=2, effective_from=at(60), removed=True))

    assert log.ledger.book.mark("backup").paused.halted_at is None


def test_a_discarded_run_of_a_job_that_is_paused_by_it_does_not_pause_it_again() -> None:
    log, second = told(), due(20, pause_after=1)
    log.tell(due(10, pause_after=1), second)
    claim = log.start(second)
    fail(log, due(10, pause_after=1))
    log.tell(finished(second, claim, Outcome.FAILED))
    log.forward(second)

    assert log.ledger.book.mark("backup").paused.halted_by == due(10).id


def test_at_most_once_is_skipped_when_its_holder_gives_it_back() -> None:
    log, run = told(), due(10, delivery=Delivery.AT_MOST_ONCE)
    log.tell(run)
    claim = log.claim(run)
    log.tell(pause())
    log.tell(started(run, claim))
    log.tell(released(run, claim))

    assert reasons(log) == [(run.id, "paused")]


# -- what else knows of it --------------------------------------------------------------------


def test_a_paused_job_is_not_overdue_and_has_its_time_again_afterwards() -> None:
    log = told()
    log.tell(Withdrawal(job="backup", revision=2, effective_from=NOON, expect_within_s=60.0))
    mark = log.ledger.book.mark("backup")
    log.tell(pause(3, expect_within_s=60.0), seconds=30)
    assert mark.is_overdue(at(3600)) is False
    log.tell(resume(4, expect_within_s=60.0), seconds=3600)

    assert [mark.is_overdue(at(3600 + s)) for s in (59, 61)] == [False, True]


def test_a_pause_that_has_ended_by_itself_gives_a_job_its_time_again() -> None:
    log = told()
    log.tell(pause(to=600, expect_within_s=60.0))
    mark = log.ledger.book.mark("backup")

    assert [mark.is_overdue(at(s)) for s in (500, 659, 661)] == [False, False, True]


@pytest.mark.parametrize("is_held", [False, True])
def test_a_row_keeps_all_of_it(is_held: bool) -> None:
    log = told()
    log.tell(pause(to=7200, with_retries=True))
    log.tell(due(7300, revision=2, pause_after=1))
    if is_held:
        log.tell(due(8000, revision=2, pause_after=1))
        log.claim(due(8000))
    fail(log, due(7300, revision=2, pause_after=1))
    row = orjson.loads(orjson.dumps(join(row_parts(log.ledger, 0))))

    again = from_row(row).book
    assert again.mark("backup") == log.ledger.book.mark("backup")
    assert [live.paused for live in again.live.values()] == [True] * is_held
