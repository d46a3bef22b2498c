"""Logs that take nothing, or are not there any more, hold up nobody else."""

import logging
from datetime import datetime

import pytest

from cronstream.core.schedule import schedule
from cronstream.core.wire.entries import Level, Skip, Withdrawal
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError, TooLargeError, ZoneError
from cronstream.scheduler import firing, lagging
from tests.builders import NAMES, at
from tests.scheduler.fakes import Bench, a_job

A, B = NAMES.log("a"), NAMES.log("b")


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(firing, "SET_ASIDE_AFTER_S", 0.0)
    bench = Bench()
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.define(a_job(), a_job("report", cluster="b"))
    return bench


def due(messages: list[Message]) -> list[datetime]:
    return [message.scheduled_at for message in messages if isinstance(message, Run)]


async def ticks(bench: Bench, count: int) -> None:
    for _ in range(count):
        await bench.tick()


async def test_a_log_that_takes_nothing_holds_up_no_other_and_gets_all_of_it_later(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await bench.tick()
    bench.broker.silent[A] = True
    await ticks(bench, 40)

    assert due(bench.broker.on(A)) == [at(s) for s in (0, 10, 20, 30)]
    assert due(bench.broker.on(B)) == [at(s) for s in range(0, 80, 10)]
    [sentence] = bench.scheduler.set_aside
    assert f"{A} takes nothing on partition 6 (it has no leader)" in sentence
    assert bench.broker.borne == {(A, 6), (NAMES.retry_log("a"), 6)}
    assert bench.cursors["0"]["behind"]["a/6"]["at"] == "2026-01-01T12:00:39Z"
    bench.broker.speak(A)
    await ticks(bench, 3)

    assert due(bench.broker.on(A)) == due(bench.broker.on(B))
    assert bench.scheduler.set_aside == []
    assert bench.broker.borne == set()
    assert "behind" not in bench.cursors["0"]
    assert "shard 0: all that was set aside has been published" in caplog.messages
    assert len([m for m in caplog.messages if "takes nothing" in m]) == 1


async def test_what_was_set_aside_for_longer_than_its_grace_is_skipped(bench: Bench) -> None:
    bench.define(a_job(missed_grace_s=20.0, effective_from=at(0)))
    await bench.tick()
    bench.broker.silent[A] = True
    await ticks(bench, 100)
    bench.broker.speak(A)
    await ticks(bench, 3)

    [skip] = [m for m in bench.broker.on(A) if isinstance(m, Skip)]
    assert (skip.from_at, skip.to_at) == (at(50), at(80))
    assert due(bench.broker.on(A))[-1] == at(130)


async def test_a_successor_publishes_what_was_set_aside_and_waits_for_nobody(bench: Bench) -> None:
    await bench.tick()
    bench.broker.silent[A] = True
    await ticks(bench, 20)
    bench.define(a_job(schedule="@every 5s", effective_from=at(21)))
    bench.scheduler.assigned(set())
    successor = bench.another()
    await successor.start()
    successor.assigned({0})
    await bench.tick(successor)
    seen = due(bench.broker.on(B))
    del bench.broker.silent[A]
    bench.clock.passed += lagging.LOOK_S
    for _ in range(3):
        await bench.tick(successor)

    assert seen == [at(s) for s in (0, 10, 20, 30, 40, 50)]
    after = bench.broker.on(A)
    assert Withdrawal(job="backup", revision=2, effective_from=at(21)) in after
    assert set(due(after)) >= {at(s) for s in (25, 30, 35, 40, 45, 50)}


async def test_a_shard_that_begins_with_a_log_that_is_not_there_fires_the_others(
    bench: Bench,
) -> None:
    bench.scheduler.announcer._level = 2
    bench.broker.silent = {A: False, NAMES.retry_log("a"): False}
    await ticks(bench, 3)

    assert due(bench.broker.on(B)) == [at(s) for s in (0, 10, 20, 30)]
    [sentence] = bench.scheduler.set_aside
    assert "there is no such topic" in sentence
    assert "start a worker of cluster a" in sentence
    for topic in (NAMES.retry_log("a"), A):
        bench.broker.speak(topic)
    bench.clock.passed += lagging.LOOK_S
    await ticks(bench, 3)

    assert isinstance(bench.broker.all_on(A)[0], Level)
    assert set(due(bench.broker.on(A))) == {at(s) for s in (0, 10, 20, 30)}


async def test_a_log_that_is_gone_with_all_its_jobs_is_let_go_of(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.tick()
    bench.define(a_job(cluster="b", effective_from=at(1)))
    bench.broker.silent[A] = False
    await ticks(bench, 3)
    assert "a/6" in bench.cursors["0"]["behind"]
    await ticks(bench, int(lagging.GONE_S) + 3)

    assert "behind" not in bench.cursors["0"]
    assert bench.broker.given_up == [A]
    assert any(f"{A} is gone, and no job is left there" in m for m in caplog.messages)
    assert bench.scheduler.set_aside == []
    assert at(90) in due(bench.broker.on(B))


async def test_a_log_that_is_gone_though_it_has_jobs_is_waited_for(bench: Bench) -> None:
    await bench.tick()
    bench.broker.silent[A] = False
    await ticks(bench, int(lagging.GONE_S) + 15)

    assert bench.cursors["0"]["behind"]["a/6"]["at"] == "2026-01-01T12:00:10Z"
    bench.broker.records.clear()
    bench.broker.speak(A)
    bench.clock.passed += lagging.LOOK_S
    await ticks(bench, 3)

    # It knows nothing: neither the revision, nor what was published ahead on the one before.
    on_a = bench.broker.on(A)[1:]  # But for what was on its way.
    assert on_a[0] == Withdrawal(job="backup", revision=0, effective_from=at(0))
    assert due(on_a)[0] == at(20)
    assert due(on_a) == sorted(set(due(on_a)))


async def test_a_run_that_the_log_finds_too_large_is_skipped_and_another_fault_tried_again(
    bench: Bench,
) -> None:
    append, errors = bench.broker.append, [BrokerError("broken"), TooLargeError("too large")]

    def refuse(topic: str, partition: int, record: Message) -> object:
        done = append(topic, partition, record)
        if isinstance(record, Run) and topic == A and record.scheduled_at == at(20) and errors:
            bench.broker.records.pop()
            done = type(done)()
            done.set_exception(errors.pop(0))
        return done

    bench.broker.append = refuse  # type: ignore[method-assign,assignment]  # a fault in the middle
    await ticks(bench, 4)

    assert [m.from_at for m in bench.broker.on(A) if isinstance(m, Skip)] == [at(20)]
    assert "behind" not in bench.cursors["0"]
    assert set(due(bench.broker.on(A))) == {at(0), at(10), at(30)}


async def test_a_shard_that_is_another_s_is_no_longer_spoken_of(bench: Bench) -> None:
    await bench.tick()
    bench.broker.silent[A] = True
    await ticks(bench, 12)
    bench.scheduler.assigned(set())

    assert bench.scheduler.set_aside == []
    assert bench.broker.borne == set()


async def test_a_job_whose_time_zone_is_not_known_here_waits_for_a_scheduler_that_knows_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = schedule.find_zone
    new = a_job("new", cluster="b", timezone="Mars/Olympus", schedule="*/1 * * * *")
    bench.define(new)
    await bench.tick()
    await ticks(bench, 100)

    assert due(bench.broker.on(A)) == [at(s) for s in range(0, 140, 10)]
    assert not any(getattr(m, "job", "") == "new" for m in bench.broker.on(B))
    [sentence] = bench.scheduler.set_aside
    assert "time zone 'Mars/Olympus' of job 'new' is not known here, by tzdata " in sentence
    assert "give this machine newer time zones" in sentence
    assert len([m for m in caplog.messages if "Mars" in m]) == 1

    monkeypatch.setattr(schedule, "find_zone", lambda name: known("UTC" if "/" in name else name))
    bench.scheduler.assigned(set())
    successor = bench.another()
    await successor.start()
    successor.assigned({0})
    for _ in range(3):
        await bench.tick(successor)

    on_b = bench.broker.on(B)
    assert [m.scheduled_at for m in on_b if isinstance(m, Run) and m.job == "new"] == [
        at(0),
        at(60),
        at(120),
    ]
    assert successor.set_aside == []
    assert "behind" not in bench.cursors["0"]


async def test_a_scheduler_makes_way_for_one_that_has_newer_time_zones(bench: Bench) -> None:
    bench.define(a_job("new", cluster="b", timezone="Mars/Olympus"))
    ended: list[str] = []
    bench.scheduler.on_fatal = ended.append
    await bench.tick()
    await ticks(bench, 2)
    assert ended == []

    bench.scheduler.newer_zones = lambda: "s2"
    await ticks(bench, 2)

    [sentence] = ended
    assert "time zone 'Mars/Olympus' of job 'new' is not known here" in sentence
    assert "s2 has newer time zones: upgrade them here" in sentence
    assert bench.scheduler.firing.shards == frozenset()
    again = bench.another()
    again.newer_zones = bench.scheduler.newer_zones
    with pytest.raises(ZoneError, match=r"'Mars/Olympus' of job 'new'.* s2 has newer time zones"):
        await again.start()
    bench.define(a_job("new", cluster="b"))
    await again.start()


@pytest.mark.parametrize("removed", [False, True])
async def test_a_job_whose_time_zone_was_not_known_goes_on_as_it_was_edited(
    bench: Bench, caplog: pytest.LogCaptureFixture, removed: bool
) -> None:
    bench.define(a_job("new", cluster="b", timezone="Mars/Olympus"))
    await bench.tick()
    bench.define(a_job("new", cluster="b", effective_from=at(5), removed=removed))
    await ticks(bench, 4)

    runs = [m for m in bench.broker.on(B) if isinstance(m, Run) and m.job == "new"]
    assert [run.scheduled_at for run in runs] == [] if removed else [at(s) for s in (10, 20, 30)]
    assert bench.scheduler.set_aside == []
    assert any("job 'new' has changed, and what was due of it before" in m for m in caplog.messages)
