"""A crontab that would take out much of what is in force has to say that it means it."""

import pytest

from cronstream.core.crontab.change import compare
from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.crontab.removals import Removal, unmeant_removal
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError
from tests.core.crontab.test_change import a_job

FIVE = [a_job(name) for name in "abcde"]
TWO_CLUSTERS = [*FIVE, a_job("x", cluster="cluster-b"), a_job("y", cluster="cluster-b")]


def judge(in_force: list[Job], file: list[Job], allowed: str = "") -> Removal | None:
    return unmeant_removal(in_force, compare(in_force, file), allowed)


def test_half_of_the_jobs_may_go_and_no_more() -> None:
    assert judge(FIVE, FIVE[2:]) is None
    found = judge(FIVE, FIVE[3:])
    assert found == Removal(("a", "b", "c"), 5)
    assert str(found) == "3 of the 5 jobs in force (a, b, c)"


def test_no_job_at_all_is_all_of_its_cluster_too() -> None:
    found = judge(FIVE, [])
    assert str(found) == "5 of the 5 jobs in force (a, b, c, …), all of cluster cluster-a"


def test_a_cluster_is_not_left_without_a_job() -> None:
    assert judge(TWO_CLUSTERS, TWO_CLUSTERS[:6]) is None
    found = judge(TWO_CLUSTERS, FIVE)
    assert found == Removal(("x", "y"), 7, ("cluster-b",))
    assert judge(TWO_CLUSTERS, [*FIVE, a_job("new", cluster="cluster-b")]) is None


def test_a_job_that_changes_its_cluster_is_not_taken_out() -> None:
    moved = [job.derive(cluster="cluster-a") for job in TWO_CLUSTERS[5:]]
    assert judge(TWO_CLUSTERS, [*FIVE, *moved]) is None
    assert judge(TWO_CLUSTERS, [*FIVE, moved[0]]) is None


def test_few_jobs_and_none_are_never_held_back() -> None:
    assert judge(FIVE[:3], []) is None
    assert judge([], FIVE) is None


def test_the_mark_of_just_that_removal_lets_it_through_in_whatever_order() -> None:
    found = judge(FIVE, FIVE[3:])
    assert found is not None
    assert found.mark.startswith("3-jobs-")
    assert judge(FIVE, FIVE[3:], found.mark) is None
    assert judge(FIVE[::-1], FIVE[3:], found.mark) is None
    assert judge(FIVE, FIVE[:2], found.mark) is not None


FILE = """\
version: 1
allow_removals: {}
clusters: [a]
jobs: []
"""


@pytest.mark.parametrize(
    ("said", "mark"),
    [("7-jobs-3f9a12c4", "7-jobs-3f9a12c4"), ("", ""), ("1-jobs-00000000 # x", "1-jobs-00000000")],
)
def test_a_file_says_by_its_mark_what_it_means(said: str, mark: str) -> None:
    assert parse_crontab(FILE.format(said)).allow_removals == mark
    assert parse_crontab("version: 1\nclusters: [a]\njobs: []\n").allow_removals == ""


@pytest.mark.parametrize("said", ["true", "7", "[a]", "all", "7-jobs-3F9A12C4", "{a: b}"])
def test_what_is_no_mark_is_a_problem_with_its_place(said: str) -> None:
    with pytest.raises(CrontabError) as caught:
        parse_crontab(FILE.format(said))
    [problem] = caught.value.problems
    assert str(problem).startswith("line 2, column 17: 'allow_removals' is not the mark of a rem")
