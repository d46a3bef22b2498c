"""What puts jobs on their topic, and what waits until many of them are there."""

import asyncio

import pytest

from cronstream.core.wire.runs import Job
from cronstream.errors import BrokerError
from cronstream.scheduler import putting
from cronstream.scheduler.putting import Putting
from tests.builders import NAMES
from tests.scheduler.fakes import Bench, a_job, turns, until


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(putting, "_MANY", 20)
    monkeypatch.setattr(putting, "_TOGETHER", 8)
    return Bench()


def some(number: int) -> list[Job]:
    return [a_job(f"job-{n}", effective_from=None) for n in range(number)]


async def begin_slowly(bench: Bench, number: int) -> tuple[Putting, asyncio.Task[None]]:
    """Put so many jobs there while the broker acknowledges nothing."""
    bench.broker.held = True
    made, under_way = begin(bench, some(number))
    await turns()
    return made, under_way


def begin(bench: Bench, jobs: list[Job]) -> tuple[Putting, asyncio.Task[None]]:
    made = Putting(bench.settings, bench.world)
    put = made.put_in_force(jobs, lambda _: ("crontab.yaml", 3), "me")
    return made, asyncio.create_task(put)


async def test_while_many_jobs_are_put_there_what_learns_them_waits(bench: Bench) -> None:
    made, under_way = await begin_slowly(bench, 20)
    assert made.goes_first()
    bench.broker.release()
    await under_way
    assert not made.goes_first()


async def test_nothing_waits_for_a_few_edits(bench: Bench) -> None:
    made, under_way = await begin_slowly(bench, 19)
    assert not made.goes_first()
    bench.broker.release()
    await under_way


async def test_a_broker_that_takes_them_slowly_holds_up_nothing_for_long(bench: Bench) -> None:
    made, under_way = await begin_slowly(bench, 20)
    bench.clock.passed = 5.0
    assert not made.goes_first()
    bench.broker.release()
    await under_way


async def test_nothing_waits_for_what_was_refused(bench: Bench) -> None:
    bench.broker.too_large = {"Job"}
    made, under_way = begin(bench, some(20))
    with pytest.raises(BrokerError):
        await under_way
    assert not made.goes_first()


async def test_the_next_jobs_are_written_out_while_the_broker_takes_those_before(
    bench: Bench,
) -> None:
    _, under_way = await begin_slowly(bench, 30)
    assert len(bench.broker.on(NAMES.jobs)) == 16, "and no more than those"
    while not under_way.done():
        bench.broker.release()
        await turns()
    await under_way
    assert [job.name for job in bench.broker.on(NAMES.jobs) if isinstance(job, Job)] == [
        f"job-{n}" for n in range(30)
    ]


async def test_all_of_them_are_there_once_the_last_is_acknowledged(bench: Bench) -> None:
    _, under_way = await begin_slowly(bench, 12)
    bench.broker.acknowledge(8)
    await turns()
    assert not under_way.done()
    bench.broker.acknowledge(4)
    await under_way


async def test_what_the_broker_refuses_is_raised_once_all_that_was_sent_is_through(
    bench: Bench,
) -> None:
    made, under_way = await begin_slowly(bench, 30)
    bench.broker.give_up(BrokerError("no"), count=8)
    await turns()
    assert not under_way.done()
    bench.broker.acknowledge(8)
    with pytest.raises(BrokerError, match="no"):
        await under_way
    assert len(bench.broker.on(NAMES.jobs)) == 16
    assert not made.goes_first()


async def test_what_cannot_be_sent_is_raised_once_what_was_sent_before_is_through(
    bench: Bench,
) -> None:
    bench.broker.held = True
    _, under_way = begin(bench, some(30))
    await turns(1)
    bench.broker.too_large = {"Job"}
    await turns()
    assert not under_way.done()
    bench.broker.acknowledge(8)
    with pytest.raises(BrokerError, match="larger than a message"):
        await under_way


async def test_jobs_say_from_when_they_hold_who_put_them_there_and_where_they_are_written(
    bench: Bench,
) -> None:
    bench.clock.passed = 7
    _, under_way = begin(bench, some(2))
    await under_way
    found = [job for job in bench.broker.on(NAMES.jobs) if isinstance(job, Job)]
    told = {(job.effective_from, job.by, job.file, job.line) for job in found}
    assert told == {(bench.clock.now(), "me", "crontab.yaml", 3)}
    await until(under_way.done)
