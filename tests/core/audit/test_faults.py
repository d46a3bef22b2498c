"""For each way of breaking a promise a log that shows it, and the finding that says so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from cronstream.core.audit.finding import FAULTS, Kind
from cronstream.core.audit.known import Known
from cronstream.core.planning.cursor import Lag
from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Forwarded,
    Heartbeat,
    Settled,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, SkipReason, Verdict
from cronstream.core.wire.runs import Attempt
from tests.builders import a_run, at
from tests.core.audit.books import Books, due_at, later

EARLY = at(0) - timedelta(minutes=15)

RUN = due_at(60).id
TWO: dict[str, Any] = {"max_attempts": 2}
ONCE: dict[str, Any] = {"delivery": Delivery.AT_MOST_ONCE}
HURRIED: dict[str, Any] = {"start_within_s": 8.0}
Broken: TypeAlias = Callable[[Books], None]


def started(worker: str, claim: int, when: float = 60) -> Started:
    return Started(run=RUN, claim=claim, worker=worker, started_at=at(when))


def ended(
    worker: str, claim: int, outcome: Outcome = Outcome.SUCCEEDED, when: float = 61
) -> Finished:
    return Finished(
        run=RUN,
        claim=claim,
        worker=worker,
        outcome=outcome,
        started_at=at(60),
        ended_at=at(when),
    )


def retried_after(books: Books, carried: list[Attempt] | None) -> None:
    """Have a run fail, and succeed at a retry that carries these attempts."""
    run = due_at(60, **TWO)
    decided = books.attempt(run, books.publish(run), outcome=Outcome.FAILED)
    books.put(Forwarded(run=run.id, version=decided), 62)
    second = later(run, attempts=carried)
    version = books.attempt(second, books.put(second, 62, retry=True), retry=True)
    books.put(Settled(run=run.id, verdict=Verdict.SUCCEEDED, attempt=2), 73)
    books.put(Forwarded(run=run.id, version=version), 74, retry=True)


# -- unexplained ----------------------------------------------------------------------------------


def it_was_never_published(_: Books) -> None:
    pass


def schedulers_say_that_they_have_published_it(books: Books) -> None:
    books.known = Known(EARLY, published=lambda _, __: Lag(at(60), 1))


def an_edit_took_it_away_and_put_nothing_in_its_place(books: Books) -> None:
    books.publish(due_at(60))
    books.define(1, 40, effective_from=at(40))


# -- unpublished ----------------------------------------------------------------------------------


def no_scheduler_has_come_to_it(books: Books) -> None:
    books.known = Known(EARLY, published=lambda _, __: Lag(at(59), 1))


def no_scheduler_has_taken_its_definition(books: Books) -> None:
    books.known = Known(EARLY, published=lambda _, __: Lag(at(60), 0))


# -- refused --------------------------------------------------------------------------------------


def it_was_refused_for_its_revision(books: Books) -> None:
    books.write_down(5, effective_from=at(45))
    books.publish(due_at(60, revision=5), 46)


def its_skip_was_refused_for_its_revision(books: Books) -> None:
    books.write_down(5, effective_from=at(45))
    span: dict[str, Any] = {"from_at": at(60), "to_at": at(60)}
    books.put(Skip(job="backup", revision=5, reason=SkipReason.MISSED, **span), 66)


def its_revision_is_older_than_the_one_that_the_log_knows(books: Books) -> None:
    """The jobs topic was recreated, and its offsets begin again."""
    edit = Withdrawal(job="backup", revision=57, effective_from=at(45 - 3600))
    books.put(edit, 45)
    books.write_down(5, effective_from=at(45))
    books.publish(due_at(60, revision=5), 46)


# -- doubled --------------------------------------------------------------------------------------


def somebody_started_it_without_a_claim(books: Books) -> None:
    run = due_at(60)
    version = books.publish(run)
    books.attempt(run, version)
    books.put(started("thief", version), 62)


def somebody_ran_it_without_a_claim(books: Books) -> None:
    run = due_at(60)
    version = books.publish(run)
    books.put(ended("thief", version), 61)
    books.attempt(run, version)


def it_was_started_and_given_back_and_started_elsewhere(books: Books) -> None:
    run = due_at(60)
    _, again = books.give_back(run, started=True, when=61)
    books.attempt(run, again, worker="w2", claimed=62, start=63)


def it_was_started_after_it_had_been_given_back(books: Books) -> None:
    run = due_at(60)
    version, again = books.give_back(run)
    books.attempt(run, again, worker="w2", claimed=52)
    books.put(started("w1", version), 62)


def its_worker_started_it_twice(books: Books) -> None:
    run = due_at(60)
    version = books.publish(run)
    books.attempt(run, version, start=60.1)
    books.put(started("w1", version, 60.3), 61)


def it_ran_after_it_had_been_given_back(books: Books) -> None:
    run = due_at(60)
    version, again = books.give_back(run)
    books.attempt(run, again, worker="w2", claimed=52)
    books.put(ended("w1", version), 62)


def it_ended_twice(books: Books) -> None:
    run = due_at(60)
    version = books.publish(run)
    books.attempt(run, version)
    books.put(ended("w1", version, Outcome.FAILED), 63)


def it_has_two_verdicts(books: Books) -> None:
    run = due_at(60)
    books.attempt(run, books.publish(run))
    books.put(Settled(run=run.id, verdict=Verdict.DISCARDED, attempt=2), 63)


def it_is_at_most_once_and_was_started_again(books: Books) -> None:
    """A forged retry of one that was interrupted, which discards an at_most_once run."""
    run = due_at(60, **ONCE, **TWO)
    decided = books.attempt(run, books.publish(run), outcome=Outcome.INTERRUPTED)
    made = [Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=at(61))]
    second = later(run, attempts=made)
    books.discard(run, 61)
    books.attempt(second, books.put(second, 62, retry=True), retry=True)
    books.put(Forwarded(run=run.id, version=decided), 63)


def it_was_made_again_after_it_had_succeeded(books: Books) -> None:
    run = due_at(60, **TWO)
    books.attempt(run, books.publish(run))
    second = later(run)
    books.attempt(second, books.put(second, 62, retry=True), retry=True)


# -- unasked --------------------------------------------------------------------------------------


def it_runs_another_command_than_its_definition(books: Books) -> None:
    run = due_at(60, command="rm -rf /")
    books.attempt(run, books.publish(run))


def it_is_on_the_log_of_another_cluster(books: Books) -> None:
    entry = Withdrawal(job="backup", revision=0, effective_from=at(0))
    books.put(entry, 1, cluster="cluster-b")
    run = due_at(60, cluster="cluster-b")
    books.attempt(run, books.publish(run))


def it_is_of_a_revision_that_nobody_wrote(books: Books) -> None:
    books.put(Withdrawal(job="backup", revision=9, effective_from=at(31)), 29)
    run = due_at(60, revision=9)
    books.attempt(run, books.publish(run))


# -- early, gap, contradiction, waiting -----------------------------------------------------------


def it_was_started_before_its_time(books: Books) -> None:
    run = due_at(60)
    books.attempt(run, books.publish(run), start=59.5)


def it_was_on_the_log_before_its_time(books: Books) -> None:
    """The clock of its worker is fast: by that it was on time."""
    run = due_at(60)
    version = books.publish(run)
    books.put(Claimed(run=run.id, version=version, worker="w1", number=1), 40)
    books.put(started("w1", version), 50)
    books.put(ended("w1", version), 61)


def it_was_skipped_as_late_while_it_had_time(books: Books) -> None:
    version = books.publish(due_at(60, **HURRIED))
    books.put(Skipped(run=RUN, version=version, reason=SkipReason.LATE), 61)


def it_was_started_when_its_time_had_long_been_over(books: Books) -> None:
    run = due_at(60, **HURRIED)
    books.attempt(run, books.publish(run), start=135)


def attempt_2_is_missing(books: Books) -> None:
    run = due_at(60, max_attempts=3)
    decided = books.attempt(run, books.publish(run), outcome=Outcome.FAILED)
    made = [
        Attempt(attempt=number, outcome=Outcome.FAILED, ended_at=at(61 + number))
        for number in (1, 2)
    ]
    third = later(run, attempt=3, attempts_left=1, attempts=made)
    books.put(Forwarded(run=run.id, version=decided), 62)
    books.attempt(third, books.put(third, 62, retry=True), retry=True)
    books.put(Settled(run=run.id, verdict=Verdict.SUCCEEDED, attempt=3), 73)
    books.put(Forwarded(run=run.id, version=3), 74, retry=True)


def its_retry_carries_other_attempts(books: Books) -> None:
    retried_after(books, None)


def its_first_attempt_has_no_end(books: Books) -> None:
    run = due_at(60, **TWO)
    version = books.publish(run)
    books.put(Claimed(run=run.id, version=version, worker="w1", number=1), 40)
    books.put(started("w1", version), 60)
    second = later(run)
    books.attempt(second, books.put(second, 62, retry=True), retry=True)
    books.put(Heartbeat(worker="w1", number=9), 160)


def no_failure_went_before_its_retry(books: Books) -> None:
    retried_after(books, [Attempt(attempt=1, outcome=Outcome.LOST, ended_at=at(61))])


def it_was_discarded_and_is_on_no_topic(books: Books) -> None:
    books.retried(due_at(60, **TWO), Verdict.DISCARDED, tell=False)


def it_succeeded_and_is_on_the_discarded_topic(books: Books) -> None:
    run = due_at(60)
    books.attempt(run, books.publish(run))
    books.discard(run, 70)


def no_attempt_earned_its_verdict(books: Books) -> None:
    run = due_at(60, **TWO)
    decided = books.attempt(run, books.publish(run), outcome=Outcome.FAILED)
    books.put(Forwarded(run=run.id, version=decided), 62)
    books.put(Settled(run=run.id, verdict=Verdict.SUCCEEDED, attempt=2), 63)


def nobody_has_claimed_it(books: Books) -> None:
    books.publish(due_at(60))


def its_worker_is_silent(books: Books) -> None:
    run = due_at(60)
    version = books.publish(run)
    books.put(Claimed(run=run.id, version=version, worker="w1", number=1), 40)
    books.put(started("w1", version), 60)


def its_retry_is_nowhere(books: Books) -> None:
    run = due_at(60, **TWO)
    books.attempt(run, books.publish(run), outcome=Outcome.FAILED)


BROKEN: dict[Kind, tuple[Broken, ...]] = {
    Kind.UNEXPLAINED: (
        it_was_never_published,
        schedulers_say_that_they_have_published_it,
        an_edit_took_it_away_and_put_nothing_in_its_place,
    ),
    Kind.REFUSED: (
        it_was_refused_for_its_revision,
        its_skip_was_refused_for_its_revision,
        its_revision_is_older_than_the_one_that_the_log_knows,
    ),
    Kind.DOUBLED: (
        somebody_started_it_without_a_claim,
        somebody_ran_it_without_a_claim,
        it_was_started_and_given_back_and_started_elsewhere,
        it_was_started_after_it_had_been_given_back,
        its_worker_started_it_twice,
        it_ran_after_it_had_been_given_back,
        it_ended_twice,
        it_has_two_verdicts,
        it_is_at_most_once_and_was_started_again,
        it_was_made_again_after_it_had_succeeded,
    ),
    Kind.UNPUBLISHED: (no_scheduler_has_come_to_it, no_scheduler_has_taken_its_definition),
    Kind.UNASKED: (
        it_runs_another_command_than_its_definition,
        it_is_on_the_log_of_another_cluster,
        it_is_of_a_revision_that_nobody_wrote,
    ),
    Kind.EARLY: (
        it_was_started_before_its_time,
        it_was_on_the_log_before_its_time,
        it_was_skipped_as_late_while_it_had_time,
    ),
    Kind.TOO_LATE: (it_was_started_when_its_time_had_long_been_over,),
    Kind.GAP: (
        attempt_2_is_missing,
        its_retry_carries_other_attempts,
        its_first_attempt_has_no_end,
        no_failure_went_before_its_retry,
    ),
    Kind.CONTRADICTION: (
        it_was_discarded_and_is_on_no_topic,
        it_succeeded_and_is_on_the_discarded_topic,
        no_attempt_earned_its_verdict,
    ),
    Kind.WAITING: (nobody_has_claimed_it, its_worker_is_silent, its_retry_is_nowhere),
}
#: The definition of the job, where it matters.
JOBS: dict[Broken, dict[str, Any]] = {
    it_is_at_most_once_and_was_started_again: {**ONCE, **TWO},
    it_was_made_again_after_it_had_succeeded: TWO,
    it_was_skipped_as_late_while_it_had_time: HURRIED,
    it_was_started_when_its_time_had_long_been_over: HURRIED,
    attempt_2_is_missing: {"max_attempts": 3},
    its_retry_carries_other_attempts: TWO,
    its_first_attempt_has_no_end: TWO,
    no_failure_went_before_its_retry: TWO,
    it_was_discarded_and_is_on_no_topic: TWO,
    no_attempt_earned_its_verdict: TWO,
    its_retry_is_nowhere: TWO,
}
CASES = [(kind, broken) for kind, several in BROKEN.items() for broken in several]


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize(("kind", "broken"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_a_broken_promise_is_found_with_its_run(kind: Kind, broken: Broken, pieces: int) -> None:
    job = JOBS.get(broken, {})
    books = Books(**job)
    books.succeed(0, **job)
    broken(books)
    audited = books.audit(until=119, now=170, pieces=pieces)

    assert set(audited.faults) == {(kind, RUN)}, [finding.text for finding in audited.findings]
    assert not audited.tally.is_clean()
    assert audited.tally.due == 2


def test_every_kind_of_fault_has_a_case() -> None:
    assert set(BROKEN) == FAULTS


def test_an_entry_about_a_run_that_was_never_published_is_unasked() -> None:
    books = Books()
    books.succeed(0)
    ghost = due_at(30).id
    books.put(Started(run=ghost, claim=3, worker="w1", started_at=at(30)), 30)

    assert books.audit(until=50).faults == [("unasked", ghost)]


def test_a_run_on_the_logs_of_two_clusters_is_doubled() -> None:
    books = Books()
    books.succeed(0)
    entry = Withdrawal(job="backup", revision=0, effective_from=at(0))
    books.put(entry, 1, cluster="cluster-b")
    books.succeed(0, cluster="cluster-b")
    faults = books.audit(until=50).faults

    assert ("doubled", due_at(0).id) in faults
    assert ("unasked", due_at(0).id) in faults


def test_a_run_by_hand_that_nobody_makes_is_waiting() -> None:
    books = Books()
    run = a_run(scheduled_at=at(10), revision=None, cause=Cause.RUN_NOW, number=7)
    books.publish(run, when=10)
    books.succeed(60, 120)

    assert ("waiting", run.id) in books.audit(since=1, until=150).faults


@pytest.mark.parametrize(
    ("by", "published", "claimed"),
    [("published", 63, 64), ("claimed", 30, 64), ("started", 30, 40)],
)
def test_a_late_start_says_what_came_late(by: str, published: float, claimed: float) -> None:
    books = Books()
    books.succeed(0)
    run = due_at(60)
    books.attempt(run, books.publish(run, when=published), claimed=claimed, start=65)
    audited = books.audit(until=100)

    [finding] = audited.findings
    assert (finding.kind, finding.run, finding.facts["by"]) == (Kind.LATE, RUN, by)
    assert finding.facts["delay_s"] == 5
    assert audited.tally.summary()["start_delay_s"]["max"] == 5
    assert audited.tally.is_clean()
    assert not audited.tally.is_clean(FAULTS | {Kind.LATE})
    assert books.audit(until=100, late_after_s=5.5).findings == []


def test_a_start_may_be_late_because_the_first_worker_was_lost() -> None:
    books = Books()
    run = due_at(0)
    _, again = books.lose(run)
    books.attempt(run, again, worker="w2", claimed=8, start=9)
    books.put(Heartbeat(worker="w2", number=5), 20)
    [late] = [f for f in books.audit(until=50).findings if f.kind is Kind.LATE]

    assert (late.facts["by"], late.facts["delay_s"], late.facts["attempt"]) == ("lost", 9, 2)


def test_a_verdict_that_the_retry_log_does_not_share_is_a_contradiction() -> None:
    books = Books(**TWO)
    run = due_at(60, **TWO)
    books.succeed(0, **TWO)
    decided = books.attempt(run, books.publish(run), outcome=Outcome.FAILED)
    books.put(Forwarded(run=run.id, version=decided), 62)
    second = later(run)
    ended_at = books.attempt(second, books.put(second, 62, retry=True), retry=True)
    books.put(Settled(run=run.id, verdict=Verdict.DISCARDED, attempt=2), 73)
    books.put(Forwarded(run=run.id, version=ended_at), 73, retry=True)
    books.discard(second, 73)
    texts = books.audit(until=119, now=170).of(Kind.CONTRADICTION)

    assert texts == ["discarded, but succeeded on the retry log"]


def test_what_has_just_been_settled_may_still_be_on_its_way_to_another_topic() -> None:
    books = Books(**TWO)
    books.succeed(0, **TWO)
    books.retried(due_at(60, **TWO), Verdict.DISCARDED, tell=False)

    assert books.audit(until=75, now=80).faults == []
    assert books.audit(until=75, now=110).faults == [("contradiction", RUN)]


def test_a_settled_that_was_not_awaited_is_a_contradiction() -> None:
    books = Books()
    books.succeed(0)
    run = due_at(60)
    version = books.publish(run)
    books.put(Settled(run=run.id, verdict=Verdict.SUCCEEDED, attempt=2), 31)
    books.attempt(run, version)

    assert books.audit(until=75, now=80).of(Kind.CONTRADICTION) == [
        "it was settled as succeeded while its retries were not under way"
    ]


def test_a_run_whose_first_attempt_nobody_has_published_is_unasked() -> None:
    books = Books(**TWO)
    books.succeed(0, **TWO)
    second = later(due_at(60, **TWO))
    books.attempt(second, books.put(second, 62, retry=True), retry=True)

    assert ("unasked", RUN) in books.audit(until=75, now=200).faults


def test_a_discarded_run_that_was_never_published_is_unasked() -> None:
    books = Books()
    books.succeed(0)
    books.discard(due_at(60), 70)

    assert ("unasked", RUN) in books.audit(until=75, now=200).faults


def test_a_job_that_is_not_on_the_jobs_topic_is_unasked() -> None:
    books = Books()
    books.put(Withdrawal(job="ghost", revision=0, effective_from=at(0)), 0)
    books.succeed(0, 60, 120, job="ghost")
    faults = books.audit(until=150, now=300, pieces=3).faults

    assert sorted(run for kind, run in faults if kind == "unasked") == [
        due_at(seconds, job="ghost").id for seconds in (0, 60, 120)
    ]


def test_a_run_that_says_a_cluster_other_than_its_logs_does_not_end_the_audit() -> None:
    books = Books()
    forged = due_at(60, cluster="cluster-b")
    named: dict[str, Any] = {"run": forged.id, "worker": "w1"}
    version = books.put(forged, 30)
    books.put(Claimed(version=version, number=1, **named), 40)
    books.put(ended("w1", version), 61)
    audited = books.audit(until=190, now=9000)
    assert {finding.cluster for finding in audited.findings} == {"cluster-a"}
