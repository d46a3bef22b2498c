from datetime import UTC, datetime, timedelta

import pytest

from chaos.workload import CROWDED_SLOTS, ChaosJob, crontab_text, crowded_jobs_of, jobs_of
from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.enumerations import Delivery, Overlap
from cronstream.topology.publish import partition_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOBS = jobs_of("chaos-a", herd=3)
CROWDED = crowded_jobs_of("chaos-b", partitions=12)


def test_the_crontab_has_every_job_as_it_was_meant() -> None:
    crontab = parse_crontab(crontab_text([*JOBS, *jobs_of("chaos-b", 0)], '. "/n"'))
    by_name = {job.name: job for job in crontab.jobs}
    assert {cluster.name for cluster in crontab.clusters} == {"chaos-a", "chaos-b"}
    for job in JOBS:
        assert by_name[job.name].delivery is job.delivery
        assert by_name[job.name].max_attempts == job.max_attempts
        assert by_name[job.name].overlap is job.overlap
        assert by_name[job.name].fence is job.fence
        command = by_name[job.name].command
        assert isinstance(command, str)
        assert command.startswith('. "/n"; note start; ')


@pytest.mark.parametrize("job", [*JOBS, *CROWDED], ids=lambda job: job.name)
def test_due_times_are_those_of_the_schedule(job: ChaosJob) -> None:
    crontab = parse_crontab(crontab_text([job], ":"))
    schedule = compile_schedule(crontab.jobs[0].schedule, "UTC")
    end = NOON + timedelta(minutes=2)
    expected = list(schedule.between(NOON, end))
    assert list(job.due_times(NOON, end)) == expected
    assert expected


def test_a_due_time_counts_after_the_beginning_and_up_to_the_end() -> None:
    job = ChaosJob("j", "a", every_s=5)
    found = list(job.due_times(NOON, NOON + timedelta(seconds=10)))
    assert found == [NOON + timedelta(seconds=5), NOON + timedelta(seconds=10)]


def test_there_are_jobs_of_every_overlap_policy_and_fenced_ones() -> None:
    assert {job.overlap for job in JOBS} == set(Overlap)
    assert any(job.fence for job in JOBS)


def test_lateness_is_told_only_of_jobs_whose_time_nothing_else_decides() -> None:
    late = {job.name for job in JOBS if not job.is_punctual}
    assert {"chaos-a-skip", "chaos-a-queue", "chaos-a-replace", "chaos-a-stray-0"} < late
    assert "chaos-a-short-0" not in late


def test_what_must_not_be_doubled_has_one_attempt() -> None:
    once = [job for job in JOBS if job.delivery is Delivery.AT_MOST_ONCE]
    assert once
    assert {job.max_attempts for job in once} == {1}


def test_a_crowded_partition_has_more_to_do_at_once_than_slots_and_not_in_the_long_run() -> None:
    assert {partition_of(job.name, 12) for job in CROWDED} == {0}
    assert not any(job.is_punctual for job in CROWDED)
    busy = sum(job.lasts_s / job.every_s for job in CROWDED)
    assert busy < CROWDED_SLOTS
    at_once = [
        sum((second - job.phase_s) % job.every_s < job.lasts_s for job in CROWDED)
        for second in range(30)
    ]
    assert sum(number > CROWDED_SLOTS for number in at_once) >= 6
