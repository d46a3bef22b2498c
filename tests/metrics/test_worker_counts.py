"""What a worker counts of the runs of its log."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from cronstream.core.wire.entries import Forwarded, Level, Settled
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, Verdict
from cronstream.core.wire.naming import Role
from cronstream.core.wire.runs import Run
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.worker_counts import Folded, WorkerCounts, cause_of
from tests.builders import NOON, a_run, at
from tests.ledger_builders import Told, a_skip, due
from tests.metrics.built import families, value

TWO = {"max_attempts": 2}


class Counted:
    """A ledger, and the counts of the worker that folds it."""

    def __init__(self, *, retry: bool = False, now: datetime = NOON) -> None:
        self.metrics, role = Metrics(), Role.of("cluster-a", retry=retry)
        self.counts = WorkerCounts(self.metrics, role, lambda: now)
        self.told = Told(retry=retry)

    def read(self) -> None:
        """Have it fold the log once more, and count what each message has changed."""
        again = Told(retry=self.told.ledger.book.retry, revision=False).ledger
        for offset, when, entries in self.told.messages:
            again.fold(offset, when, entries)
            book = again.book
            folded = Folded(when, [*book.news], [*book.ended], [*book.turned_away])
            self.counts.note(folded)
            book.news.clear()

    def __getitem__(self, name: str) -> float | None:
        return value(self.metrics, f"cronstream_{name}", cron_job="backup")

    def attempts(self, outcome: str) -> float | None:
        name = "cronstream_attempts_total"
        return value(self.metrics, name, cron_job="backup", outcome=outcome)


def a_later(counted: Counted, **fields: Any) -> Run:
    run = a_run(attempt=2, attempts_left=1, max_attempts=2, **fields)
    counted.told.tell(run)
    return run


def test_a_success_is_an_attempt_and_a_run() -> None:
    counted = Counted()
    run = due(0)
    counted.told.tell(run)
    counted.told.finish(run)
    counted.read()

    assert (counted.attempts("succeeded"), counted["runs_succeeded_total"]) == (1, 1)
    assert counted["retries_total"] == counted["runs_discarded_total"] == 0
    assert counted.attempts("failed") is None


def test_a_failure_that_is_retried_is_no_verdict() -> None:
    counted = Counted()
    run = due(0, **TWO)
    counted.told.tell(run)
    counted.told.finish(run, Outcome.FAILED)
    counted.told.forward(run)
    counted.read()

    assert (counted.attempts("failed"), counted["retries_total"]) == (1, 1)
    assert counted["runs_discarded_total"] == 0


@pytest.mark.parametrize(
    ("outcome", "verdict", "name"),
    [
        (Outcome.SUCCEEDED, Verdict.SUCCEEDED, "runs_succeeded_total"),
        (Outcome.TIMED_OUT, Verdict.DISCARDED, "runs_discarded_total"),
    ],
)
def test_a_verdict_after_later_attempts_is_counted_on_one_of_the_two_logs(
    outcome: Outcome, verdict: Verdict, name: str
) -> None:
    later, first = Counted(retry=True), Counted()
    run = a_later(later)
    later.told.finish(run, outcome)
    later.told.tell(Forwarded(run=run.id, version=later.told.live.version))
    later.read()
    run = due(0, **TWO)
    first.told.tell(run)
    first.told.finish(run, Outcome.FAILED)
    first.told.forward(run)
    first.told.tell(Settled(run=run.id, verdict=verdict, attempt=2))
    first.read()

    assert first.told.verdicts == [verdict.value]
    assert (later.attempts(outcome.value), later[name]) == (1, 1)
    assert (first.attempts("failed"), first[name]) == (1, 0)


def test_what_was_lost_after_its_start_is_an_attempt() -> None:
    counted = Counted()
    run = due(0, delivery=Delivery.AT_MOST_ONCE)
    counted.told.tell(run)
    counted.told.start(run)
    counted.told.lose()
    counted.told.forward(run)
    counted.read()

    assert (counted.attempts("lost"), counted["runs_discarded_total"]) == (1, 1)


def test_due_times_without_a_run_are_counted_one_by_one() -> None:
    counted = Counted()
    counted.told.tell(a_skip(0, 240, count=5))
    counted.told.tell(a_skip(0, 240, count=5))  # Once more: it changes nothing.
    counted.read()

    name = "cronstream_runs_skipped_total"
    assert value(counted.metrics, name, cron_job="backup", reason="missed") == 5
    assert value(counted.metrics, name, cron_job="backup", reason="overlap") is None


def test_a_forged_number_of_due_times_takes_nothing_back() -> None:
    counted = Counted()
    counted.told.tell(a_skip(0, 240, count=-5))
    counted.read()

    assert counted["runs_skipped_total"] == 0


def test_an_entry_that_changes_nothing_counts_as_nothing() -> None:
    counted = Counted()
    run = due(0)
    counted.told.tell(run)
    counted.told.finish(run)
    for _, _, entries in list(counted.told.messages):
        counted.told.tell(*entries, seconds=2)
    counted.read()

    assert (counted.attempts("succeeded"), counted["runs_succeeded_total"]) == (1, 1)


def test_what_is_refused_is_counted_but_for_what_is_to_be_expected() -> None:
    counted = Counted()
    counted.told.tell(due(60, revision=7))  # Nobody has put that in force.
    counted.told.edit(9, seconds=0)
    counted.told.tell(due(120, revision=1))  # 9 stands for it.
    counted.read()

    assert counted.counts.refused == {"unknown": 1}


@pytest.mark.parametrize(
    ("published", "claimed", "delay"), [(-30.0, -29.0, 0.0), (-1.0, 2.0, 2.0), (40.0, 40.5, 0.5)]
)
def test_a_claim_is_late_from_when_the_run_is_due_and_there(
    published: float, claimed: float, delay: float
) -> None:
    counted = Counted()
    run = due(0)
    counted.told.tell(run, seconds=published)
    claim = counted.told.claim(run)
    number, _, entries = counted.told.messages.pop()
    counted.told.messages.append((number, at(claimed), entries))
    counted.read()

    assert claim == 1
    assert value(counted.metrics, "cronstream_run_claim_delay_seconds_count") == 1
    assert value(counted.metrics, "cronstream_run_claim_delay_seconds_sum") == delay


def test_what_was_appended_more_than_an_hour_ago_is_history() -> None:
    counted = Counted(now=NOON + timedelta(hours=2))
    run = due(0)
    counted.told.tell(run)
    counted.told.finish(run)
    counted.read()

    assert families(counted.metrics)["cronstream_attempts_total"].samples == []


def test_six_hundred_jobs_make_as_many_series_as_five_hundred_and_one() -> None:
    counted = Counted()
    for number in range(600):
        counted.told.tell(a_run(job=f"job-{number}", revision=None))
    counted.told.finish(a_run(job="job-599", revision=None))
    counted.read()

    succeeded = families(counted.metrics)["cronstream_runs_succeeded_total"].samples
    assert len(succeeded) == 501
    assert {s.labels["cron_job"]: s.value for s in succeeded if s.value} == {"_other": 1}
    attempts = families(counted.metrics)["cronstream_attempts_total"].samples
    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("run", "cause"),
    [
        (due(0), "schedule"),
        (due(0).derive(as_of=at(90), not_before=at(95)), "missed"),
        (due(0).derive(as_of=at(90), attempt=2), "schedule"),
        (a_run(revision=None, cause=Cause.BACKFILL), "backfill"),
    ],
)
def test_a_verdict_is_counted_by_why_there_was_a_run(run: Run, cause: str) -> None:
    assert cause_of(run) == cause


def test_what_a_person_asked_for_is_counted_as_that() -> None:
    counted = Counted()
    run = a_run(revision=None, cause=Cause.BACKFILL)
    counted.told.tell(Level(level=4))
    counted.told.tell(run)
    counted.told.finish(run)
    counted.read()

    name = "cronstream_runs_ended_total"
    found = value(counted.metrics, name, cause="backfill", verdict="succeeded", cluster="cluster-a")
    assert found == 1
