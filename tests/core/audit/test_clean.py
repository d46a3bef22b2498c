"""Logs on which every promise was kept show no fault."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cronstream.core.audit.audited_run import AuditedRun
from cronstream.core.audit.finding import Kind
from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Heartbeat,
    Level,
    Released,
    Skip,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, Overlap, SkipReason, Verdict
from tests.builders import NOON, a_run, at
from tests.core.audit.books import Books, due_at

TWO = {"max_attempts": 2}


def runs_on_time() -> Books:
    books = Books()
    books.succeed(0, 60, 120, 180)
    return books


def retries() -> Books:
    books = Books(**TWO)
    books.retried(due_at(0, **TWO), Verdict.SUCCEEDED)
    books.retried(due_at(60, **TWO), Verdict.DISCARDED)
    books.retried(due_at(120, **TWO), Verdict.SUCCEEDED)
    books.retried(due_at(180, **TWO), Verdict.SUCCEEDED)
    return books


def a_skipped_span() -> Books:
    books = Books()
    span: dict[str, Any] = {"from_at": at(0), "to_at": at(120), "count": 3}
    books.put(Skip(job="backup", revision=0, reason=SkipReason.MISSED, **span), 150)
    books.succeed(180)
    return books


def an_edit_that_withdraws_what_was_published() -> Books:
    books = Books()
    books.succeed(0, 60)
    books.publish(due_at(120), when=85)
    books.define(1, 90, schedule="@every 90s", effective_from=at(89))
    books.succeed(90, 180, revision=1)
    return books


def an_edit_that_came_after_the_start() -> Books:
    """What has begun stands, though the new definition is not due then."""
    books = Books()
    books.succeed(0, 60)
    run = due_at(120)
    books.attempt(run, books.publish(run), end=121)
    books.define(1, 123, schedule="@every 90s", effective_from=at(119))
    books.succeed(180, revision=1)
    return books


def a_job_that_was_removed_and_put_in_again() -> Books:
    books = Books()
    books.succeed(0)
    books.define(1, 30, removed=True, effective_from=at(30))
    books.define(2, 130, effective_from=at(130))
    books.succeed(180, revision=2)
    return books


def a_job_that_moved() -> Books:
    """Rule 15: what was published ahead stays with the former cluster."""
    books = Books()
    books.succeed(0, 60)
    books.write_down(1, cluster="cluster-b", effective_from=at(45))
    for cluster in ("cluster-a", "cluster-b"):
        entry = Withdrawal(job="backup", revision=1, effective_from=at(75.000001))
        books.put(entry, 46, cluster=cluster)
    books.succeed(120, 180, revision=1, cluster="cluster-b")
    return books


def a_first_start_two_hours_after_the_jobs_were_put_in() -> Books:
    books = Books(job=False)
    books.define(0, 3600, effective_from=at(-3600))
    books.succeed(*range(0, 201, 60))
    return books


def an_interruption() -> Books:
    books = Books()
    run = due_at(0)
    books.attempt(run, books.publish(run), outcome=Outcome.INTERRUPTED, end=5)
    claim = 4
    books.put(Claimed(run=run.id, version=claim, worker="w2", number=1), 6)
    books.put(Started(run=run.id, claim=claim, worker="w2", started_at=at(6)), 6)
    end: dict[str, Any] = {"outcome": Outcome.SUCCEEDED, "started_at": at(6), "ended_at": at(7)}
    books.put(Finished(run=run.id, claim=claim, worker="w2", **end), 7)
    books.succeed(60, 120, 180)
    return books


def an_at_most_once_start_that_was_foretold() -> Books:
    """It was released before it started, and another worker has made it."""
    once = {"delivery": Delivery.AT_MOST_ONCE}
    books = Books(**once)
    run = due_at(0, **once)
    _, again = books.give_back(run, started=True, when=0.1)
    books.attempt(run, again, start=0.2, claimed=0.15, worker="w2")
    books.succeed(60, 120, 180, **once)
    return books


def a_start_that_was_foretold_with_a_claim_that_did_not_stand() -> Books:
    """Rule 17: claim and start go to the log together, and count together or not at all."""
    apart = {"overlap": Overlap.SKIP}
    books = Books(**apart)
    run = due_at(0, **apart)
    version = books.publish(run)
    named: dict[str, Any] = {"run": run.id, "worker": "w2"}
    books.put(Claimed(version=version - 1, number=1, **named), 0)
    books.put(Started(claim=version - 1, started_at=at(0), **named), 0)
    books.attempt(run, version, claimed=0.1, start=0.1)
    books.succeed(60, 120, 180, **apart)
    return books


def a_start_that_was_foretold_after_a_loss_without_one() -> Books:
    books = Books()
    books.put(Level(level=2, version="1"), -60)
    books.succeed(0)
    run = due_at(60)
    _, version = books.lose(run)
    books.put(Claimed(run=run.id, version=version, worker="w2", number=1), 68)
    books.put(Started(run=run.id, claim=version, worker="w2", started_at=at(68)), 68)
    given_back = books.put(Released(run=run.id, claim=version, worker="w2"), 69)
    books.attempt(run, given_back, worker="w3", start=70, claimed=70)
    books.succeed(120, 180)
    return books


def runs_by_hand() -> Books:
    books = Books()
    books.succeed(0, 60)
    run = a_run(scheduled_at=at(100), revision=None, cause=Cause.RUN_NOW, number=7)
    books.attempt(run, books.publish(run, when=100), claimed=100.1, start=100.2)
    books.succeed(120, 180)
    return books


def messages_that_came_twice() -> Books:
    books = Books()
    run = due_at(0)
    version = books.publish(run)
    books.put(run, -29)
    books.attempt(run, version)
    books.put(Started(run=run.id, claim=version, worker="w1", started_at=at(0)), 2)
    end: dict[str, Any] = {"outcome": Outcome.SUCCEEDED, "started_at": at(0), "ended_at": at(1)}
    books.put(Finished(run=run.id, claim=version, worker="w1", **end), 2)
    books.succeed(60, 120, 180)
    return books


CLEAN = [
    runs_on_time,
    retries,
    a_skipped_span,
    an_edit_that_withdraws_what_was_published,
    an_edit_that_came_after_the_start,
    a_job_that_was_removed_and_put_in_again,
    a_job_that_moved,
    a_first_start_two_hours_after_the_jobs_were_put_in,
    an_interruption,
    an_at_most_once_start_that_was_foretold,
    a_start_that_was_foretold_with_a_claim_that_did_not_stand,
    a_start_that_was_foretold_after_a_loss_without_one,
    runs_by_hand,
    messages_that_came_twice,
]


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("written", CLEAN, ids=lambda written: written.__name__)
def test_a_promise_that_was_kept_is_no_finding(written: Callable[[], Books], pieces: int) -> None:
    audited = written().audit(pieces=pieces)

    assert audited.faults == []
    summary = audited.tally.summary()
    assert audited.tally.is_clean()
    assert summary["due"] == sum(summary["verdicts"].values()) > 0
    assert summary["open"] == summary["unexplained"] == 0


def test_each_due_time_has_its_verdict() -> None:
    assert runs_on_time().audit().tally.verdicts == {"succeeded": 4}
    assert retries().audit().tally.verdicts == {"succeeded": 3, "discarded": 1}
    assert a_skipped_span().audit().tally.skipped == {"missed": 3}
    by_hand = runs_by_hand().audit().tally
    assert (by_hand.due, by_hand.requested) == (5, 1)


def test_a_daily_job_is_due_once_when_the_clocks_change() -> None:
    """Berlin, 2026-03-29: there is no 02:30; Debian's cron runs it at 03:00."""
    turn = datetime(2026, 3, 29, 1, tzinfo=UTC)
    seconds = (turn - NOON).total_seconds()
    job = {"schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
    books = Books(**job)
    books.succeed(seconds)
    day = timedelta(days=1).total_seconds()
    audited = books.audit(since=seconds - day / 2, until=seconds + day / 2)

    assert audited.faults == []
    assert audited.tally.due == 1


@pytest.mark.parametrize(("started_s", "kinds"), [(7200, set()), (7150, {Kind.EARLY})])
def test_a_start_is_hours_early_by_the_log_only_if_its_worker_says_so(
    started_s: float, kinds: set[Kind]
) -> None:
    """The clock of the broker was two hours behind for a while."""
    books = Books()
    run = due_at(7200)
    version = books.publish(run, when=10)
    books.put(Claimed(run=run.id, version=version, worker="w1", number=1), 11)
    books.put(Started(run=run.id, claim=version, worker="w1", started_at=at(started_s)), 20)
    audited = books.audit(since=7190, until=7210)

    assert {one.kind for one in audited.findings} & {Kind.EARLY} == kinds


def test_a_worker_that_was_lost_is_told_and_is_no_fault() -> None:
    books = Books()
    run = due_at(0)
    _, again = books.lose(run, started=True)
    books.attempt(run, again, worker="w2", claimed=8, start=8)
    audited = books.audit(until=50)

    assert audited.faults == []
    [loss] = audited.findings
    assert loss.kind is Kind.LOST
    assert loss.text == "attempt 1 was lost with w1 while it ran; made again as attempt 2 by w2"
    assert (loss.run, loss.facts["worker"], loss.facts["lost_at"]) == (run.id, "w1", at(7))
    assert not audited.tally.late, "it was started in time, the first time"


def test_a_lost_attempt_that_ran_on_beside_the_next_one_is_an_overrun() -> None:
    books = Books()
    run = due_at(0)
    version, again = books.lose(run, started=True)
    books.attempt(run, again, worker="w2", claimed=8, start=8)
    end: dict[str, Any] = {"outcome": Outcome.SUCCEEDED, "started_at": at(0), "ended_at": at(10.5)}
    books.put(Finished(run=run.id, claim=version, worker="w1", **end), 20)
    audited = books.audit(until=50)

    assert audited.faults == []
    [text] = audited.of(Kind.OVERRUN)
    assert text == "attempt 1 of w1, which was lost, still ran for 2.5 s beside attempt 2 of w2"
    assert [f.facts["late_outcome"] for f in audited.findings if f.kind is Kind.LOST] == [
        Outcome.SUCCEEDED
    ]


def test_what_is_not_yet_due_or_not_yet_published_is_open() -> None:
    books = Books()
    books.succeed(0, 60)
    books.publish(due_at(120))
    books.put(Heartbeat(worker="w1", number=2), 150)
    summary = books.audit(until=190, now=175).tally.summary()

    assert (summary["due"], summary["open"], summary["unexplained"]) == (3, 1, 0)
    assert books.audit(until=190, now=190).tally.open == 2, "the fourth is ten seconds old"


def test_an_edit_that_is_on_its_way_is_waited_for() -> None:
    books = Books()
    books.succeed(0, 60)
    books.write_down(1, schedule="@every 20s", effective_from=at(125))
    books.succeed(120)

    assert books.audit(until=150).faults == []
    assert len(books.audit(until=400).faults) == 10, "from 140 on, but for those of the last minute"


def test_runs_that_were_due_before_the_window_are_passed_over() -> None:
    books = Books()
    books.put(Started(run=due_at(0).id, claim=3, worker="w1", started_at=at(0)), 0)
    books.succeed(120, 180)
    audited = books.audit(since=100)

    assert audited.faults == []
    assert audited.tally.due == 2


def test_a_lost_worker_may_tell_of_its_start_when_it_is_lost() -> None:
    books = Books()
    run = due_at(0)
    version, again = books.lose(run)
    named: dict[str, Any] = {"run": run.id, "worker": "w1"}
    books.put(Started(claim=version, started_at=at(0), **named), 8)
    books.attempt(run, again, worker="w2", claimed=8, start=9)
    end: dict[str, Any] = {"outcome": Outcome.LOST, "started_at": None, "ended_at": at(8)}
    books.put(Finished(claim=version, **end, **named), 10)
    books.put(Finished(claim=77, **end, **named), 10)
    audited = books.audit(until=50)

    assert audited.faults == []
    assert [f.facts["started"] for f in audited.findings if f.kind is Kind.LOST] == [True]


def test_an_owner_may_skip_a_run_under_its_overlap_policy() -> None:
    books = Books()
    version = books.publish(due_at(0))
    reason = SkipReason.OVERLAP
    books.put(Skipped(run=due_at(0).id, version=version, reason=reason), 0)
    audited = books.audit(until=50)

    assert audited.faults == []
    assert audited.tally.skipped == {"overlap": 1}


def test_entries_of_runs_by_hand_from_before_the_window_are_passed_over() -> None:
    books = Books()
    run = a_run(scheduled_at=at(0), revision=None, cause=Cause.RUN_NOW, number=7)
    books.put(Started(run=run.id, claim=3, worker="w1", started_at=at(0)), 0)
    books.retried(due_at(0, max_attempts=2), Verdict.SUCCEEDED)
    books.succeed(120, 180)

    assert books.audit(since=100).faults == []


def test_a_message_counts_once() -> None:
    books = runs_on_time()

    assert books.audit(twice=True).tally.verdicts == {"succeeded": 4}


def test_long_ledgers_are_settled_as_they_go_by() -> None:
    books = Books(**TWO)
    for minute in range(90):
        verdict = Verdict.DISCARDED if minute % 10 == 0 else Verdict.SUCCEEDED
        books.retried(due_at(60 * minute, **TWO), verdict)
    span: dict[str, Any] = {"from_at": at(5400), "to_at": at(6000), "count": 11}
    books.put(Skip(job="backup", revision=0, reason=SkipReason.MISSED, **span), 6010)
    books.succeed(*range(6060, 9000, 60), **TWO)
    whole, in_pieces = (books.audit(until=8999, pieces=pieces) for pieces in (1, 90))

    assert whole.faults == []
    assert in_pieces.tally.summary() == whole.tally.summary()
    assert in_pieces.most_at_once < 40 < whole.most_at_once


def test_a_run_is_kept_until_every_topic_has_told_of_it() -> None:
    audited = AuditedRun.of(due_at(0), "a", at(-30))
    assert not audited.is_complete(at(100))
    audited.settle(Verdict.DISCARDED, at(1))
    assert not audited.is_complete(at(100)), "it is not on the discarded topic"
    audited.discards = True
    assert audited.is_complete(at(100))
    audited.forwarded = True
    assert not audited.is_complete(at(100)), "the retry log has no verdict"
    audited.retry_verdict = Verdict.DISCARDED
    assert audited.is_complete(at(100))


def test_a_skip_explains_only_its_own_due_times() -> None:
    books = Books()
    span: dict[str, Any] = {"from_at": at(0), "to_at": at(60), "count": 2}
    books.put(Skip(job="backup", revision=0, reason=SkipReason.MISSED, **span), 70)
    books.succeed(180)
    audited = books.audit()

    assert audited.faults == [("unexplained", due_at(120).id)]
    assert audited.tally.skipped == {"missed": 2}


def test_a_loss_before_the_window_is_passed_over() -> None:
    books = Books()
    run = due_at(0)
    _, again = books.lose(run)
    books.attempt(run, again, worker="w2", claimed=8, start=9)
    books.succeed(60, 120)

    assert books.audit(since=30, until=150).findings == []


def test_a_run_that_a_newer_revision_has_just_replaced_is_no_refusal() -> None:
    books = Books()
    books.succeed(0)
    books.define(1, 30, effective_from=at(30))
    books.publish(due_at(60), 31)
    books.succeed(60, revision=1)

    assert books.audit(until=119, now=170).findings == []


def test_a_refused_run_explains_its_own_due_time_only() -> None:
    books = Books()
    books.write_down(5, effective_from=at(45))
    books.publish(due_at(120, revision=5), 46)

    kinds = {run: kind for kind, run in books.audit(until=179, now=300).faults}
    assert kinds[due_at(60).id] == "unexplained"
    assert kinds[due_at(120).id] == "refused"
