"""A crontab that has not changed since it was in force, at a scheduler's next start."""

from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest

from cronstream.core.crontab.crontab import Crontab, Recalled
from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.wire.codec import to_json
from cronstream.core.wire.runs import Job
from cronstream.crontab_file import Content, crontab_of, look, parse
from cronstream.scheduler import recalling
from cronstream.scheduler.recalling import LEAST, Recollection
from cronstream.settings import Settings
from tests.builders import NOON
from tests.scheduler.fakes import FakeMemory

_JOB = "  - name: job-{0}\n    schedule: '@every {0}s'\n    command: echo {0}\n"
_HEAD = "version: 1\nclusters: [a]\ndefaults: {cluster: a}\njobs:\n"
TEXT = _HEAD + "".join(_JOB.format(number) for number in range(1, LEAST + 1))


def of_jobs(jobs: Iterable[Job]) -> bytes:
    """Return a message with jobs."""
    return orjson.dumps([to_json(job) for job in jobs])


def in_force(crontab: Crontab, *, later: int = 0) -> JobsKnown:
    """Return what `jobs` says once a crontab is in force, after so many other messages."""
    known = JobsKnown([0])
    jobs = [job.derive(effective_from=NOON) for job in crontab.jobs]
    known.of[0].fold(later, of_jobs(jobs))
    return known


class Scheduler:
    """A scheduler that is started with what the last one has noted, and a file."""

    def __init__(self, memory: FakeMemory) -> None:
        self.recollection = Recollection(Settings(), memory)

    def recall(self, crontab: Crontab, known: JobsKnown) -> Recalled | None:
        self.recollection.begin(known)
        return self.recollection.recall(crontab.digest)


@pytest.fixture
def crontab() -> Crontab:
    return crontab_of(TEXT.encode(), "crontab.yaml")


@pytest.fixture
async def memory(crontab: Crontab) -> FakeMemory:
    """What a scheduler has noted with the crontab in force."""
    memory = FakeMemory()
    await Scheduler(memory).recollection.note(crontab, in_force(crontab))
    assert memory.mark
    return memory


async def test_an_unchanged_file_has_the_jobs_that_are_in_force(
    tmp_path: Path, crontab: Crontab, memory: FakeMemory
) -> None:
    file, known = tmp_path / "crontab.yaml", in_force(crontab)
    file.write_text(TEXT)
    scheduler = Scheduler(memory)
    scheduler.recollection.begin(known)
    found = parse("crontab.yaml", look(file), recall=scheduler.recollection.recall)
    there = {id(job) for job in known.jobs}
    assert all(id(job) in there for job in found.jobs)
    assert [job.name for job in found.jobs] == [job.name for job in crontab.jobs]
    assert list(found.lines()) == list(crontab.lines())
    assert found.clusters == crontab.clusters
    assert found.read == crontab.read


async def test_another_file_is_read(crontab: Crontab, memory: FakeMemory) -> None:
    edited = crontab_of(TEXT.replace("echo 7\n", "echo 8\n").encode(), "crontab.yaml")
    assert Scheduler(memory).recall(edited, in_force(crontab)) is None


async def test_the_file_is_read_if_others_are_in_force(
    crontab: Crontab, memory: FakeMemory
) -> None:
    assert Scheduler(memory).recall(crontab, in_force(crontab, later=1)) is None
    known = in_force(crontab)
    known.of[0].fold(1, of_jobs([crontab.jobs[3].derive(effective_from=NOON)]))
    assert Scheduler(memory).recall(crontab, known) is None


async def test_the_file_is_read_if_a_job_was_taken_out(
    crontab: Crontab, memory: FakeMemory
) -> None:
    known = in_force(crontab)
    gone = crontab.jobs[3].derive(effective_from=NOON, removed=True)
    known.of[0].fold(1, of_jobs([gone]))
    assert Scheduler(memory).recall(crontab, known) is None


@pytest.mark.parametrize("what", ["_reader", "tzdata_version"])
async def test_the_file_is_read_by_another_version(
    crontab: Crontab, memory: FakeMemory, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(recalling, what, lambda: "another")
    assert Scheduler(memory).recall(crontab, in_force(crontab)) is None


async def test_a_file_is_recalled_only_once(crontab: Crontab, memory: FakeMemory) -> None:
    scheduler, known = Scheduler(memory), in_force(crontab)
    assert scheduler.recall(crontab, known) is not None
    assert scheduler.recollection.recall(crontab.digest) is None


async def test_a_file_that_was_read_as_a_whole_is_not_noted() -> None:
    text = TEXT.replace("{cluster: a}", "{cluster: a, then: []}", 1)
    memory, crontab = FakeMemory(), crontab_of(text.encode(), "crontab.yaml")
    assert crontab.read is None
    await Scheduler(memory).recollection.note(crontab, in_force(crontab))
    assert not memory.mark


async def test_a_small_file_is_not_noted() -> None:
    memory, crontab = FakeMemory(), Crontab((), ())
    await Scheduler(memory).recollection.note(crontab, in_force(crontab))
    assert not memory.mark


def test_a_job_that_is_known_by_name_may_stand_beside_others() -> None:
    text = f"{_HEAD}{_JOB.format(1)}  - schedule: '@daily'\n    name: job-2\n    command: x\n"
    whole = crontab_of(text.encode(), "crontab.yaml")
    one: Job = whole.jobs[0].derive(effective_from=NOON)

    def known(_: str) -> Recalled:
        return Recalled({"job-1": one, "job-2": one})

    found = parse("crontab.yaml", Content(text.encode()), recall=known)
    assert found.jobs[0] is one
    assert (found.jobs[1], found.places) == (whole.jobs[1], whole.places)
