"""What a worker does in a turn, and what it no longer does when an executor has died."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from cronstream import clock
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import to_row
from cronstream.core.protocol import claiming
from cronstream.core.protocol.actions import Hand
from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import Claimed, Finished, Started
from cronstream.core.wire.enumerations import Delivery, Outcome
from cronstream.core.wire.naming import Role
from cronstream.core.wire.runs import Run
from cronstream.errors import LevelError
from cronstream.executor import protocol
from cronstream.settings import Settings
from cronstream.worker import commands, draining
from cronstream.worker.folding import _REST_S
from cronstream.worker.late_watch import LateWatch
from cronstream.worker.worker import _IDLE_TURN_S, _TURN_S, Worker
from tests.builders import NOON, at
from tests.ledger_builders import due
from tests.member_builders import Worker as Bench
from tests.member_builders import holder, owner


@dataclass
class FakePublisher:
    """Remembers what was put on the log; some entries make it fail."""

    entries: list[Any] = field(default_factory=list)
    fails_on: Callable[[Any], bool] = lambda _: False

    def put(self, _log: str, _partition: int, entry: Any) -> None:
        if self.fails_on(entry):
            raise TypeError("str is not valid UTF-8: surrogates not allowed")
        self.entries.append(entry)


def a_worker(member: Member, *, is_alive: bool) -> tuple[Worker, FakePublisher]:
    """A worker whose executors all live, or of whose executors one has just died."""
    worker = Worker(Settings(), Role.of("cluster-a", retry=False), member, {}, lambda _: None)
    publisher: Any = FakePublisher()
    pool: Any = SimpleNamespace(is_alive=is_alive, send=lambda *_: None)
    worker.publisher, worker.executor = publisher, pool
    return worker, publisher


def holders(*runs: Run) -> tuple[Bench, list[str]]:
    """A worker to whose executor some runs were handed; and their keys."""
    bench = owner(*runs)
    bench.settle()
    return bench, bench.keys(Hand)


def kinds(publisher: FakePublisher) -> set[type]:
    return {type(entry) for entry in publisher.entries}


async def test_very_many_claims_are_made_in_turns_between_which_others_have_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claiming, "AT_ONCE", 3)
    monkeypatch.setattr(clock, "now", lambda: NOON)
    bench = owner(*(due(second) for second in range(8)))
    worker, publisher = a_worker(bench.member, is_alive=True)
    turning = asyncio.create_task(worker._turn_for_ever())
    worker._woken.set()
    made = []
    for _ in range(30):
        await asyncio.sleep(0)
        made.append(sum(isinstance(entry, Claimed) for entry in publisher.entries))
    turning.cancel()
    assert sorted(set(made) - {0}) == [3, 6, 8]


async def test_a_start_is_announced_only_while_all_executors_live() -> None:
    once = due(20, delivery=Delivery.AT_MOST_ONCE)
    (first, key), (second, _) = holder(once), holder(once)
    alive, told = a_worker(first.member, is_alive=True)
    dying, told_by_dying = a_worker(second.member, is_alive=False)

    for worker in (alive, dying):
        worker._reported([protocol.Ready(key)])
        worker._turn()

    assert Started in kinds(told)
    assert Started not in kinds(told_by_dying)


def test_a_row_of_a_level_that_is_not_known_ends_a_worker_and_is_not_written_over() -> None:
    ended: list[str] = []
    member = owner(due(20)).member
    worker = Worker(Settings(), Role.of("cluster-a", retry=False), member, {}, ended.append)
    row = {**to_row(Ledger(retry=False), 7), "format": 99}
    for _ in worker.snapshots.read(7, [orjson.dumps(row)]):
        pass
    ledger = worker.loading.load(7)

    [reason] = ended
    assert reason.startswith("partition 7: ")
    assert "upgrade it" in reason
    with pytest.raises(LevelError):
        ledger.fold(0, NOON, [due(20)])
    assert worker.snapshots.write_due({7: ledger}, 1.0) is None
    assert worker.snapshots.write_due({7: ledger}, 1000.0) is None


async def test_nothing_is_claimed_any_more_once_an_executor_has_died() -> None:
    alive, told = a_worker(owner(due(20)).member, is_alive=True)
    dying, told_by_dying = a_worker(owner(due(20)).member, is_alive=False)

    alive._turn()
    dying._turn()

    assert Claimed in kinds(told)
    assert not told_by_dying.entries


async def test_what_the_others_ran_is_reported_after_an_executor_has_died() -> None:
    bench, key = holder(due(20))
    dying, publisher = a_worker(bench.member, is_alive=False)
    end = at(21).timestamp()
    report = protocol.Finished(key, "interrupted", end - 1, end, None, 15, "", "", 0, "has gone")

    dying._reported([report])
    dying._turn()

    [entry] = [entry for entry in publisher.entries if isinstance(entry, Finished)]
    assert entry.outcome is Outcome.INTERRUPTED


def an_end(key: str, outcome: str = "succeeded", **fields: Any) -> protocol.Finished:
    """What an executor reports."""
    end = at(21).timestamp()
    given = {"started_at": end - 1, "ended_at": end, "exit_status": 0, "signal": None}
    told = {"head": "", "tail": "", "omitted": 0, "note": None}
    return protocol.Finished(key=key, outcome=outcome, **{**given, **told, **fields})  # type: ignore[arg-type]


async def test_an_end_that_cannot_be_told_is_told_without_its_output_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench, keys = holders(due(20), due(21))
    worker, publisher = a_worker(bench.member, is_alive=True)
    publisher.fails_on = lambda entry: getattr(entry, "head", "") == "bad"

    worker._reported([an_end(keys[0], head="bad", tail="é"), an_end(keys[1], head="good")])
    worker._turn()
    worker._turn()

    ends = {entry.run: entry for entry in publisher.entries if isinstance(entry, Finished)}
    assert [end.outcome for end in ends.values()] == [Outcome.SUCCEEDED] * 2
    bad = ends[due(20).id]
    assert (bad.head, bad.tail, bad.omitted) == ("", "", 5)
    assert bad.note is not None
    assert bad.note.startswith("what it wrote cannot be reported (TypeError: str is not valid")
    assert f"run {due(20).id}: Append failed" in caplog.messages


async def test_an_entry_that_cannot_be_told_at_all_is_tried_once_more_and_no_longer() -> None:
    bench, [key] = holders(due(20))
    worker, publisher = a_worker(bench.member, is_alive=True)
    tries: list[Any] = []

    def fails_on(entry: Any) -> bool:
        tries.append(entry)
        return isinstance(entry, Finished)

    publisher.fails_on = fails_on

    worker._reported([an_end(key, head="bad")])
    for _ in range(5):
        worker._turn()

    assert [entry.head for entry in tries if isinstance(entry, Finished)] == ["bad", ""]


async def test_an_attempt_that_cannot_be_handed_over_has_failed_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, keys = holders(due(20), due(21))
    worker, publisher = a_worker(bench.member, is_alive=True)
    sent: list[Any] = []
    pool: Any = SimpleNamespace(is_alive=True, send=lambda *orders: sent.extend(orders))
    worker.executor = pool
    bench.member.actions += bench.of(Hand)
    monkeypatch.setattr(commands, "environment", lambda run: {due(21).id: {}}[run.id])

    worker._turn()
    worker._turn()

    [end] = [entry for entry in publisher.entries if isinstance(entry, Finished)]
    assert (end.run, end.outcome, end.started_at) == (due(20).id, Outcome.FAILED, None)
    assert end.note == f"it could not be handed to an executor (KeyError: '{due(20).id}')"
    assert [order.key for order in sent if isinstance(order, protocol.Hold)] == [keys[1]]


async def test_a_report_that_is_no_use_ends_its_run_and_the_others_go_on() -> None:
    bench, keys = holders(due(20), due(21))
    worker, publisher = a_worker(bench.member, is_alive=True)

    worker._reported([an_end(keys[0], outcome="vanished"), an_end(keys[1])])
    worker._reported([protocol.Started("who?", float("inf"), 7)])
    worker._turn()

    ends = [entry for entry in publisher.entries if isinstance(entry, Finished)]
    assert [end.outcome for end in ends] == [Outcome.FAILED, Outcome.SUCCEEDED]
    assert ends[0].note == (
        "its executor's report cannot be used (ValueError: 'vanished' is not a valid Outcome)"
    )


async def test_runs_that_wait_for_a_slot_are_told_and_that_they_wait_no_longer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench, keys = holders(due(20), due(21))
    watch = LateWatch(bench.member, slots=1)
    monkeypatch.setattr(clock, "now", lambda: at(33))
    bench.member.started(keys[0], at(20), 7)
    began = clock.monotonic()

    with caplog.at_level("INFO"):
        for second in range(1, 9):
            watch.look(began + second)
        bench.member.started(keys[1], at(33), 8)
        watch.look(began + 9)
        watch.look(began + 10)

    late, over = caplog.messages
    assert late.startswith(f"1 run is late, the oldest by 12 s ({due(21).id}): its only slot is")
    assert over == "no run is late any more"
    assert watch.late is None


async def test_a_worker_that_stops_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, _ = holders(due(20))
    watch = LateWatch(bench.member, slots=1)
    monkeypatch.setattr(clock, "now", lambda: at(99))
    bench.member.drain()
    watch.look(clock.monotonic() + 1)
    assert watch.late is None


async def test_a_turn_in_which_deciding_fails_does_what_was_decided_and_the_next_one_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench, [key] = holders(due(20))
    worker, publisher = a_worker(bench.member, is_alive=True)
    worker.turned_at = 0.0

    def fails(*_: Any) -> None:
        raise ArithmeticError("a defect")

    worker._reported([an_end(key)])
    with monkeypatch.context() as broken:
        broken.setattr(bench.member, "wake", fails)
        worker._turn()
        worker._turn()

    assert Finished in kinds(publisher)
    assert worker.turned_at == 0.0
    assert caplog.messages == ["what is due cannot be decided; trying again"]
    worker._turn()
    assert worker.turned_at > 0


async def test_a_worker_turns_often_while_somebody_has_a_run_that_is_not_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "until_step", lambda period_s: period_s)
    idle, _ = a_worker(owner().member, is_alive=True)
    waiting, _ = a_worker(owner(due(3600)).member, is_alive=True)
    holding, _ = a_worker(holders(due(20))[0].member, is_alive=True)
    draining, _ = a_worker(owner().member, is_alive=True)
    for worker in (idle, waiting, holding):
        worker._turn()
    draining.member.drain()

    pauses = [worker._pause_s() for worker in (idle, waiting, holding, draining)]
    assert pauses == [_IDLE_TURN_S, _TURN_S, _TURN_S, _TURN_S]


async def test_what_is_held_is_followed_from_the_moment_at_which_a_rebalance_begins() -> None:
    bench, _ = holders(due(20))
    worker, _ = a_worker(bench.member, is_alive=True)
    polls, follows = 0, asyncio.Queue[dict[Any, int]]()

    async def poll(_: float) -> list[Any]:
        nonlocal polls
        polls += 1
        await asyncio.sleep(0.01)
        return []

    follower: Any = SimpleNamespace(follow=follows.put_nowait, poll=poll)
    worker.folding._follower = follower
    following = asyncio.create_task(worker.folding.follow_for_ever())
    try:
        await asyncio.sleep(0.1)
        assert polls == 0, "all that it holds comes by the stream"
        worker.revoked()
        async with asyncio.timeout(_REST_S / 2):
            assert {place.partition for place in await follows.get()} == {0}
    finally:
        following.cancel()


async def test_a_worker_that_stops_ends_each_command_after_the_drain_time_of_its_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, keys = holders(due(20), due(21), due(22))
    worker, _ = a_worker(bench.member, is_alive=True)
    for key, drain_s in zip(keys, (None, 5.0, 0.0), strict=True):
        held = bench.member.holding[key]
        held.run = held.run.derive(drain_s=drain_s)
    ended: list[Any] = []
    monkeypatch.setattr(worker.executor, "send", lambda *orders: ended.extend(orders))

    async def waited(_: Member, limit_s: float) -> None:
        ended.append(round(limit_s))

    monkeypatch.setattr(draining, "_until_nothing_is_held", waited)
    await draining.let_commands_end(bench.member, worker._turn, most_s=20.0)

    told = [getattr(one, "key", one) for one in ended if not isinstance(one, protocol.Lease)]
    assert told == [keys[2], 5, keys[1], keys[2], 20, keys[1], keys[2], *keys, 15]
