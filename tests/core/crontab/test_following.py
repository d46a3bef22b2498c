"""Which jobs follow which: what a crontab may say of it, and what each mistake is told as."""

import pytest

from cronstream.core.crontab.change import differences
from cronstream.core.crontab.following import shown
from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.crontab.parts import File, parse_together
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.schedule.sentence import sentence
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError
from tests.builders import NOON
from tests.core.crontab.test_parser import problems

HEAD = "version: 1\nclusters: [a, b]\ndefaults: {cluster: a}\njobs:\n"


def a_file(*jobs: str, defaults: str = "{cluster: a}") -> str:
    head = HEAD.replace("{cluster: a}", defaults)
    return head + "".join(f"  - {{{job}, command: x}}\n" for job in jobs)


def read(*jobs: str, defaults: str = "{cluster: a}") -> dict[str, Job]:
    return {job.name: job for job in parse_crontab(a_file(*jobs, defaults=defaults)).jobs}


def follow(job: Job) -> list[str]:
    return list(shown(job.then))


ONE = 'name: one, schedule: "@daily"'


def test_a_job_may_be_followed_by_one_of_another_cluster() -> None:
    found = read(f"{ONE}, then: two", "name: two, cluster: b, then: three", "name: three")

    [two] = found["one"].then or []
    assert (two.job.cluster, [one.job.cluster for one in two.job.then or []]) == ("b", ["a"])


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("two", ["succeeded two"]),
        ("[two, three]", ["succeeded two", "succeeded three"]),
        ("{discarded: two}", ["discarded two"]),
        (
            "{settled: three, succeeded: [two]}",
            ["settled three", "succeeded two"],
        ),
        ("", []),
    ],
)
def test_a_job_is_followed_after_a_success_or_by_verdict(then: str, expected: list[str]) -> None:
    found = read(
        f"{ONE}, then: {then}",
        'name: two, schedule: "@daily"',
        'name: three, schedule: "@daily", then: ',
    )
    assert follow(found["one"]) == expected if expected else not found["one"].then


def test_what_follows_is_carried_whole_down_to_the_last() -> None:
    found = read(f"{ONE}, then: two", "name: two, then: {settled: three}", "name: three, user: me")
    [two] = found["one"].then or []
    [three] = two.job.then or []
    assert follow(found["one"]) == ["succeeded two (settled three)"]
    assert three.job.confinement == found["three"].confinement
    assert three.job.cluster == "a"


def test_a_job_that_follows_another_needs_no_schedule_and_is_never_due_by_itself() -> None:
    found = read(f"{ONE}, then: two", "name: two")
    two = found["two"]
    assert two.schedule == "@never"
    assert compile_schedule(two.schedule, "Europe/Berlin").next_after(NOON) is None
    assert sentence(two.schedule, "UTC").startswith("Never by itself")


def test_rules_of_the_defaults_and_an_expectation_are_nothing_to_a_job_without_a_schedule() -> None:
    defaults = "{cluster: a, exclude: 2026-12-24, jitter: 5m, end: 2027-01-01, expect_within: 72h}"
    found = read(f"{ONE}, then: two", "name: two", defaults=defaults)
    assert found["two"].schedule == "@never"
    assert found["two"].expect_within_s == 259_200


def test_an_edit_of_when_a_job_is_due_is_none_of_what_it_follows() -> None:
    one = read(f"{ONE}, then: two", 'name: two, schedule: "@daily"')["one"]
    other = read(f"{ONE}, then: two", 'name: two, schedule: "@hourly", description: d')["one"]
    assert one == other
    edited = read(f"{ONE}, then: two", "name: two, timeout: 5s")["one"]
    assert [difference.key for difference in differences(one, edited)] == ["then"]


def test_what_follows_all_jobs_by_default_follows_not_itself() -> None:
    found = read(ONE, "name: alert", defaults="{cluster: a, then: {discarded: alert}}")
    assert follow(found["one"]) == ["discarded alert"]
    assert not found["alert"].then


@pytest.mark.parametrize(
    ("jobs", "problem"),
    [
        (
            [f"{ONE}, then: tow", 'name: two, schedule: "@daily"'],
            "line 5, column 43: job 'one': then names 'tow', which is no job of this file; did",
        ),
        ([f"{ONE}, then: zzz"], "then names 'zzz', which is no job of this file; add it, or"),
        (
            [f"{ONE}, then: two", "name: two, then: one"],
            "then goes round in a circle, one → two → one; take one out",
        ),
        ([f"{ONE}, then: one"], "then goes round in a circle, one → one; take one out"),
        ([f"{ONE}, then: {{failed: one}}"], "then knows no 'failed'; there are succeeded, disc"),
        ([f"{ONE}, then: 7"], "then 7 does not say which job follows; write a job's name"),
        (
            [f"{ONE}, then: {{succeeded: two, settled: two}}", "name: two"],
            "names 'two' twice; a job follows once, after 'settled' if always",
        ),
        (["name: one"], "job 'one': 'schedule' is missing"),
    ],
)
def test_each_mistake_is_one_problem_with_its_line(jobs: list[str], problem: str) -> None:
    [found] = problems(a_file(*jobs))
    assert problem in found, found


def test_a_misspelt_follower_without_a_schedule_is_one_problem() -> None:
    [found] = problems(a_file(f"{ONE}, then: tidy-upp", "name: tidy-up"))
    assert "then names 'tidy-upp', which is no job of this file; did you mean 'tidy-up'?" in found
    both = problems(a_file(f"{ONE}, then: tidy-upp", "name: tidy-up", "name: other"))
    assert sum("'schedule' is missing" in each and "'other'" in each for each in both) == 1
    assert len(both) == 2


def test_a_tree_that_grows_beyond_all_bounds_is_told_once() -> None:
    layers = [
        f'name: j{n}{side}, schedule: "@daily", then: [j{n + 1}a, j{n + 1}b]'
        for n in range(9)
        for side in "ab"
    ]
    found = problems(a_file(*layers, "name: j9a", "name: j9b"))
    assert all("runs follow" in each and "at most 100 may" in each for each in found)
    chain = [f'name: j{n}, schedule: "@daily", then: j{n + 1}' for n in range(21)]
    [found_] = problems(a_file(*chain, "name: j21"))
    assert "then makes 21 runs follow, 21 of them one after another" in found_
    longer = [f'name: k{n}, schedule: "@daily", then: k{n + 1}' for n in range(40)]
    assert len(problems(a_file(*longer, "name: k40"))) == 1


def test_a_chain_that_is_longer_than_anybody_follows_is_one_problem() -> None:
    chain = [f'name: j{n}, schedule: "@daily", then: j{n + 1}' for n in range(3000)]
    [found] = problems(a_file(*chain, "name: j3000"))
    assert "job 'j0': then makes more than 100 runs follow, one after another" in found


def test_what_is_too_large_together_is_told() -> None:
    big = "env: {" + ", ".join(f"V{n}: {'x' * 100_000}" for n in range(5)) + "}"
    [found] = problems(a_file(f"{ONE}, {big}, then: two", f"name: two, {big}"))
    assert "then makes it take 1,0" in found


def test_jobs_of_an_included_file_follow_each_other_and_no_default_of_the_crontab() -> None:
    text = a_file("name: alert", defaults="{cluster: a, then: {discarded: alert}}")
    text = text.replace("jobs:", "include: team.yaml\njobs:")
    two = 'name: two, schedule: "@daily", command: x'
    team = f"jobs:\n  - {{{ONE}, command: x, then: two}}\n  - {{{two}}}\n"
    jobs = {job.name: job for job in parse_together(text, [File("team.yaml", team)]).jobs}
    assert follow(jobs["one"]) == ["succeeded two"]
    assert not jobs["two"].then


def test_a_name_that_is_no_text_is_a_mistake_and_no_crash() -> None:
    text = "version: 1\nclusters: [c]\njobs:\n  - {name: {a: 1}, cluster: c, command: x}\n"
    with pytest.raises(CrontabError, match="name"):
        parse_crontab(text)
