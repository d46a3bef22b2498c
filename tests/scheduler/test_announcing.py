"""The level is on every log, and on ``jobs``, before anything of that level is."""

import asyncio
import logging

import pytest
from aiokafka.errors import KafkaError

from cronstream.core.planning.cursor import Place
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Level
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError
from cronstream.scheduler.announcing import REPEAT_S, Announcer
from cronstream.settings import Settings
from cronstream.topology.publish import Ack
from tests.builders import NAMES
from tests.scheduler.fakes import Bench, FakeBroker, FakeClock, a_job, turns

BOTH = [Place("cluster-a", 0), Place("cluster-a", 1)]
LOGS = [NAMES.log("cluster-a"), NAMES.retry_log("cluster-a")]


def an_announcer(level: int) -> tuple[Announcer, FakeBroker, FakeClock]:
    clock = FakeClock()
    broker = FakeBroker(clock)
    settings = Settings(partitions=2, shards=3)
    return Announcer(settings, broker, clock, level), broker, clock


async def test_each_partition_of_each_log_is_told_and_jobs_before_them() -> None:
    announcer, broker, _ = an_announcer(2)
    await announcer.announce(BOTH)

    assert [topic for topic, _ in broker.records] == [NAMES.jobs] * 3 + LOGS * 2
    assert {record.level for _, record in broker.records if isinstance(record, Level)} == {2}


async def test_it_is_said_once_a_day_and_to_each_new_cluster(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    announcer, broker, clock = an_announcer(2)
    await announcer.announce(BOTH)
    said = len(broker.records)
    await announcer.announce(BOTH)
    assert len(broker.records) == said
    assert caplog.messages == ["this installation is of level 2 from now on"]
    await announcer.announce([*BOTH, Place("cluster-b", 1)])
    assert len(broker.records) == said + 4
    clock.passed += REPEAT_S
    await announcer.announce(BOTH)

    assert len(broker.records) == said + 8
    assert len(broker.all_on(NAMES.jobs)) == 3


async def test_jobs_is_not_told_what_it_says_already() -> None:
    announcer, broker, _ = an_announcer(2)
    announcer.found = 2
    await announcer.announce(BOTH)

    assert broker.all_on(NAMES.jobs) == []


async def test_nobody_has_to_be_told_of_level_1() -> None:
    announcer, broker, _ = an_announcer(1)
    await announcer.announce(BOTH)

    assert broker.records == []


async def test_a_broker_that_does_not_take_it_on_jobs_keeps_all_else_back() -> None:
    announcer, broker, _ = an_announcer(2)
    broker.held = True
    with pytest.raises(BrokerError, match=r"level 2 is not announced yet: .* on cronstream\.jobs"):
        await announcer.announce(BOTH, 0.0)
    broker.release()
    await announcer.announce(BOTH)

    assert len(broker.all_on(LOGS[1])) == 2


async def test_what_is_out_is_waited_for_and_not_put_there_again() -> None:
    announcer, broker, _ = an_announcer(2)
    for _ in range(3):
        broker.held = True
        with pytest.raises(BrokerError, match="not announced yet"):
            await announcer.announce(BOTH, 0.0)
    assert len(broker.records) == 3
    broker.release()
    broker.held = True
    for _ in range(3):
        assert await announcer.announce(BOTH, 0.0) == set(BOTH)
    broker.release()
    assert await announcer.announce(BOTH, 0.0) == set()

    assert len(broker.records) == 3 + 4


@pytest.mark.parametrize("error", [None, KafkaError("refused")])
async def test_only_what_failed_is_put_there_anew(error: Exception | None) -> None:
    announcer, broker, _ = an_announcer(2)
    announcer.found = 2
    append = broker.append

    def hold_retries(topic: str, partition: int, record: Message) -> "asyncio.Future[Ack]":
        broker.held = topic == LOGS[1]
        return append(topic, partition, record)

    broker.append = hold_retries  # type: ignore[method-assign]  # a fault in the middle
    for _ in range(2):
        assert await announcer.announce(BOTH, 0.0) == set(BOTH)
    broker.give_up(error)
    broker.append = append  # type: ignore[method-assign]
    broker.held = False
    await announcer.announce(BOTH)

    assert (len(broker.all_on(LOGS[0])), len(broker.all_on(LOGS[1]))) == (2, 4)


async def test_only_partitions_that_were_never_told_are_kept_back() -> None:
    announcer, broker, clock = an_announcer(2)
    announcer.found = 2
    assert await announcer.announce(BOTH[:1]) == set()
    clock.passed += REPEAT_S
    broker.silent = {LOGS[0]: True}
    assert await announcer.announce(BOTH, 0.0) == set()
    announcer.forget(BOTH[1])
    assert await announcer.announce(BOTH, 0.0) == {BOTH[1]}
    broker.speak(LOGS[0])

    assert await announcer.announce(BOTH) == set()


async def test_jobs_and_logs_have_one_limit_together() -> None:
    announcer, broker, clock = an_announcer(2)
    broker.held = True
    announcing = asyncio.create_task(announcer.announce(BOTH, 1000.0))
    await turns()
    clock.passed += 999.99
    broker.release()
    broker.held = True
    async with asyncio.timeout(10):
        assert await announcing == set(BOTH)


async def test_what_was_acknowledged_a_day_ago_is_said_again_though_it_was_late() -> None:
    announcer, broker, clock = an_announcer(2)
    announcer.found, broker.held = 2, True
    assert await announcer.announce(BOTH, 0.0) == set(BOTH)
    broker.release()
    clock.passed += REPEAT_S
    await announcer.announce(BOTH)

    assert len(broker.records) == 8


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
    await bench.tick()
    cursor, published = bench.cursors["0"], bench.broker.all_on(LOGS[0])
    bench.broker.put(NAMES.jobs, 0, encode(Level(level=99, version="9.9")))
    bench.define(a_job("of-later", cluster="cluster-a"))
    for _ in range(20):
        await bench.tick()

    [reason] = reasons
    assert "raised to level 99 by cronstream 9.9" in reason
    assert bench.broker.all_on(LOGS[0]) == published
    assert bench.cursors["0"] == cursor, "a newer scheduler would not publish what this one left"
