"""Advice on many jobs of a cluster that are due in the same second."""

import pytest

from cronstream.core.crontab.advice import Advice, advise
from cronstream.core.crontab.parser import parse_crontab

HEAD = "version: 1\nclusters: [a, b]\ndefaults: {cluster: a, timeout: 1h}\njobs:\n"


def jobs(number: int, schedule: str = "0 3 * * *", first: int = 0, more: str = "") -> str:
    return "".join(
        f'  - {{name: job-{n}, schedule: "{schedule}", command: "true"{more}}}\n'
        for n in range(first, first + number)
    )


def herd_of(text: str, slots: int | None = None) -> list[Advice]:
    return [one for one in advise(parse_crontab(HEAD + text), slots) if one.kind == "herd"]


def test_a_herd_is_told_with_the_spread_that_h_gives_job_by_job() -> None:
    [herd] = herd_of(jobs(30), 64)
    assert herd.sentence == (
        "30 jobs (job-0, job-1, job-2 and 27 more) of cluster 'a' are due in the same second, as "
        "at 2026-06-01T03:00:00Z, and there are 64 slots of a worker; where the time need not be "
        "exact, write 'H' in the schedule: then no more than 2 of them would be due together"
    )
    assert herd.place is not None
    assert herd.place.line == 5
    assert len(herd.jobs) == len(herd.spreads) == 30
    first = herd.spreads[0]
    assert (first.job, first.schedule, first.instead) == ("job-0", "0 3 * * *", "H 3 * * *")
    assert first.becomes == "5 3 * * *"


def test_what_is_said_of_slots_is_what_is_known_of_them() -> None:
    [unknown], [few] = herd_of(jobs(30)), herd_of(jobs(3), 2)
    assert "same second, as at 2026-06-01T03:00:00Z; where" in unknown.sentence
    assert "more than the 2 slots of a worker; where" in few.sentence
    assert "then none of them would be due together" in few.sentence


def test_each_cluster_has_its_own_herd_and_few_jobs_are_none() -> None:
    assert herd_of(jobs(19)) == []
    assert herd_of(jobs(19) + jobs(2, first=50, more=", enabled: false")) == []
    assert herd_of(jobs(19) + jobs(19, first=50, more=", cluster: b")) == []
    found = herd_of(jobs(20) + jobs(20, "@hourly", first=50, more=", cluster: b"))
    assert [one.jobs[0] for one in found] == ["job-0", "job-50"]


@pytest.mark.parametrize(
    "schedules",
    [
        ("0 0 * * sun", "@weekly"),
        ("0 0 1 * *", "@monthly"),
        ("0 3 * * *", "0 5 * * *; timezone: Europe/Berlin"),
        ("0 3 * * *", "*/10 * * * *"),
        ("0 3 * * *", "@every 15m"),
        ("0 3 * * *", "0 0 3 * * *"),
    ],
)
def test_jobs_meet_whatever_they_say_it_by(schedules: tuple[str, str]) -> None:
    one, other = schedules
    schedule, _, rest = other.partition("; ")
    more = f", {rest}" if rest else ""
    [herd] = herd_of(jobs(10, one) + jobs(10, schedule, first=50, more=more))
    assert len(herd.jobs) == 20


@pytest.mark.parametrize("schedule", ["* * * * * *", "@every 10s", "@at 2020-01-01T00:00"])
def test_what_is_due_all_the_time_or_never_is_no_herd(schedule: str) -> None:
    assert herd_of(jobs(40, schedule)) == []


def test_jobs_that_are_spread_are_no_herd() -> None:
    assert herd_of(jobs(300, "H H * * *")) == []
    assert herd_of(jobs(40, "0 3 * * *", more=", jitter: 10m")) == []


def test_many_that_are_spread_over_minutes_can_be_spread_over_seconds() -> None:
    [herd] = herd_of(jobs(2000, "H 3 * * *"))
    assert len(herd.jobs) > 30
    assert {one.instead for one in herd.spreads} == {"H H 3 * * *"}


def test_what_cannot_be_spread_needs_no_advice() -> None:
    assert herd_of(jobs(40, "@every 7m")) == []


def test_several_schedules_are_spread_one_by_one_and_exclusions_stay() -> None:
    more = ", schedule: ['0 3 * * *', '0 9 * * *'], exclude: 2026-12-24"
    text = "".join(f"  - {{name: job-{n}, command: x{more}}}\n" for n in range(20))
    [herd] = herd_of(text)
    assert herd.spreads[0].schedule == "0 3 * * * | 0 9 * * *"
    assert herd.spreads[0].instead == "H 3 * * * | H 9 * * *"
