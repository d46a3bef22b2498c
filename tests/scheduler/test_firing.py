"""What a scheduler does at a tick, and what it leaves when something goes wrong."""

import asyncio
import logging
import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from cronstream.core.planning import due
from cronstream.core.planning.cursor import Cursor, Place
from cronstream.core.planning.recent import Recent, mark_of
from cronstream.core.trust.judging import TRUSTED, Judgement, Standing
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.job_messages import Definition
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.messages import Message, Tick
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time
from cronstream.scheduler import firing, learning
from cronstream.scheduler.holding import Held
from cronstream.topology import jobs
from cronstream.topology.log_message import LogMessage
from tests.builders import NAMES, at
from tests.scheduler.fakes import Bench, FakeStream, a_job, turns

LOG = NAMES.log("a")


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    return bench


def due_seconds(messages: list[Message]) -> list[float]:
    return [(m.scheduled_at - at(0)).total_seconds() for m in messages if isinstance(m, Run)]


async def test_a_tick_publishes_what_is_due_to_the_logs_of_the_clusters(bench: Bench) -> None:
    bench.define(a_job(), a_job("report", "@every 20s", cluster="b"))
    await bench.tick()
    on_a, on_b = bench.broker.on(LOG), bench.broker.on(NAMES.log("b"))
    assert isinstance(on_a[0], Withdrawal)
    assert due_seconds(on_a) == [0, 10, 20, 30]
    assert due_seconds(on_b) == [0, 20]


async def test_the_cursor_is_set_once_everything_has_been_acknowledged(bench: Bench) -> None:
    bench.define(a_job())
    await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:31Z"
    assert bench.cursors["0"]["taken"] == 1
    assert bench.cursors["0"]["plan"] is None


async def test_while_nothing_is_due_the_cursor_is_written_well_within_the_look_ahead(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.define(a_job(schedule="0 13 * * *"))
    rows = list[dict[str, object]]()
    for _ in range(100):
        await bench.tick()
        if not rows or bench.cursors["0"] is not rows[-1]:
            rows.append(bench.cursors["0"])
    assert [str(row["at"])[-6:] for row in rows[:4]] == ["00:31Z", "00:41Z", "00:51Z", "01:01Z"]
    assert len(rows) == 10
    successor = bench.another()
    await successor.start()
    successor.assigned({0})
    bench.clock.passed += 10
    await bench.tick(successor)
    assert not any("catching up" in message for message in caplog.messages)


async def test_each_tick_publishes_only_what_has_come_within_the_look_ahead(bench: Bench) -> None:
    bench.define(a_job())
    for _ in range(30):
        await bench.tick()
    assert due_seconds(bench.broker.on(LOG)) == [0, 10, 20, 30, 40, 50, 60]


async def test_an_edit_is_in_force_at_the_next_tick(bench: Bench) -> None:
    bench.define(a_job())
    await bench.tick()
    bench.define(a_job(schedule="@every 15s", effective_from=at(1)))
    bench.broker.records.clear()
    await bench.tick()
    [withdrawal, *runs] = bench.broker.on(LOG)
    assert withdrawal == Withdrawal(job="backup", revision=1, effective_from=at(1))
    assert due_seconds(runs) == [15, 30]


async def test_what_did_not_count_is_fired_once_its_key_is_trusted(bench: Bench) -> None:
    unknown = Judgement(Standing.UNKNOWN_KEY, "unknown-key", "its key is not known", "k")
    bench.scheduler.jobs.judge = lambda _: unknown
    bench.define(a_job())
    for _ in range(3):
        await bench.tick()
    bench.scheduler.jobs.judge = lambda _: TRUSTED
    await bench.tick()
    assert bench.broker.on(LOG) == []

    bench.scheduler.learn_again()
    await bench.tick()
    await bench.tick()

    [withdrawal, *runs] = bench.broker.on(LOG)
    assert isinstance(withdrawal, Withdrawal)
    assert due_seconds(runs)[-1] == 30
    before = len(bench.broker.on(LOG))
    bench.scheduler.learn_again()
    await bench.tick()
    assert len(bench.broker.on(LOG)) <= before + 1


async def test_a_backlog_of_ticks_is_passed_over(bench: Bench) -> None:
    bench.define(a_job())
    await bench.tick()
    row = bench.cursors["0"]
    bench.clock.passed += 0.4
    await bench.fire()
    assert bench.cursors["0"] is row


async def test_only_shards_that_are_assigned_are_fired(bench: Bench) -> None:
    bench.define(a_job())
    bench.scheduler.revoked()
    await bench.tick()
    bench.scheduler.assigned({1, 2})
    await bench.tick()
    assert bench.broker.on(LOG) == []
    assert bench.cursors == {}


# -- acknowledgements that do not come ------------------------------------------------------------


async def test_without_acknowledgement_the_cursor_stays_for_a_while_and_nothing_is_sent_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job())
    await bench.tick()
    sent = len(bench.broker.on(LOG))
    monkeypatch.setattr(firing, "LIMIT_S", 0.0)
    bench.broker.held = True
    for _ in range(12):
        await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:31Z"
    assert len(bench.broker.on(LOG)) == sent + 1


async def test_when_acknowledgements_come_late_the_cursor_goes_on_from_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job())
    await bench.tick()
    limit = firing.LIMIT_S
    monkeypatch.setattr(firing, "LIMIT_S", 0.0)
    bench.broker.held = True
    for _ in range(12):
        await bench.tick()
    monkeypatch.setattr(firing, "LIMIT_S", limit)
    bench.broker.release()
    await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:40Z"
    assert due_seconds(bench.broker.on(LOG)) == [0, 10, 20, 30, 40]


async def _wait_for_what_is_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, for_s: float
) -> None:
    """Take a tick that waits as long for the plan of an earlier one."""
    bench.define(a_job())
    await bench.tick()
    with monkeypatch.context() as patched:
        patched.setattr(firing, "LIMIT_S", 0.0)
        bench.broker.held = True
        bench.clock.passed += 10
        await bench.tick()
    ticking = asyncio.create_task(bench.tick())
    await turns()
    bench.clock.passed += for_s
    bench.broker.release()
    async with asyncio.timeout(10):
        await ticking


async def test_a_tick_that_has_long_waited_leaves_what_is_due_now_to_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await _wait_for_what_is_out(bench, monkeypatch, firing.GO_ON_S + 1)

    assert due_seconds(bench.broker.on(LOG)) == [0, 10, 20, 30, 40]
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:42Z"
    assert not any("given up" in message for message in caplog.messages)
    bench.clock.passed += 2
    await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:51Z"


async def test_a_tick_that_has_waited_reads_the_jobs_in_what_is_left_of_its_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ends = bench.readers[1].ends

    async def silent_at_last(topic: str, partitions: list[int]) -> dict[int, int]:
        if bench.clock.passed > 100:
            await asyncio.Event().wait()
        return await ends(topic, partitions)

    monkeypatch.setattr(firing, "LIMIT_S", 1000.0)
    monkeypatch.setattr(firing, "GO_ON_S", 1000.0)
    monkeypatch.setattr(bench.readers[1], "ends", silent_at_last)
    await _wait_for_what_is_out(bench, monkeypatch, 999.99)

    assert any("tick given up (TimeoutError" in message for message in caplog.messages)


async def test_what_is_announced_has_what_is_left_of_the_tick_s_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    async def announce(_places: object, within_s: float = 8.0) -> set[Place]:
        given.append(within_s)
        return set()

    async def slow(_topic: str, _partitions: object) -> dict[int, int]:
        bench.clock.passed += 2.5
        return {0: 0}

    monkeypatch.setattr(bench.scheduler.announcer, "announce", announce)
    monkeypatch.setattr(bench.readers[1], "ends", slow)
    await bench.tick()

    assert given == [firing.LIMIT_S - 5.0]


async def test_a_successor_publishes_again_what_was_sent_without_an_acknowledgement(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job())
    await bench.tick()
    limit = firing.LIMIT_S
    monkeypatch.setattr(firing, "LIMIT_S", 0.0)
    bench.broker.held = True
    for _ in range(12):
        await bench.tick()
    bench.scheduler.assigned(set())
    bench.broker.release()
    monkeypatch.setattr(firing, "LIMIT_S", limit)
    successor = bench.another()
    await successor.start()
    successor.assigned({0})
    await bench.tick(successor)
    runs = [m for m in bench.broker.on(LOG) if isinstance(m, Run)]
    assert due_seconds(bench.broker.on(LOG))[-2:] == [40, 40]
    assert runs[-1] == runs[-2]


async def test_a_publisher_that_was_stopped_leaves_the_cursor(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job())
    monkeypatch.setattr(firing, "LIMIT_S", 0.0)
    bench.broker.held = True
    await bench.tick()
    bench.broker.give_up()
    await bench.tick()
    assert "0" not in bench.cursors or bench.cursors["0"]["taken"] == 0


async def test_a_shard_that_has_gone_while_it_was_published_keeps_its_cursor(bench: Bench) -> None:
    bench.define(a_job())
    await bench.tick()
    row = bench.cursors["0"]
    append = bench.broker.append

    def lose_it(*given: object, **more: object) -> object:
        bench.scheduler.revoked()
        return append(*given, **more)  # type: ignore[arg-type]  # passed on as they came

    bench.broker.append = lose_it  # type: ignore[assignment]  # a fault in the middle
    bench.clock.passed = 12
    await bench.tick()
    assert bench.cursors["0"] is row


# -- taking over ----------------------------------------------------------------------------------


async def test_a_successor_goes_on_from_the_cursor_and_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.define(a_job(), a_job("other"), a_job("gone", removed=True))
    await bench.tick()
    bench.broker.records.clear()
    successor = bench.another()
    await successor.start()
    successor.assigned({0})
    bench.clock.passed = 20
    await bench.tick(successor)
    assert due_seconds(bench.broker.on(LOG)) == [40, 40, 50, 50]
    assert "shard 0: taken over, cursor 2026-01-01T12:00:31Z, 2 jobs" in caplog.messages


async def test_a_cursor_that_another_has_moved_meanwhile_is_taken_from_the_table(
    bench: Bench,
) -> None:
    bench.define(a_job())
    await bench.tick()
    other = bench.another()
    await other.start()
    other.assigned({0})
    bench.clock.passed = 10
    await bench.tick(other)
    bench.broker.records.clear()
    await bench.tick()
    await bench.tick()
    assert due_seconds(bench.broker.on(LOG)) == []
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:41Z"


async def test_a_shard_that_stays_through_a_rebalance_is_not_read_again(bench: Bench) -> None:
    bench.define(a_job(), a_job("other"))
    await bench.tick()
    bench.scheduler.revoked()
    bench.scheduler.assigned({0})
    await bench.tick()
    assert sum(reader.reads for reader in bench.readers) == 2


async def test_a_shard_that_goes_to_another_is_forgotten(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.define(a_job())
    await bench.tick()
    bench.scheduler.assigned(set())
    assert "shard 0: another scheduler has it now" in caplog.messages


async def test_a_shard_whose_cursor_was_not_recovered_is_not_begun_anew(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job())
    bench.broker.put("cronstream-scheduler-cursors-changelog", 0, b"{}")

    await bench.tick()
    await bench.tick()

    assert bench.broker.on(LOG) == []
    assert bench.cursors == {}
    [line] = caplog.messages
    assert "the table has no cursor for it" in line
    assert "cronstream-scheduler-cursors-changelog/0 has had 1" in line


@pytest.mark.parametrize("row", [
    {"shard": 0, "at": "yesterday"},
    {},
    {"jobs": 5},
    {"jobs": {"position": "x", "mark": []}, "shards": "many", "partitions": None},
    {"shard": 0, "at": "2026-01-01T12:00:00Z", "taken": float("inf")},
])  # fmt: skip
async def test_a_damaged_cursor_is_told_and_begun_anew(
    bench: Bench, caplog: pytest.LogCaptureFixture, row: dict[str, Any]
) -> None:
    bench.define(a_job())
    bench.cursors["0"] = row
    await bench.tick()
    assert any("damaged cursor row" in message for message in caplog.messages)
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:31Z"


# -- after an outage ------------------------------------------------------------------------------


async def test_a_catch_up_is_noted_before_it_is_published(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job(missed_grace_s=10.0))
    await bench.tick()
    monkeypatch.setattr(firing, "LIMIT_S", 0.01)
    bench.broker.held = True
    bench.clock.passed = 100
    await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:31Z"
    assert bench.cursors["0"]["plan"]["now"] == "2026-01-01T12:01:41Z"


async def test_a_catch_up_is_done_within_one_tick_and_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.define(a_job(missed_grace_s=10.0))
    await bench.tick()
    bench.clock.passed = 100
    await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T12:02:11Z"
    [skip] = [m for m in bench.broker.on(LOG) if isinstance(m, Skip)]
    assert (skip.from_at, skip.to_at, skip.count) == (at(40), at(90), 6)
    assert "shard 0: catching up from 2026-01-01T12:00:31Z, 70 s behind" in caplog.messages
    assert any(m.startswith("backup: 6 due times missed") for m in caplog.messages)


# -- what does not stop it -------------------------------------------------------------------------


async def test_a_broker_that_fails_costs_a_tick_and_is_told_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.define(a_job())
    bench.readers[1].failing = [KafkaConnectionError(), KafkaConnectionError()]
    for _ in range(3):
        await bench.tick()
    told = [m for m in caplog.messages if "given up" in m or "published again" in m]
    assert told == [
        "shard 0: tick given up (KafkaConnectionError: KafkaConnectionError)",
        "shard 0: published again, nothing is left out",
    ]
    assert due_seconds(bench.broker.on(LOG)) == [0, 10, 20, 30]


async def test_a_fault_of_our_own_gives_up_the_tick_and_loads_the_shard_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job())
    bench.readers[1].failing = [RuntimeError("our own")]
    await bench.tick()
    assert any("loaded again" in message for message in caplog.messages)
    await bench.tick()
    assert due_seconds(bench.broker.on(LOG)) == [0, 10, 20, 30]


async def test_a_run_that_is_too_large_is_skipped_and_holds_up_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job())
    bench.broker.too_large = {"Run"}
    await bench.tick()
    assert [m.from_at for m in bench.broker.on(LOG) if isinstance(m, Skip)] == [
        at(0),
        at(10),
        at(20),
        at(30),
    ]
    assert any("backup@2026-01-01T12:00:00Z: skipped" in m for m in caplog.messages)
    assert bench.cursors["0"]["taken"] == 1


async def test_what_cannot_be_read_among_the_jobs_costs_only_itself(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.broker.put(NAMES.jobs, 0, b"not JSON")
    bench.define(a_job("bad", schedule="61 * * * *"), a_job())
    await bench.tick()
    assert due_seconds(bench.broker.on(LOG)) == [0, 10, 20, 30]
    assert any("'bad', revision 1" in message for message in caplog.messages)


async def test_what_cannot_be_read_among_the_jobs_goes_to_quarantine_and_no_successor_puts_it_there(
    bench: Bench,
) -> None:
    bench.define(a_job())
    await bench.tick()
    bad = [None, b"{", encode(a_job(effective_from=None)), encode(a_job(max_attempts=0))]
    for value in [*bad, encode(a_job(effective_from=at(1)))]:
        bench.broker.put(NAMES.jobs, 0, value)
    await bench.tick()
    assert [refused[:3] for refused in bench.quarantine.refused] == [
        (NAMES.jobs, 0, offset) for offset in range(1, 5)
    ]
    successor = bench.another()
    successor.assigned({0})
    bench.broker.put(NAMES.jobs, 0, b"more")
    bench.clock.passed += 20
    await bench.tick(successor)
    assert [refused[2] for refused in bench.quarantine.refused] == [1, 2, 3, 4, 6]


async def test_a_bad_tick_goes_to_quarantine(bench: Bench) -> None:
    message = LogMessage(NAMES.ticks, 0, 7, at(0), None, b"{}")
    await bench.scheduler.fire(FakeStream(message))
    [(topic, partition, offset, reason)] = bench.quarantine.refused
    assert (topic, partition, offset) == (NAMES.ticks, 0, 7)
    assert "__faust.ns" in reason


# -- clocks ---------------------------------------------------------------------------------------


async def test_a_clock_too_far_ahead_of_the_log_fires_nothing_until_it_is_right(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job())
    bench.clock.ahead = timedelta(seconds=31)
    for _ in range(3):
        await bench.tick()
    assert bench.broker.on(LOG) == []
    told = [m for m in caplog.messages if "ahead of the broker's" in m]
    assert len(told) == 1
    assert told[0].startswith("this machine's clock is 31.0 s ahead")
    bench.clock.ahead = timedelta()
    await bench.tick()
    assert due_seconds(bench.broker.on(LOG))[0] == 0


async def test_a_clock_within_the_look_ahead_fires(bench: Bench) -> None:
    bench.define(a_job())
    bench.clock.ahead = timedelta(seconds=29)
    await bench.tick()
    assert bench.broker.on(LOG) != []


async def test_a_clock_that_steps_far_ahead_fires_nothing_before_it_is_measured_again(
    bench: Bench,
) -> None:
    bench.define(a_job())
    await bench.tick()
    fired = bench.broker.on(LOG)
    bench.clock.passed += 30
    bench.clock.ahead = timedelta(hours=2)
    message = LogMessage(
        NAMES.ticks, 0, 1, bench.clock.true(), None, encode(Tick(shard=0, at=bench.clock.now()))
    )
    await bench.scheduler.fire(FakeStream(message))
    assert bench.broker.on(LOG) == fired
    bench.clock.ahead = timedelta()
    await bench.tick()
    assert len(bench.broker.on(LOG)) > len(fired)


def published_ahead(bench: Bench) -> None:
    """What is left of a clock that was two hours ahead, as the broker's was."""
    bench.cursors["0"] = Cursor(0, at(7200), taken=1).to_row()


async def test_a_cursor_that_a_wrong_clock_has_moved_far_ahead_is_set_back_to_now(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job())
    published_ahead(bench)
    await bench.tick()
    assert bench.broker.on(LOG) == []
    assert bench.cursors["0"]["at"] == "2026-01-01T12:00:01Z"
    await bench.tick()
    assert due_seconds(bench.broker.on(LOG))[0] == 10
    told = [m for m in caplog.messages if "far" in m or "ahead before" in m]
    assert len(told) == 1
    assert "cronstream repair" in told[0]


async def test_one_that_a_right_clock_has_moved_stays(bench: Bench) -> None:
    bench.define(a_job())
    bench.cursors["0"] = Cursor(0, at(300), taken=1).to_row()
    await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T12:05:00Z"


async def test_a_clock_that_is_behind_the_logs_sets_no_cursor_back(bench: Bench) -> None:
    bench.define(a_job())
    published_ahead(bench)
    bench.clock.ahead = timedelta(seconds=-40)
    for _ in range(3):
        await bench.tick()
    assert bench.cursors["0"]["at"] == "2026-01-01T14:00:00Z"


async def test_a_clock_that_has_just_stepped_back_sets_no_cursor_back_before_it_is_measured(
    bench: Bench,
) -> None:
    bench.define(a_job())
    await bench.tick()
    before = bench.cursors["0"]["at"]
    bench.clock.passed += 2
    bench.clock.ahead = timedelta(minutes=-10)
    message = LogMessage(
        NAMES.ticks, 0, 1, bench.clock.true(), None, encode(Tick(shard=0, at=bench.clock.now()))
    )
    await bench.scheduler.fire(FakeStream(message))

    assert bench.cursors["0"]["at"] == before


async def test_an_edit_waits_while_a_cursor_is_far_ahead_and_the_clocks_do_not_agree(
    bench: Bench,
) -> None:
    bench.define(a_job())
    published_ahead(bench)
    bench.clock.ahead = timedelta(seconds=-40)
    await bench.tick()
    bench.define(a_job(schedule="*/5 * * * *"))
    await bench.tick()
    assert bench.broker.on(LOG) == []

    bench.clock.ahead = timedelta()
    for _ in range(3):
        await bench.tick()
    told = [entry for entry in bench.broker.on(LOG) if isinstance(entry, Withdrawal)]
    assert [entry.effective_from < at(60) for entry in told] == [True]


async def test_nothing_is_fired_before_the_clock_has_been_measured(bench: Bench) -> None:
    bench.define(a_job())
    bench.broker.held = True
    await bench.tick()
    assert bench.broker.on(LOG) == []


async def test_a_clock_that_is_behind_is_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.clock.ahead = timedelta(seconds=-40)
    await bench.tick()
    await bench.tick()
    assert len([m for m in caplog.messages if "40.0 s behind" in m]) == 1


async def test_ticks_do_not_pile_up_while_the_broker_is_away(bench: Bench) -> None:
    bench.broker.held = True
    for _ in range(5):
        await bench.scheduler.tick()
    assert len(bench.broker.on(NAMES.ticks)) == 1


async def test_a_tick_that_cannot_be_sent_leaves_the_timer_alive(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("closed")

    bench.broker.append = broken  # type: ignore[assignment,method-assign]  # a fault in the middle
    await bench.scheduler.tick()
    assert any("a tick could not be sent" in message for message in caplog.messages)


async def test_a_jobs_topic_that_was_created_anew_is_an_error_with_its_remedy(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.define(a_job(), a_job("report"), a_job("other"))
    await bench.tick()
    bench.broker.records.clear()
    bench.broker.topics[NAMES.jobs, 0].clear()
    bench.define(a_job())
    row, other = bench.cursors["0"], bench.another()
    other.assigned({0})
    await bench.tick(other)
    await bench.tick()

    assert bench.cursors["0"] == row
    assert not bench.broker.on(LOG)
    said = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2, said
    for text in said:
        assert "jobs/0 ends at 1, though revisions below 3 were taken from it" in text
        assert "docs/troubleshooting.md" in text


@pytest.mark.parametrize("more", [0, 1, 5])
async def test_a_jobs_topic_that_was_created_anew_and_holds_as_much_is_noticed(
    bench: Bench, caplog: pytest.LogCaptureFixture, more: int
) -> None:
    names = ["backup", "report", "other"]
    bench.define(*map(a_job, names))
    await bench.tick()
    bench.broker.records.clear()
    bench.broker.topics[NAMES.jobs, 0].clear()
    anew = [a_job(name, effective_from=at(1)) for name in names]
    bench.define(*anew, *(a_job(f"more-{n}", effective_from=at(1)) for n in range(more)))
    row, other = bench.cursors["0"], bench.another()
    other.assigned({0})
    await bench.tick(other)
    if more:  # Else who has it goes on with what it knows, and sees it at the next edit.
        await bench.tick()

    assert bench.cursors["0"] == row
    assert not bench.broker.on(LOG)
    said = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1 + bool(more), said
    for text in said:
        assert "jobs/0 is not the topic that was read before: its message 2 is another" in text
        assert "docs/troubleshooting.md" in text


async def test_a_cursor_of_a_version_that_noted_no_message_is_gone_on_from(bench: Bench) -> None:
    bench.define(a_job())
    await bench.tick()
    row = bench.cursors["0"]
    noted = {"position": 1, "mark": mark_of(encode(a_job())), "level": LEVEL, "kafka": None}
    assert row.pop("jobs") == noted
    bench.clock.passed = 20
    await bench.tick(bench.scheduler)
    assert bench.cursors["0"]["jobs"]["position"] == 1


@pytest.mark.parametrize(("name", "number"), [("shards", 3), ("partitions", 24)])
async def test_other_numbers_than_the_installation_was_begun_with_are_refused(
    name: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(**{name: number})
    bench.define(a_job())
    bench.cursors["0"] = {**Cursor(0, at(0), taken=0).to_row(), "shards": 1, "partitions": 12}
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    await bench.tick()

    assert not bench.broker.on(LOG)
    was = {"shards": 1, "partitions": 12}[name]
    wanted = f"was begun with {was} {name}, and CRONSTREAM_{name.upper()} is {number}: set"
    assert wanted in caplog.text


async def test_a_scheduler_that_stood_by_takes_over_with_what_it_has_read(bench: Bench) -> None:
    bench.define(*(a_job(effective_from=at(n - 40_000)) for n in range(0, 40_000, 4_000)))
    await bench.tick()
    bench.scheduler.assigned(set())
    successor = bench.another()
    await successor.start()
    await successor.jobs.read_on()
    bench.define(a_job("later", effective_from=at(1)))
    read_before = sum(reader.reads for reader in bench.readers)
    successor.assigned({0})
    bench.clock.passed = 20
    await bench.tick(successor)

    # What is new, and before it the last that is known, once by the process and once by the shard;
    # and where the cursor's own reading ended.
    assert sum(reader.reads for reader in bench.readers) == read_before + 5
    assert bench.cursors["0"]["taken"] == 11
    assert due_seconds(bench.broker.on(LOG))[-2:] == [50, 50]


async def test_a_process_that_has_just_begun_goes_on_from_what_is_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "KEEP_EVERY", 5)
    bench.define(*(a_job(effective_from=at(n - 40_000)) for n in range(0, 40_000, 4_000)))
    await bench.tick()
    await bench.scheduler.jobs.read_on()
    await bench.scheduler.jobs.keep(bench.kept.__setitem__)
    bench.define(a_job("later", effective_from=at(1)))
    successor = bench.another()
    successor.assigned({0})
    bench.clock.passed = 20
    read_before = sum(reader.reads for reader in bench.readers)
    await bench.tick(successor)

    assert sum(reader.reads for reader in bench.readers) == read_before + 6
    assert bench.cursors["0"]["taken"] == 11
    assert due_seconds(bench.broker.on(LOG))[-2:] == [50, 50]


async def test_a_cursor_that_needs_more_than_is_remembered_has_all_of_it_read(
    bench: Bench,
) -> None:
    bench.define(*(a_job(effective_from=at(n - 40_000)) for n in range(0, 40_000, 4_000)))
    bench.cursors["0"] = Cursor(0, at(-30_000), taken=3).to_row()
    await bench.tick()

    assert [word.revision for word in bench.broker.on(LOG) if isinstance(word, Withdrawal)] == [
        *range(3, 10)
    ]


# -- very many edits at once ----------------------------------------------------------------------


def told(bench: Bench) -> list[int]:
    return [word.revision for word in bench.broker.on(LOG) if isinstance(word, Withdrawal)]


def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have shards learn five jobs at a time, and one part in each tick."""
    monkeypatch.setattr(learning, "PART", 5)
    monkeypatch.setattr(firing, "GO_ON_S", -1.0)


async def test_many_edits_at_once_are_taken_into_force_in_parts_and_all_else_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.define(a_job(), a_job("other", "@every 1h"))
    await bench.tick()
    in_small_parts(monkeypatch)
    bench.define(*(a_job("other", "@every 1h", effective_from=at(1)) for _ in range(23)))
    for number in range(1, 6):
        bench.clock.passed += 9
        await bench.tick()
        assert bench.cursors["0"]["taken"] == min(25, 2 + 5 * number)
        assert due_seconds(bench.broker.on(LOG))[-1] == 30 + 10 * number
    assert told(bench) == list(range(25))
    lines = [message for message in caplog.messages if "edits are" in message]
    assert lines == [
        "shard 0: edits are being put in force in parts (messages to be read: 18)",
        "shard 0: all edits are in force",
    ]


async def test_a_part_is_so_many_edits_in_however_many_messages(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job(), a_job("other", "@every 1h"))
    await bench.tick()
    in_small_parts(monkeypatch)
    for message in range(4):
        names = [f"other-{message}-{number}" for number in range(3)]
        bench.define_together(*(a_job(name, "@every 1h", effective_from=at(1)) for name in names))
    for taken in (4, 6):
        bench.clock.passed += 9
        await bench.tick()
        assert bench.cursors["0"]["taken"] == taken
    assert sorted(told(bench)) == [0, 1, *(number for number in range(2, 6) for _ in range(3))]


async def test_a_shard_learns_in_parts_what_comes_after_it_knew_that_there_was_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.tick()
    in_small_parts(monkeypatch)
    bench.define(*(a_job(f"job-{n}", "@every 10s", effective_from=at(1)) for n in range(12)))
    for taken in (5, 10, 12):
        await bench.tick()
        assert bench.cursors["0"]["taken"] == taken
    assert told(bench) == list(range(12))
    runs = [m for m in bench.broker.on(LOG) if isinstance(m, Run)]
    first = {f"job-{n}": min(r.scheduled_at for r in runs if r.job == f"job-{n}") for n in (0, 11)}
    assert first == {"job-0": at(10), "job-11": at(10)}


async def test_a_new_shard_learns_at_once_all_that_was_there_before_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_parts(monkeypatch)
    bench.define(*(a_job(f"job-{number}", effective_from=at(-100)) for number in range(12)))
    await bench.tick()
    assert bench.cursors["0"]["taken"] == 12


async def test_a_shard_learns_nothing_more_while_very_many_jobs_are_put_there_and_then_all(
    bench: Bench,
) -> None:
    bench.define(a_job())
    await bench.tick()
    is_putting = True
    bench.scheduler.firing.learning.waits = lambda: is_putting
    bench.define(*(a_job(f"job-{number}", "@every 1h", effective_from=at(1)) for number in (1, 2)))
    bench.clock.passed += 9
    await bench.tick()
    assert bench.cursors["0"]["taken"] == 1
    assert due_seconds(bench.broker.on(LOG))[-1] == 40, "what is known goes on"
    is_putting = False
    await bench.tick()
    assert bench.cursors["0"]["taken"] == 3
    assert told(bench) == [0, 1, 2]


async def test_who_takes_over_while_very_many_jobs_are_put_there_learns_what_was_known(
    bench: Bench,
) -> None:
    bench.define(a_job(), a_job("other", "@every 1h"))
    await bench.tick()
    bench.define(a_job("new", "@every 1h", effective_from=at(1)))
    successor = bench.another()
    successor.firing.learning.waits = lambda: True
    successor.assigned({0})
    bench.clock.passed += 9
    await bench.tick(successor)
    assert bench.cursors["0"]["taken"] == 2
    assert due_seconds(bench.broker.on(LOG))[-1] == 40


@pytest.mark.parametrize("waits", [True, False])
async def test_whoever_has_to_read_all_of_it_knows_what_was_in_force_before_it_publishes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, waits: bool
) -> None:
    monkeypatch.setattr(learning, "PART", 2)
    monkeypatch.setattr(firing, "GO_ON_S", -1.0)
    bench.define(*(a_job(f"job-{n}", effective_from=at(n - 40_000)) for n in range(10)))
    bench.cursors["0"] = Cursor(0, at(-30_000), taken=7).to_row()
    learnt = list[int]()
    monkeypatch.setattr(Held, "learn", _noting(learnt))
    monkeypatch.setattr(Recent, "serves", lambda *_: False)
    bench.scheduler.firing.learning.waits = lambda: waits
    await bench.tick()
    assert len(learnt) == 7
    assert bench.cursors["0"]["taken"] == 7


def _noting(learnt: list[int]) -> Any:
    learn = Held.learn

    def noting(held: Held, definitions: Iterable[Definition]) -> None:
        known = list(definitions)
        learnt.extend(definition.revision for definition in known)
        learn(held, known)

    return noting


async def test_a_new_shard_learns_all_that_was_there_though_more_is_being_put_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recent, "serves", lambda *_: False)
    bench.define(*(a_job(f"job-{number}", effective_from=at(-100)) for number in range(3)))
    bench.scheduler.firing.learning.waits = lambda: True
    await bench.tick()
    assert bench.cursors["0"]["taken"] == 3


async def test_a_catch_up_goes_on_while_very_many_jobs_are_put_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "STEP", 10)
    bench.define(a_job(missed="all", missed_grace_s=3600.0))
    await bench.tick()
    bench.scheduler.firing.learning.waits = lambda: True
    bench.clock.passed += 1800
    await bench.tick()
    assert due_seconds(bench.broker.on(LOG))[-1] == 1830


async def test_a_tick_takes_as_many_parts_as_there_is_time_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job(), a_job("other", "@every 1h"))
    await bench.tick()
    monkeypatch.setattr(learning, "PART", 5)
    bench.define(*(a_job("other", "@every 1h", effective_from=at(1)) for _ in range(23)))
    await bench.tick()
    assert bench.cursors["0"]["taken"] == 25
    assert told(bench) == list(range(25))


async def test_a_successor_takes_over_in_parts_what_has_come_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job(), a_job("other", "@every 1h"))
    await bench.tick()
    monkeypatch.setattr(learning, "PART", 5)
    monkeypatch.setattr(jobs, "PART", 5)
    monkeypatch.setattr(firing, "GO_ON_S", -1.0)
    bench.define(*(a_job("other", "@every 1h", effective_from=at(1)) for _ in range(23)))
    successor = bench.another()
    await successor.start()
    await successor.jobs.read_on()
    successor.assigned({0})
    for number in range(1, 6):
        bench.clock.passed += 9
        await bench.tick(successor)
        assert bench.cursors["0"]["taken"] == min(25, 2 + 5 * number)
        assert due_seconds(bench.broker.on(LOG))[-1] == 30 + 10 * number
    assert told(bench) == list(range(25))


async def test_a_shard_that_was_away_for_minutes_goes_on_before_it_knows_all_edits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job(missed_grace_s=3600.0), a_job("other", "@every 1h"))
    await bench.tick()
    in_small_parts(monkeypatch)
    bench.define(*(a_job("other", "@every 1h", effective_from=at(100 + n)) for n in range(23)))
    bench.clock.passed += 120
    successor = bench.another()
    successor.assigned({0})
    await bench.tick(successor)
    assert due_seconds(bench.broker.on(LOG))[-1] == 150
    assert bench.cursors["0"]["taken"] == 7


async def test_a_shard_that_was_away_makes_up_for_that_as_far_as_it_knows_what_held(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job(missed_grace_s=3600.0), a_job("other", "@every 10s"))
    await bench.tick()
    in_small_parts(monkeypatch)
    bench.define(*(a_job("other", "@every 1h", effective_from=at(100 + n)) for n in range(23)))
    bench.clock.passed += 800
    successor = bench.another()
    successor.assigned({0})
    for until in (104, 109, 114, 119):
        await bench.tick(successor)
        assert bench.cursors["0"]["at"] == format_time(at(until))
    await bench.tick(successor)
    assert bench.cursors["0"]["at"] == format_time(at(836))
    assert told(bench) == list(range(25))
    others = [m for m in bench.broker.on(LOG) if isinstance(m, Run) and m.job == "other"]
    late = [(run.scheduled_at - at(0)).total_seconds() for run in others if run.revision == 1]
    assert max(late) < 100, "the definition that held then"


async def test_a_plan_that_is_repeated_knows_all_that_it_was_made_with(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job(), a_job("other", "@every 1h"))
    await bench.tick()
    bench.define(*(a_job("other", "@every 1h", effective_from=at(1)) for _ in range(23)))
    await bench.tick()
    in_small_parts(monkeypatch)
    noted = {"until": format_time(at(40)), "now": format_time(at(5))}
    row = {**bench.cursors["0"], "taken": 2, "plan": noted}
    for known in (row, {name: value for name, value in row.items() if name != "jobs"}):
        bench.broker.records.clear()
        bench.cursors["0"] = known
        successor = bench.another()
        successor.assigned({0})
        await bench.tick(successor)
        assert told(bench) == list(range(2, 25))


async def test_jobs_that_take_longer_to_learn_than_a_tick_are_learnt_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(a_job())
    await bench.tick()
    successor, learnt, may_end = bench.another(), list[int](), threading.Event()
    learn = Held.learn

    def slowly(held: Held, definitions: Iterable[Definition]) -> None:
        known = list(definitions)
        learnt.append(len(known))
        may_end.wait()
        learn(held, known)

    monkeypatch.setattr(Held, "learn", slowly)
    monkeypatch.setattr(firing, "LIMIT_S", 0.01)
    successor.assigned({0})
    try:
        for _ in range(3):
            await bench.tick(successor)
    finally:
        may_end.set()
    assert learnt == [1]
    monkeypatch.setattr(firing, "LIMIT_S", 8.0)
    bench.clock.passed += 10
    await bench.tick(successor)
    assert learnt == [1]
    assert due_seconds(bench.broker.on(LOG))[-1] == 40


async def test_a_shard_that_learns_very_many_jobs_comes_forward_with_each_part_of_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.define(*(a_job(f"job-{number}") for number in range(12)))
    await bench.tick()
    monkeypatch.setattr(learning, "PART", 5)
    successor, moved = bench.another(), list[int]()
    successor.jobs.on_move = moved.append
    successor.assigned({0})
    await bench.tick(successor)
    assert moved == [0] * (12 + 3)  # As they were read, and in three parts.
