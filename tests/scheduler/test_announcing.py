"""The level is on every log, and on ``jobs``, before anything of that level is."""

import pytest

from cronstream.core import naming
from cronstream.core.codec import encode
from cronstream.core.records import Level, Run
from cronstream.errors import BrokerError
from cronstream.scheduler import announcing
from cronstream.scheduler.announcing import REPEAT_S, Announcer
from cronstream.settings import Settings
from tests.scheduler.fakes import Bench, FakeBroker, FakeClock, FakeStream, a_job

LOGS = [naming.log("cluster-a"), naming.retry_log("cluster-a")]


def an_announcer(level: int) -> tuple[Announcer, FakeBroker, FakeClock]:
    clock = FakeClock()
    broker = FakeBroker(clock)
    settings = Settings(partitions=2, shards=3)
    return Announcer(settings, broker, clock, level), broker, clock


async def test_each_partition_of_each_log_is_told_and_jobs_before_them() -> None:
    announcer, broker, _ = an_announcer(2)
    await announcer.announce(["cluster-a"])

    assert [topic for topic, _ in broker.records] == [naming.JOBS] * 3 + [
        log for log in LOGS for _ in range(2)
    ]
    assert {record.level for _, record in broker.records if isinstance(record, Level)} == {2}


async def test_it_is_said_once_a_day_and_to_each_new_cluster() -> None:
    announcer, broker, clock = an_announcer(2)
    await announcer.announce(["cluster-a"])
    said = len(broker.records)
    await announcer.announce(["cluster-a"])
    assert len(broker.records) == said
    await announcer.announce(["cluster-a", "cluster-b"])
    assert len(broker.records) == said + 4
    clock.passed += REPEAT_S
    await announcer.announce(["cluster-a"])

    assert len(broker.records) == said + 8
    assert len(broker.all_on(naming.JOBS)) == 3


async def test_jobs_is_not_told_what_it_says_already() -> None:
    announcer, broker, _ = an_announcer(2)
    announcer.found = 2
    await announcer.announce(["cluster-a"])

    assert broker.all_on(naming.JOBS) == []


async def test_nobody_has_to_be_told_of_level_1() -> None:
    announcer, broker, _ = an_announcer(1)
    await announcer.announce(["cluster-a"])

    assert broker.records == []


async def test_a_broker_that_does_not_take_it_keeps_all_else_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcing, "LIMIT_S", 0.01)
    announcer, broker, _ = an_announcer(2)
    broker.held = True
    with pytest.raises(BrokerError, match="level 2 is not announced yet"):
        await announcer.announce(["cluster-a"])
    broker.release()
    await announcer.announce(["cluster-a"])

    assert len(broker.all_on(LOGS[1])) == 2


async def test_a_scheduler_announces_before_it_publishes() -> None:
    bench = Bench()
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.scheduler.announcer._level = 2
    bench.define(a_job(cluster="cluster-a"))
    await bench.tick()
    kinds = [type(record) for record in bench.broker.all_on(LOGS[0])]

    assert kinds[:12] == [Level] * 12
    assert Run in kinds[12:]


async def test_a_scheduler_that_is_too_old_fires_nothing_more_and_ends() -> None:
    bench, reasons = Bench(), list[str]()
    bench.scheduler.on_fatal = reasons.append
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.define(a_job(cluster="cluster-a"))
    level = bench.broker.put(naming.JOBS, 0, encode(Level(level=99, version="9.9")))
    await bench.tick()
    await bench.tick()

    [reason] = reasons
    assert "raised to level 99 by cronstream 9.9" in reason
    assert bench.broker.all_on(LOGS[0]) == []
    await bench.scheduler.note_jobs(FakeStream(bench.broker.topics[naming.JOBS, 0][level.offset]))
    assert len(reasons) == 2
