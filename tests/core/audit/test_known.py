"""What the topics no longer tell is unknown, and no fault of anybody's runs."""

from datetime import timedelta

import pytest

from cronstream.core.audit.definitions import NOT_THERE
from cronstream.core.audit.finding import Kind
from cronstream.core.audit.known import Known, Offsets, Unknown
from cronstream.core.wire.entries import Finished, Started, Withdrawal
from cronstream.core.wire.enumerations import Cause, Verdict
from tests.builders import at
from tests.core.audit.books import Books, due_at

EARLY = at(0) - timedelta(minutes=15)


@pytest.mark.parametrize(("since", "due"), [(-60, 1), (5, 0)])
def test_attempts_that_were_lost_before_the_window_are_no_gap_in_it(since: int, due: int) -> None:
    books = Books(job=False)
    asked = due_at(0, cause=Cause.RUN_NOW, number=1, revision=None)
    _, version = books.lose(asked, started=True)
    again = asked.derive(attempt=2)
    books.attempt(again, version, start=9, claimed=8, worker="w2")
    audited = books.audit(since=since, until=60)

    assert audited.faults == []
    assert (audited.tally.due, audited.tally.verdicts["succeeded"]) == (due, due)


def test_a_run_of_a_definition_that_was_deleted_is_not_held_against_it() -> None:
    books = Books(schedule="@every 100s")
    for run in (due_at(60, revision=7), due_at(120, revision=9), due_at(180, job="gone")):
        entry = Withdrawal(job=run.job, revision=run.revision or 0, effective_from=at(0))
        books.put(entry, 0)
        books.attempt(run, books.publish(run))
    books.known = Known(EARLY, lambda _: Offsets(8, 10))
    audited = books.audit(since=50, until=190)

    assert audited.of(Kind.UNASKED) == [
        f"revision 9 of its job {NOT_THERE}, and no person has asked for it"
    ]
    assert audited.tally.unknown[Unknown.DEFINITION] == 2


def test_a_topic_that_was_made_anew_has_lost_the_higher_revisions() -> None:
    assert Offsets(0, 3).has_lost(3)
    assert not Offsets(0, 3).has_lost(2)
    assert not Offsets(0, 3).has_lost(None)
    assert not Known(EARLY).has_lost("backup", 10**9)


@pytest.mark.parametrize("is_said", [True, False])
def test_later_attempts_whose_log_was_deleted_are_not_judged(is_said: bool) -> None:
    books = Books(max_attempts=2)
    run = due_at(0, max_attempts=2, attempts_left=2)
    books.retried(run, Verdict.SUCCEEDED)
    books.known = Known(EARLY, retries={"cluster-a": at(60)} if is_said else {})
    # The beginning of the retry log is gone, so its fold takes nothing of what is left.
    books._messages["cluster-a", True] = [
        (when, entry)
        for when, entry in books._messages["cluster-a", True]
        if isinstance(entry, Started | Finished)
    ]
    audited = books.audit(until=30, now=100)

    found = {finding.kind for finding in audited.findings}
    assert found == (set() if is_said else {Kind.CONTRADICTION, Kind.DOUBLED})
    assert audited.tally.unknown[Unknown.RETRIES] == (1 if is_said else 0)


def test_a_retry_that_may_be_deleted_is_not_waited_for() -> None:
    books = Books(max_attempts=2)
    run = due_at(0, max_attempts=2, attempts_left=2)
    books.retried(run, Verdict.SUCCEEDED)
    log = books._messages["cluster-a", False]
    books._messages = {("cluster-a", False): [x for x in log if "Settled" not in repr(x[1])]}
    books.known = Known(EARLY, retries={"cluster-a": at(500)})

    assert books.audit(until=30, now=490).of(Kind.WAITING) == []


@pytest.mark.parametrize(("until", "found"), [(500, 0), (5, 1)])
def test_a_discard_whose_topic_was_deleted_is_not_missed(until: int, found: int) -> None:
    books = Books(max_attempts=2)
    books.retried(due_at(0, max_attempts=2, attempts_left=2), Verdict.DISCARDED, tell=False)
    books.known = Known(EARLY, discards={"cluster-a": at(until)})
    audited = books.audit(until=30, now=400)

    assert len(audited.of(Kind.CONTRADICTION)) == found
    assert audited.tally.unknown[Unknown.DISCARD] == 1 - found


def test_a_run_that_was_discarded_and_is_on_the_topic_is_known() -> None:
    books = Books(max_attempts=2)
    run = due_at(0, max_attempts=2, attempts_left=2)
    books.retried(run, Verdict.DISCARDED)
    books.known = Known(EARLY, discards={"cluster-a": at(500)})

    assert books.audit(until=30, now=400).tally.unknown == {}
