"""The table of jobs that people look at, as the ``jobs`` topic says."""

from cronstream.core import naming
from cronstream.core.codec import encode
from cronstream.core.records import Job
from cronstream.topology.reading import LogMessage
from tests.builders import NOON
from tests.scheduler.fakes import Bench, FakeStream, a_job


def message(offset: int, value: bytes | None) -> LogMessage:
    return LogMessage(naming.JOBS, 0, offset, NOON, None, value)


def of(offset: int, *jobs: Job) -> LogMessage:
    values = [encode(job) for job in jobs]
    return message(offset, values[0] if len(values) == 1 else b"[" + b",".join(values) + b"]")


async def test_a_job_is_a_readable_row_without_its_environment() -> None:
    bench = Bench()
    await bench.scheduler.note_jobs(FakeStream(of(3, a_job(env={"TOKEN": "secret"}))))
    row = bench.jobs["backup"]
    assert (row["cluster"], row["schedule"], row["revision"]) == ("a", "@every 10s", 3)
    assert row["effective_from"] == "2026-01-01T12:00:00Z"
    assert "secret" not in str(row)


async def test_a_removed_job_leaves_the_table() -> None:
    bench = Bench()
    await bench.scheduler.note_jobs(FakeStream(of(0, a_job()), of(1, a_job(removed=True))))
    assert bench.jobs == {}


async def test_a_message_that_is_read_again_does_not_bring_back_an_older_definition() -> None:
    bench = Bench()
    await bench.scheduler.note_jobs(FakeStream(of(5, a_job(command="new"))))
    await bench.scheduler.note_jobs(FakeStream(of(4, a_job(command="old"))))
    await bench.scheduler.note_jobs(FakeStream(of(3, a_job(removed=True))))
    assert bench.jobs["backup"]["command"] == "new"


async def test_several_jobs_in_one_message_are_each_noted() -> None:
    bench = Bench()
    await bench.scheduler.note_jobs(FakeStream(of(0, a_job("one"), a_job("two"))))
    assert set(bench.jobs) == {"one", "two"}


async def test_bad_messages_go_to_quarantine_and_good_ones_go_on() -> None:
    bench = Bench()
    bad = [None, b"{", encode(a_job(effective_from=None)), encode(a_job(max_attempts=0))]
    messages = [message(n, value) for n, value in enumerate(bad)]
    await bench.scheduler.note_jobs(FakeStream(*messages, of(9, a_job())))
    assert [offset for _, _, offset, _ in bench.quarantine.refused] == [0, 1, 2, 3]
    assert set(bench.jobs) == {"backup"}
