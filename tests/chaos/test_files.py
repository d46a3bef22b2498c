from pathlib import Path

from chaos.files import CrontabFiles
from chaos.workload import ChaosJob, jobs_of
from cronstream.core.crontab.parser import parse_crontab

JOBS = jobs_of("chaos-a", herd=2)


def names(path: Path) -> set[str]:
    return {job.name for job in parse_crontab(path.read_text()).jobs}


def stray(jobs: list[ChaosJob]) -> set[str]:
    return {job.name for job in jobs if job.is_stray}


def test_the_files_of_two_schedulers_differ_in_the_stray_jobs(tmp_path: Path) -> None:
    files = CrontabFiles(tmp_path, JOBS, ":")
    first, second = files.of("scheduler-1"), files.of("scheduler-2")
    assert names(second) - names(first) == stray(JOBS) != set()
    assert names(first) == names(files.common) == {job.name for job in JOBS} - stray(JOBS)


def test_an_edit_puts_the_stray_jobs_in_or_takes_them_out_of_one_file(tmp_path: Path) -> None:
    files = CrontabFiles(tmp_path, JOBS, ":")
    first, second = files.of("scheduler-1"), files.of("scheduler-2")
    assert files.edit("scheduler-1") == "stray jobs added"
    assert names(first) == names(second)
    assert files.edit("scheduler-1") == "stray jobs removed"
    assert names(first) < names(second)


def test_a_scheduler_that_comes_back_finds_its_file_as_it_was(tmp_path: Path) -> None:
    files = CrontabFiles(tmp_path, JOBS, ":")
    files.of("scheduler-1")
    files.edit("scheduler-1")
    assert stray(JOBS) < names(files.of("scheduler-1"))
