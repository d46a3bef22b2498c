"""Nobody asks whether something has come on ``jobs`` where a tick of each shard just has."""

import pytest

from cronstream.scheduler.news import JobsNews
from tests.builders import NAMES
from tests.scheduler.fakes import Bench, a_job


class Asked:
    """News of a scheduler's `jobs`, all of which was read, and how often it was asked since."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.news = JobsNews(bench.scheduler.jobs, bench.clock)
        self._reader = bench.readers[0]
        self._before = 0

    async def begin(self) -> None:
        await self.bench.scheduler.jobs.read_on()
        self._before = self._reader.looks

    @property
    def times(self) -> int:
        return self._reader.looks - self._before


@pytest.fixture
async def asked() -> Asked:
    bench = Bench(shards=2)
    bench.define(a_job("one"), a_job("two"))
    asked = Asked(bench)
    await asked.begin()
    return asked


def ends_of(asked: Asked) -> dict[int, int]:
    return {p: recent.position for p, recent in asked.bench.scheduler.jobs.known.of.items()}


async def test_what_the_ticks_have_just_found_is_not_asked_again(asked: Asked) -> None:
    for partition, end in ends_of(asked).items():
        asked.news.note(partition, end)
    known = await asked.news.read_on()
    assert (known, asked.times) == (asked.bench.scheduler.jobs.known, 0)


async def test_it_is_asked_again_once_ticks_have_not_come_for_a_while(asked: Asked) -> None:
    for partition, end in ends_of(asked).items():
        asked.news.note(partition, end)
    asked.bench.clock.passed += 2
    await asked.news.read_on()
    assert asked.times == 1


async def test_it_is_asked_where_another_has_the_ticks_of_a_shard(asked: Asked) -> None:
    asked.news.note(0, ends_of(asked)[0])
    await asked.news.read_on()
    assert asked.times == 1


async def test_it_is_asked_once_all_is_to_be_read_again(asked: Asked) -> None:
    for partition, end in ends_of(asked).items():
        asked.news.note(partition, end)
    asked.news.forget()
    await asked.news.read_on()
    assert asked.times == 1


async def test_a_tick_that_finds_something_new_says_so_and_it_is_read(asked: Asked) -> None:
    told: list[None] = []
    asked.news.on_come = lambda: told.append(None)
    before, topics = ends_of(asked), asked.bench.broker.topics
    asked.bench.define(a_job("one", "0 5 * * *"))
    for partition in before:
        asked.news.note(partition, len(topics[NAMES.jobs, partition]))
    await asked.news.read_on()
    assert (len(told), asked.times) == (1, 1)
    assert ends_of(asked) != before
