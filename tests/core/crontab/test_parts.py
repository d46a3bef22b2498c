"""A crontab that includes files: each by itself may be wrong, and costs only itself."""

import pytest

from cronstream.core.crontab.crontab import Crontab
from cronstream.core.crontab.parts import File, PartlyGoodError, included_in, parse_together
from cronstream.errors import CrontabError, Problem

ROOT = """\
version: 1
clusters: [a, b]
calendars: {holidays: [2026-12-25]}
defaults: {cluster: a, timezone: Europe/Berlin}
include: teams/*.yaml
"""


def entry(name: str, more: str = "") -> str:
    return f"  - name: {name}\n    schedule: '@daily'\n    command: do {name}\n{more}"


def a_part(*names: str, head: str = "") -> str:
    return f"{head}jobs:\n" + "".join(map(entry, names))


def together(
    *parts: str | Problem, root: str = ROOT, before: Crontab | None = None, first: int = 1
) -> Crontab:
    """Parts are called 1, 2 and so on."""
    files = [
        File(str(n), problem=part) if isinstance(part, Problem) else File(str(n), part)
        for n, part in enumerate(parts, start=first)
    ]
    return parse_together(root, files, source="crontab.yaml", before=before)


def partly(
    *parts: str | Problem, root: str = ROOT, before: Crontab | None = None
) -> tuple[list[str], Crontab]:
    with pytest.raises(PartlyGoodError) as caught:
        together(*parts, root=root, before=before)
    return [str(problem) for problem in caught.value.problems], caught.value.crontab


def names(crontab: Crontab) -> list[str]:
    return [job.name for job in crontab.jobs]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("include: teams/*.yaml", ("teams/*.yaml",)),
        ("include: [a.yaml, b.yaml]", ("a.yaml", "b.yaml")),
        ("include:", ()),
        ("include: 5", ()),
        ("include: [[a]]", ()),
        ("defaults: {description: include}", ()),
        ("# include: x", ()),
    ],
)
def test_what_a_crontab_includes_is_found_before_it_is_read(
    said: str, found: tuple[str, ...]
) -> None:
    assert included_in(f"version: 1\n{said}\njobs: []\n") == found
    assert included_in(f"version: 1\n{said}\njobs:\n{entry('one')}") == found


def test_the_jobs_of_all_files_are_those_of_the_crontab() -> None:
    found = together(a_part("one"), a_part("two"), root=ROOT + a_part("zero"))
    assert names(found) == ["zero", "one", "two"]
    assert {job.cluster for job in found.jobs} == {"a"}
    assert {job.timezone for job in found.jobs} == {"Europe/Berlin"}
    assert not found.is_partial


def test_a_files_own_defaults_lie_above_those_of_the_crontab() -> None:
    own = "defaults:\n  cluster: b\n  exclude: holidays\n"
    found = together(a_part("one", head=own), a_part("two"))
    assert [job.cluster for job in found.jobs] == ["b", "a"]
    assert [job.timezone for job in found.jobs] == ["Europe/Berlin"] * 2
    assert found.jobs[0].schedule == "@daily; exclude 2026-12-25"


def test_each_problem_names_its_file_and_line() -> None:
    said, _ = partly(a_part("one"), a_part("two") + "    max_attempts: 0\n")
    assert said == ["2: line 5, column 19: job 'two': max_attempts 0 is too small; at least 1"]


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("", "1: line 1, column 1: an included file begins with 'jobs:', or 'defaults:'"),
        ("- name: x\n", "1: line 1, column 1: an included file begins with 'jobs:', or"),
        ("defaults: {cluster: b}\n", "1: line 1, column 1: 'jobs' is missing; add 'jobs: []'"),
        ("version: 1\njobs: []\n", "1: line 1, column 1: 'version' belongs into the crontab that"),
        ("jbos: []\n", "1: line 1, column 1: key 'jbos' is not known; did you mean 'jobs'?"),
        ("more: 1\njobs: []\n", "1: line 1, column 1: key 'more' is not known; there are defaults"),
        (a_part("x") + "    cluster: c\n", "line 5, column 14: job 'x': cluster 'c' is not known"),
        ("jobs: [\n", "the text ends within a list or mapping"),
        (a_part("x", "x"), "1: line 5, column 11: job 'x': the name appears twice, first on"),
    ],
)
def test_what_a_file_may_not_be(part: str, problem: str) -> None:
    [said], _ = partly(part)
    assert problem in said


def test_a_file_that_is_broken_keeps_its_last_good_jobs_and_lets_others_through() -> None:
    before = together(a_part("one"), a_part("two"))
    said, found = partly(a_part("one") + "    grace: never\n", a_part("three"), before=before)
    assert len(said) == 1
    assert names(found) == ["one", "three"]
    assert found.jobs[0] is before.jobs[0]
    assert not found.is_partial
    _, found = partly(a_part("one") + "    x: 1\n", a_part("three", "four"), before=found)
    assert names(found) == ["one", "three", "four"]
    assert names(together(a_part("new"), a_part("four"), before=found)) == ["new", "four"]


def test_where_nothing_is_known_of_a_broken_file_nothing_may_be_removed() -> None:
    said, found = partly(Problem("may not be read"), a_part("two"))
    assert said == ["1: may not be read"]
    assert names(found) == ["two"]
    assert found.is_partial


def test_a_crontab_that_is_broken_itself_costs_everything() -> None:
    before = together(a_part("one"))
    with pytest.raises(CrontabError, match="line 2") as caught:
        together(a_part("one"), root=ROOT.replace("[a, b]", "[a, -]"), before=before)
    assert not isinstance(caught.value, PartlyGoodError)


def test_a_name_that_two_files_have_is_the_fault_of_the_second() -> None:
    said, found = partly(a_part("one"), a_part("two", "one"))
    assert said == ["2: line 5, column 11: job 'one': the name is that of a job in 1; rename one"]
    assert names(found) == ["one"]


def test_a_name_that_another_file_had_before_stays_with_it() -> None:
    before = together(a_part("one"), a_part("two"))
    said, found = partly(a_part("one", "two"), a_part("two"), before=before)
    assert [each.partition(":")[0] for each in said] == ["1"]
    assert names(found) == ["one", "two"]


def test_what_a_broken_file_had_before_is_still_there_for_others() -> None:
    before = together(a_part("one", "moved"), a_part("two"))
    broken, wants_it = a_part("one") + "    x: 1\n", a_part("two", "moved")
    said, found = partly(broken, wants_it, before=before)
    assert [each.partition(":")[0] for each in said] == ["1", "2"]
    assert names(found) == ["one", "moved", "two"]


def test_a_job_may_move_from_file_to_file() -> None:
    before = together(a_part("one", "moved"), a_part("two"))
    assert names(together(a_part("one"), a_part("two", "moved"), before=before)) == [
        "one",
        "two",
        "moved",
    ]


def test_a_job_of_the_crontab_that_a_file_had_is_its_own_fault() -> None:
    before = together(a_part("one"))
    with pytest.raises(CrontabError, match="the name is that of a job in 1"):
        together(a_part("one"), root=ROOT + a_part("one"), before=before)


MANY = tuple(f"job-{n}" for n in range(6))


def test_a_file_that_loses_most_of_its_jobs_keeps_them_until_it_says_so() -> None:
    before = together(a_part(*MANY), a_part("two"))
    said, found = partly(a_part("job-0"), a_part("three"), before=before)
    assert said[0].startswith("1: it lacks 5 of its 6 jobs; put them back, or, if that is meant")
    assert names(found) == [*MANY, "three"]
    mark = said[0].partition("allow_removals: ")[2].partition("'")[0]
    meant = a_part("job-0", head=f"allow_removals: {mark}\n")
    assert names(together(meant, a_part("three"), before=found)) == ["job-0", "three"]


def test_a_file_that_is_gone_keeps_its_jobs_until_the_crontab_says_so() -> None:
    before = together(a_part(*MANY), a_part("two"))
    with pytest.raises(PartlyGoodError) as caught:
        together(a_part("two"), before=before, first=2)
    [said] = map(str, caught.value.problems)
    assert said.startswith("1: it is gone, and with it 6 of its 6 jobs; put them back, or")
    assert names(caught.value.crontab) == [*MANY, "two"]
    mark = said.partition("allow_removals: ")[2].partition("'")[0]
    root = f"{ROOT}allow_removals: {mark}\n"
    assert names(together(a_part("two"), root=root, before=before, first=2)) == ["two"]


def test_what_moves_to_other_files_is_no_removal() -> None:
    before = together(a_part(*MANY), a_part("two"))
    assert len(together(a_part("two", *MANY), before=before, first=2).jobs) == 7


def test_few_jobs_may_go_with_their_file() -> None:
    before = together(a_part("one"), a_part("two"))
    assert names(together(a_part("two"), before=before, first=2)) == ["two"]


def test_a_name_that_becomes_free_only_if_a_file_may_lose_it_is_not_free() -> None:
    before = together(a_part(*MANY), a_part("two"))
    said, found = partly("jobs: []\n", a_part("two", "job-3"), before=before)
    assert [each.partition(":")[0] for each in said] == ["1", "2"]
    assert names(found) == [*MANY, "two"]


def test_only_a_file_that_has_changed_is_read_again() -> None:
    before = together(a_part("one"), a_part("two"))
    found = together(a_part("one"), a_part("two", "three"), before=before)
    assert [job is old for job, old in zip(found.jobs, before.jobs, strict=False)] == [True, True]


def test_all_files_are_read_again_under_other_defaults() -> None:
    before = together(a_part("one"))
    root = ROOT.replace("cluster: a", "cluster: b")
    assert together(a_part("one"), root=root, before=before).jobs[0].cluster == "b"


def test_a_text_that_is_in_no_file_can_include_none() -> None:
    with pytest.raises(CrontabError, match="'include' names files beside a crontab"):
        parse_together(ROOT, [])


@pytest.mark.parametrize("said", ["5", "[]", "[5]", "{a: b}", "''"])
def test_what_is_no_name_of_a_file_cannot_be_included(said: str) -> None:
    root = ROOT.replace("teams/*.yaml", said)
    with pytest.raises(CrontabError, match="'include' must be the name of a file, or a list"):
        parse_together(root, [File("1", a_part("one"))])


def test_what_is_in_force_already_is_kept_once_in_the_crontab_and_its_files() -> None:
    crontab = together(a_part("one"), a_part("two", "three"))
    in_force = [job.derive(by="node1") for job in crontab.jobs]
    crontab.share(in_force, {"two"})
    assert [job.by for job in crontab.jobs] == ["node1", None, "node1"]
    assert [job.by for part in crontab.parts.values() for job in part.jobs] == [
        "node1",
        None,
        "node1",
    ]
