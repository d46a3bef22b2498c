"""Rule 24: what follows a run is published at its verdict, and until it is the verdict waits."""

from typing import Any

import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, join, row_parts, to_row
from cronstream.core.ledger.state import Effect, State
from cronstream.core.planning.chain import chained, is_handed_over, number_after
from cronstream.core.planning.making import run_of
from cronstream.core.protocol.owner import Owner
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Cancelled, Forwarded, Level, Settled
from cronstream.core.wire.enumerations import Cause, Ending, Outcome, SkipReason, Verdict
from cronstream.core.wire.runs import Discarded, Job, Previous, Run, Then
from tests.builders import NAMES, NOON, a_run, at
from tests.ledger_builders import Told

TOPICS = NAMES.topics_of("cluster-a")


def a_job(name: str, *then: Then, **fields: Any) -> Job:
    return Job(name, "cluster-a", "@daily", "UTC", "true", then=list(then) or None, **fields)


AFTER = [
    Then(on=Ending.SUCCEEDED, job=a_job("report", Then(on=Ending.SETTLED, job=a_job("tidy")))),
    Then(on=Ending.DISCARDED, job=a_job("alert")),
    Then(on=Ending.SETTLED, job=a_job("note")),
]


def parent(**fields: Any) -> Run:
    """The run of a job that three others follow."""
    return run_of(a_job("backup", *AFTER, **fields), 1, NOON)


def begun(run: Run, *, retry: bool = False) -> Told:
    told = Told(retry=retry)
    told.tell(Level(level=4))
    told.tell(run)
    return told


def published(ledger: Ledger) -> list[Any]:
    """What the owner of the partition publishes now."""
    owner = Owner("w1", 1, 0, ledger, TOPICS, Timing())
    return [message for effect in owner.effects() for message in effect.messages]


def jobs(ledger: Ledger) -> list[str]:
    return [record.job for _, record in published(ledger) if isinstance(record, Run)]


def test_a_success_is_decided_until_what_follows_it_is_published() -> None:
    told = begun(parent())
    told.finish(parent())
    assert (told.live.state, told.live.effect) == (State.DECIDING, Effect.SUCCEED)
    assert told.verdicts == []

    [(log, report), (_, note)] = published(told.ledger)
    assert log == TOPICS.log
    assert report.previous == Previous(parent().id, Verdict.SUCCEEDED, 1)
    assert (report.cause, report.scheduled_at) == (Cause.CHAIN, NOON)
    assert report.not_before == report.as_of == at(1)
    assert (report.job, note.job) == ("report", "note")

    told.forward(parent())
    assert told.verdicts == ["succeeded"]
    assert not told.ledger.book.live


def test_whoever_has_the_partition_publishes_the_same_again() -> None:
    told = begun(parent())
    told.finish(parent())
    again = from_row(to_row(told.ledger, 0))
    again.fold(again.book.next_offset, at(30), [])
    then, now = ([run for _, run in published(ledger)] for ledger in (told.ledger, again))

    assert [run.id for run in now] == [run.id for run in then]
    assert now == [run.derive(as_of=at(30)) for run in then]


def test_nothing_waits_for_a_log_whose_clock_was_ahead() -> None:
    told = begun(parent())
    told.finish(parent(), seconds=7200)
    owner = Owner("w1", 1, 0, told.ledger, TOPICS, Timing())
    [effect] = owner.effects(at(2))

    assert [run.not_before for _, run in effect.messages if isinstance(run, Run)] == [at(2)] * 2


def test_what_comes_twice_on_its_own_log_is_made_once() -> None:
    told = begun(parent())
    told.finish(parent())
    [(_, report), _] = published(told.ledger)
    other = Told(revision=False)
    other.tell(Level(level=4))
    other.tell(report)
    other.finish(report)
    other.forward(report)
    other.tell(report)

    assert other.verdicts == ["succeeded"]
    assert other.ledger.book.refused["duplicate"] == 1


def test_what_follows_a_discarded_run_goes_with_it_and_learns_why() -> None:
    told = begun(parent())
    told.finish(parent(), Outcome.FAILED)
    [(_, gone), (_, alert), (_, note)] = published(told.ledger)

    assert isinstance(gone, Discarded)
    assert (alert.job, note.job) == ("alert", "note")
    assert alert.previous.reason == gone.reason


@pytest.mark.parametrize(
    ("verdict", "follow"),
    [(Verdict.SUCCEEDED, ["report", "note"]), (Verdict.DISCARDED, ["alert", "note"])],
)
def test_the_clusters_log_publishes_what_follows_a_verdict_of_the_retry_log(
    verdict: Verdict, follow: list[str]
) -> None:
    run = parent(max_attempts=3)
    told = begun(run)
    told.finish(run, Outcome.FAILED)
    told.forward(run)
    settled = Settled(run=run.id, verdict=verdict, attempt=3, why="for good")
    told.tell(settled)
    assert told.live.state is State.DECIDING
    told.tell(settled)

    assert jobs(told.ledger) == follow
    previous = published(told.ledger)[0][1].previous
    assert (previous.attempt, previous.verdict) == (3, verdict)
    told.forward(run)
    assert told.verdicts == [verdict.value]


def test_the_retry_log_publishes_no_follower_and_says_why_it_has_discarded() -> None:
    run = parent(max_attempts=2).derive(attempt=2, attempts_left=1)
    told = begun(run, retry=True)
    told.finish(run, Outcome.FAILED)

    assert jobs(told.ledger) == []
    [settled] = [record for _, record in published(told.ledger) if isinstance(record, Settled)]
    assert settled.why == told.live.reason


def test_nothing_follows_what_was_skipped() -> None:
    told = begun(parent())
    told.tell(Cancelled(run=parent().id, reason=SkipReason.CANCELLED, by="me"))

    assert told.verdicts == ["skipped"]
    assert published(told.ledger) == []


def test_a_person_comes_too_late_for_a_run_that_has_succeeded() -> None:
    told = begun(parent())
    told.finish(parent())
    told.tell(Cancelled(run=parent().id, reason=SkipReason.CANCELLED, by="me"))
    told.forward(parent())

    assert told.verdicts == ["succeeded"]


def test_a_run_that_nothing_follows_after_its_verdict_has_it_at_once() -> None:
    run = run_of(a_job("backup", Then(on=Ending.DISCARDED, job=a_job("alert"))), 1, NOON)
    told = begun(run)
    told.finish(run)

    assert told.verdicts == ["succeeded"]


def test_a_word_about_another_version_ends_nothing() -> None:
    told = begun(parent())
    told.finish(parent())
    told.tell(Forwarded(run=parent().id, version=told.live.version - 1))

    assert told.live.state is State.DECIDING


def test_a_log_that_was_not_raised_to_it_has_no_chains() -> None:
    told = Told()
    told.tell(parent())

    assert not told.ledger.book.live
    assert told.ledger.book.refused["level"] == 1


def test_runs_that_follow_are_numbered_by_what_they_follow_all_the_way_down() -> None:
    run = parent()
    report = (run.then or [])[0].run
    [tidy] = report.then or []
    assert report.id == f"report@2026-01-01T12:00:00Z!chain-{number_after(run.id)}"
    assert tidy.run.number == number_after(report.id) < 2**53

    replayed = chained(
        run.derive(cause=Cause.REPLAY, number=7, revision=None, cluster="b"), "cluster-a"
    )
    again = (replayed.then or [])[0].run
    assert (again.cluster, again.number) == ("b", number_after(replayed.id))
    assert again.id != report.id


def test_a_run_that_nothing_follows_is_left_as_it_is() -> None:
    assert chained(a_run()) is not None
    assert chained(a_run()).then is None


ELSEWHERE = Job("audit", "cluster-b", "@daily", "UTC", "true")


def test_what_follows_in_another_cluster_is_put_where_schedulers_hand_it_over() -> None:
    then = [*AFTER[2:], Then(on=Ending.SUCCEEDED, job=ELSEWHERE)]
    told = begun(run := run_of(a_job("backup", *then), 1, NOON))
    told.finish(run)

    [(log, note), (chains, audit)] = published(told.ledger)
    assert (log, note.previous.cluster) == (TOPICS.log, None)
    assert (chains, audit.cluster) == (NAMES.chains, "cluster-b")
    assert audit.previous == Previous(run.id, Verdict.SUCCEEDED, 1, cluster="cluster-a")
    assert is_handed_over(audit)
    assert not is_handed_over(note)


def handed_over(number: int, seconds: float = 0) -> Run:
    previous = Previous("audit@2026-01-01T12:00:00Z", Verdict.SUCCEEDED, 1, cluster="cluster-b")
    fields = {"cause": Cause.CHAIN, "previous": previous, "as_of": at(seconds)}
    return a_run(revision=None, number=number, **fields)


def test_what_was_handed_over_is_known_for_days_also_by_who_reads_a_row() -> None:
    told, run, day = begun(handed_over(1)), handed_over(1), 86400
    told.finish(run)
    for number in range(2, 200):
        told.tell(handed_over(number, day), seconds=day)
        told.finish(handed_over(number), seconds=day)
    assert run.id not in told.ledger.book.recent
    read = from_row(join(row_parts(told.ledger, 0)))
    assert read.book.handed_over == told.ledger.book.handed_over

    for ledger in (told.ledger, read):
        again = run.derive(as_of=at(3 * day))
        ledger.fold(ledger.book.next_offset, at(3 * day), [again])
        assert run.id not in ledger.book.live
        assert ledger.book.refused["duplicate"] == 1

    last = handed_over(1000, 6 * day)
    told.tell(last, seconds=6 * day)
    told.finish(last, seconds=6 * day)
    assert list(told.ledger.book.handed_over) == [last.id]
