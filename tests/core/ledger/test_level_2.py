"""What the fold does from level 2 on: killers are bounded, people cancel, what is removed goes."""

import orjson
import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.ledger.state import MAX_DEATHS, MAX_LOSSES, Effect, News, State
from cronstream.core.protocol.actions import End, Hand
from cronstream.core.protocol.owner import Owner
from cronstream.core.wire.entries import Cancelled, Finished, Level, Released, Settled, Withdrawal
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.runs import Run
from tests.builders import NAMES, a_run, at
from tests.ledger_builders import Told, a_skip, due, finished, released
from tests.member_builders import Worker, holder, owner, report_started

ONCE = Delivery.AT_MOST_ONCE
RAISED = Level(level=2)


def told_at_level_2(*, retry: bool = False) -> Told:
    told = Told(retry=retry)
    told.tell(RAISED)
    return told


def end(told: Told, run: Run, outcome: Outcome = Outcome.LOST, *, died: bool = True) -> None:
    """A claimed attempt ends with its executor."""
    claim = told.claim(run)
    told.tell(finished(run, claim, outcome, executor_died=died))


def reasons(told: Told) -> list[str]:
    return [item.reason for item in told.ledger.book.news if isinstance(item, News) and item.reason]


def through_a_row(told: Told) -> Told:
    told.ledger = from_row(orjson.loads(orjson.dumps(to_row(told.ledger, 0))))
    return told


# -- rule 9: who ends what runs it -----------------------------------------------------------------


def test_what_dies_with_its_executor_is_made_again_alone() -> None:
    told, run = told_at_level_2(), a_run()
    told.tell(run)
    end(told, run)

    live = through_a_row(told).live
    assert (live.state, live.run.attempt, live.alone, live.deaths) == (State.QUEUED, 2, True, 0)


def test_what_has_ended_two_executors_of_its_own_is_discarded() -> None:
    told, run = told_at_level_2(), a_run()
    told.tell(run)
    for _ in range(1 + MAX_DEATHS):
        assert told.live.state is State.QUEUED
        end(through_a_row(told), run)

    assert (told.live.effect, told.live.reason) == (
        Effect.DISCARD,
        "attempt 3 lost with executor 2 of its own",
    )


def test_the_death_of_an_executor_that_others_had_too_is_no_loss_of_a_run() -> None:
    told, run = told_at_level_2(), a_run()
    told.tell(run)
    claim = told.start(run)
    told.tell(finished(run, claim, Outcome.LOST, executor_died=True))

    assert (told.live.losses, told.live.deaths) == (0, 0)


def test_at_most_once_is_discarded_when_it_may_have_started_in_an_executor_that_died() -> None:
    told, run = told_at_level_2(), a_run(delivery=ONCE)
    told.tell(run)
    end(told, run)

    assert told.live.effect is Effect.DISCARD


@pytest.mark.parametrize(("level", "unsure"), [(1, False), (2, True)])
def test_a_loss_at_or_after_its_time_without_a_start_makes_the_next_wait_for_its_word(
    level: int, unsure: bool
) -> None:
    told, run = Told(), a_run()
    told.tell(Level(level=level))
    told.tell(run)
    told.claim(run)
    told.lose()

    assert through_a_row(told).live.unsure is unsure
    assert told.live.losses == 0


def test_a_loss_before_its_time_is_a_sure_one() -> None:
    told, run = told_at_level_2(), due(20)
    told.tell(run)
    told.claim(run)
    told.lose()

    assert not told.live.unsure


def test_a_killer_of_workers_is_discarded_though_no_start_was_ever_told_before_its_word() -> None:
    told, run = told_at_level_2(), a_run()
    told.tell(run)
    told.claim(run)
    told.lose()
    for _ in range(MAX_LOSSES + 1):
        assert told.live.state is State.QUEUED
        told.start(run)
        told.lose()

    assert told.live.reason == "attempt 7 lost (6 losses in all)"
    assert told.live.effect is Effect.DISCARD


def test_a_run_that_nobody_is_sure_of_starts_once_its_start_is_on_the_log() -> None:
    worker = owner(RAISED, a_run())
    live = worker.member.ledgers[0].book.live[a_run().id]
    live.unsure = live.begun = live.begun_before = True
    worker.settle()

    [hand] = worker.of(Hand)
    assert not hand.go
    worker.member.ready(hand.key)
    worker.settle()
    assert [type(action).__name__ for action in worker.did][-1] == "Go"


def test_what_is_made_alone_is_handed_over_as_such() -> None:
    worker = owner(RAISED, a_run())
    worker.member.ledgers[0].book.live[a_run().id].alone = True
    worker.settle()

    assert [hand.alone for hand in worker.of(Hand)] == [True]


# -- a worker whose executor dies ------------------------------------------------------------------


def died(worker: Worker, *keys: str, seconds: float = 0.0) -> None:
    worker.member.executor_died(keys, at(worker.mono - 100 + seconds), worker.mono)
    worker.collect()


def raised_holder(run: Run) -> tuple[Worker, str]:
    worker, key = holder(run)
    worker.log(RAISED)
    return worker, key


def test_what_may_have_started_in_a_dead_executor_is_lost_and_says_why() -> None:
    worker, key = raised_holder(a_run())
    died(worker, key)

    [entry] = worker.appended(Finished)
    assert (entry.outcome, entry.executor_died, entry.note) == (
        Outcome.LOST,
        True,
        "its executor died",
    )


def test_what_has_started_is_lost_whatever_the_clock_says() -> None:
    worker, key = raised_holder(due(20))
    report_started(worker, key)
    died(worker, key)

    assert worker.appended(Finished)


def test_what_was_not_due_yet_is_given_back() -> None:
    worker, key = raised_holder(due(20))
    died(worker, key)

    assert worker.appended(Released)
    assert not worker.appended(Finished)


def test_what_waited_for_its_word_is_given_back() -> None:
    worker, key = raised_holder(due(20, delivery=ONCE))
    died(worker, key, seconds=30)

    assert worker.appended(Released)


@pytest.mark.parametrize("seconds", [0, 20])
def test_a_claim_that_comes_doubled_is_not_handed_to_another_executor(seconds: float) -> None:
    worker, key = raised_holder(due(seconds))
    died(worker, key)
    unsent, worker.unsent = worker.unsent, []
    worker.log(worker.logs[0][2][1][0])

    assert worker.keys(Hand) == [key]
    worker.unsent = unsent
    worker.flush()
    assert key not in worker.member.holding


def test_what_a_dead_executor_still_says_changes_nothing() -> None:
    worker, key = raised_holder(a_run())
    died(worker, key)
    said = len(worker.unsent)
    report_started(worker, key)
    worker.member.finished(key, finished(a_run(), 1))
    worker.member.cancelled(key)
    worker.member.kept(key)
    died(worker, key, "unknown@2026-01-01T12:00:00Z#1")
    worker.member.drain()
    worker.member.end_all("asked to stop")
    worker.collect()

    assert len(worker.unsent) == said
    assert not worker.of(End)


# -- rule 17: people cancel ------------------------------------------------------------------------


def by_ada(run: Run) -> Cancelled:
    return Cancelled(run=run.id, reason=SkipReason.CANCELLED, by="ada@host")


@pytest.mark.parametrize("overlap", list(Overlap))
def test_a_queued_run_is_skipped_at_once(overlap: Overlap) -> None:
    told, run = told_at_level_2(), a_run(overlap=overlap)
    told.tell(run)
    told.tell(by_ada(run))

    assert (told.verdicts, reasons(told)) == (["skipped"], ["cancelled"])
    [news] = [x for x in told.ledger.book.news if isinstance(x, News) and x.action == "skipped"]
    assert news.text == "skipped (cancelled by ada@host)"
    assert not told.ledger.book.lines


def test_a_run_that_is_held_is_skipped_once_its_holder_has_ended_it() -> None:
    told, run = told_at_level_2(), a_run()
    told.tell(run)
    claim = told.start(run)
    told.tell(by_ada(run))
    assert through_a_row(told).live.cancel is SkipReason.CANCELLED
    told.tell(finished(run, claim, Outcome.INTERRUPTED))

    assert reasons(told) == ["cancelled"]


def test_a_run_that_had_succeeded_by_then_has_succeeded() -> None:
    told, run = told_at_level_2(), a_run()
    told.tell(run)
    claim = told.start(run)
    told.tell(by_ada(run))
    told.tell(finished(run, claim))

    assert told.verdicts == ["succeeded"]


def failed(retries: int = 1) -> tuple[Told, Run]:
    told, run = told_at_level_2(), a_run(max_attempts=1 + retries, attempts_left=1 + retries)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    return told, run


def test_a_run_whose_retry_is_on_its_way_is_cancelled_when_it_has_come() -> None:
    told, run = failed()
    told.tell(by_ada(run))
    ways = [told.live.effect]
    told.forward(run)
    ways.append(told.live.effect)
    told.forward(run)
    assert ways == [Effect.RETRY, Effect.CANCEL]
    assert told.live.state is State.RETRYABLE
    told.tell(Settled(run=run.id, verdict=Verdict.SKIPPED, attempt=2, reason=SkipReason.CANCELLED))

    assert reasons(told)[-1] == "cancelled"


def test_a_run_at_its_retries_is_cancelled_there_with_who_and_why() -> None:
    told, run = failed()
    told.forward(run)
    told.tell(by_ada(run))
    owning = Owner(
        "w1", 1, 0, told.ledger, NAMES.topics_of("cluster-a"), holder(a_run())[0].member.timing
    )
    [publish] = owning.effects()

    assert publish.messages == (("cronstream.cluster-a.retry", by_ada(run)),)


def test_a_retry_log_says_that_a_person_has_cancelled() -> None:
    told = told_at_level_2(retry=True)
    run = a_run(attempt=2, max_attempts=2)
    told.tell(run)
    told.tell(by_ada(run))
    owning = Owner(
        "r1", 1, 0, told.ledger, NAMES.topics_of("cluster-a"), holder(a_run())[0].member.timing
    )
    [publish] = owning.effects()

    [(_, settled)] = publish.messages
    assert isinstance(settled, Settled)
    assert (settled.verdict, settled.reason) == (Verdict.SKIPPED, SkipReason.CANCELLED)


def test_an_attempt_that_follows_on_the_retry_log_knows_who_has_cancelled() -> None:
    told = told_at_level_2(retry=True)
    run = a_run(attempt=2, max_attempts=3, attempts_left=2)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.tell(by_ada(run))
    told.tell(run.derive(attempt=3, attempts_left=1))

    assert (told.live.effect, told.live.cancel) == (Effect.SKIP, SkipReason.CANCELLED)


def test_what_is_settled_or_being_discarded_is_not_cancelled() -> None:
    told, run = failed(retries=0)
    told.tell(by_ada(run))
    told.forward(run)
    told.tell(by_ada(run))

    assert (told.verdicts, told.ledger.book.refused["cancelled"]) == (["discarded"], 2)


def test_a_word_is_refused_on_a_log_of_level_1() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.tell(by_ada(run))

    assert told.live.state is State.QUEUED
    assert told.ledger.book.refused["level"] == 1


@pytest.mark.parametrize(("by", "note"), [
    ("ada@host", "cancelled by ada@host"),
    (None, "cancelled by a person"),
])  # fmt: skip
def test_a_command_is_told_who_ends_it(by: str | None, note: str) -> None:
    worker, key = raised_holder(a_run())
    report_started(worker, key)
    worker.flush()
    worker.log(Cancelled(run=a_run().id, reason=SkipReason.CANCELLED, by=by))
    worker.wake()

    assert worker.of(End) == [End(key, note)]


# -- rule 12: what is removed ----------------------------------------------------------------------


def gone(seconds: float, revision: int = 2) -> Withdrawal:
    return Withdrawal(job="backup", revision=revision, effective_from=at(seconds), removed=True)


def test_what_has_not_begun_of_a_removed_job_goes_whenever_it_was_due() -> None:
    told = told_at_level_2()
    told.tell(due(0))
    told.tell(due(10))
    told.start(due(10))
    told.tell(gone(30))

    assert list(told.ledger.book.live) == [due(10).id]
    assert reasons(told) == ["withdrawn"]
    assert told.ledger.book.marks["backup"].settled == {at(0): Verdict.SKIPPED}


def test_what_was_asked_for_by_a_person_stays() -> None:
    told = told_at_level_2()
    asked = a_run(cause=Cause.RUN_NOW, revision=None)
    told.tell(asked)
    told.tell(gone(30))

    assert list(told.ledger.book.live) == [asked.id]


def test_a_claim_on_a_removed_job_is_given_back_and_nothing_takes_its_place() -> None:
    told = told_at_level_2()
    told.tell(due(10))
    claim = told.claim(due(10))
    told.edit(2, 5)
    told.tell(due(10, revision=2))
    told.tell(gone(30, revision=3))
    told.tell(due(10, revision=2))
    told.tell(a_skip(10, 10, revision=2))
    told.tell(released(due(10), claim))

    assert not told.ledger.book.live
    assert told.verdicts == ["skipped"]


def test_a_due_time_from_before_a_removal_that_comes_after_it_goes_too() -> None:
    told = told_at_level_2()
    told.tell(gone(30))
    told = through_a_row(told)
    told.tell(due(10))

    assert told.verdicts == ["skipped"]
    assert not told.ledger.book.live


def test_a_job_that_is_put_back_runs() -> None:
    told = told_at_level_2()
    told.tell(gone(30))
    told.edit(3, 40)
    told.tell(due(50, revision=3))

    assert list(told.ledger.book.live) == [due(50).id]


def test_a_claim_that_gave_way_to_an_edit_has_its_successor_as_before() -> None:
    told = told_at_level_2()
    told.tell(due(10))
    claim = told.claim(due(10))
    told.edit(2, 5)
    told.tell(due(10, revision=2))
    told.tell(released(due(10), claim))

    assert told.live.run.revision == 2


def test_rows_of_level_1_have_nothing_of_level_2() -> None:
    told, raised = Told(), told_at_level_2()
    for one in (told, raised):
        one.tell(a_run())

    low, high = to_row(told.ledger, 0), to_row(raised.ledger, 0)
    assert (low["format"], high["format"]) == (2, 3)
    assert set(low["live"][0]) == set(high["live"][0])
    assert isinstance(from_row(low), Ledger)


@pytest.mark.parametrize("seconds", [10, 40])
def test_a_claim_on_a_removed_job_that_is_lost_with_its_worker_is_withdrawn(seconds: float) -> None:
    told = told_at_level_2()
    told.tell(due(seconds))
    told.claim(due(seconds))
    told.tell(gone(5 if seconds == 40 else 30), seconds=20)
    told.lose()

    assert told.verdicts in (["skipped"], ["withdrawn"])
    assert not told.ledger.book.live


def test_what_gave_way_to_an_edit_and_was_lost_before_its_time_has_its_successor() -> None:
    told = told_at_level_2()
    told.tell(due(50))
    told.claim(due(50))
    told.edit(2, 5)
    told.tell(due(50, revision=2))
    told.lose()

    assert (told.live.run.revision, told.live.run.attempt, told.live.state) == (2, 1, State.QUEUED)


def test_a_removal_that_was_first_said_at_level_1_counts_when_it_is_said_again() -> None:
    told = Told()
    told.tell(due(10))
    told.tell(Withdrawal(job="backup", revision=2, effective_from=at(20)))
    told.tell(Level(level=4))
    assert told.live.run == due(10)
    told.tell(gone(20))

    assert reasons(told) == ["withdrawn"]
    told.tell(gone(20))
    assert told.ledger.book.refused["duplicate"] == 1
