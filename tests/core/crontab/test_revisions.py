"""What each revision of a job changes of the one before it."""

from cronstream.core.crontab.change import Difference
from cronstream.core.crontab.revisions import Edit, Kind, Revisions
from cronstream.core.wire.runs import Job
from tests.builders import NOON
from tests.core.crontab.test_change import a_job


def kinds(*jobs: Job, cut: frozenset[int] = frozenset()) -> list[Kind]:
    revisions = Revisions(cut)
    return [revisions.fold(job, 0, n, NOON, counts=True).kind for n, job in enumerate(jobs)]


def test_a_job_is_added_changed_repeated_removed_and_added_again() -> None:
    one, other, gone = a_job(), a_job(command="false"), a_job(removed=True)
    assert kinds(one, other, other.derive(effective_from=NOON), gone, gone, one) == [
        Kind.ADDED,
        Kind.CHANGED,
        Kind.REPEATED,
        Kind.REMOVED,
        Kind.REPEATED,
        Kind.ADDED,
    ]


def test_jobs_are_told_apart_by_name() -> None:
    assert kinds(a_job("a"), a_job("b", command="false")) == [Kind.ADDED, Kind.ADDED]


def test_where_the_beginning_is_gone_nobody_knows_what_the_first_has_changed() -> None:
    assert kinds(a_job(), a_job(), cut=frozenset({0})) == [Kind.KNOWN, Kind.REPEATED]
    assert kinds(a_job(removed=True), cut=frozenset({0})) == [Kind.KNOWN]
    assert kinds(a_job(removed=True), cut=frozenset({1})) == [Kind.REPEATED]


def test_a_changed_one_says_in_what() -> None:
    revisions = Revisions(frozenset())
    revisions.fold(a_job(), 2, 6, NOON, counts=True)
    after = a_job(command="false")
    assert revisions.fold(after, 2, 7, NOON, counts=True) == Edit(
        after, 7, 2, NOON, Kind.CHANGED, (Difference("command", "'true'", "'false'"),)
    )


def test_what_does_not_count_changes_nothing() -> None:
    revisions = Revisions(frozenset())
    revisions.fold(a_job(), 0, 0, NOON, counts=True)
    forged = a_job(command="rm -rf /")
    assert revisions.fold(forged, 0, 1, NOON, counts=False).kind is Kind.REFUSED
    assert revisions.fold(a_job(), 0, 2, NOON, counts=True).kind is Kind.REPEATED
    assert revisions.names == {"backup"}
