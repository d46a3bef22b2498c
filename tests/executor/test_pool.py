"""Several executors as one: shared slots, one end."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from cronstream import clock
from cronstream.executor import backing_off
from cronstream.executor import handle as handle_module
from cronstream.executor.child import Options
from cronstream.executor.pool import ExecutorPool
from cronstream.executor.protocol import (
    Cancel,
    Cancelled,
    End,
    Finished,
    Go,
    Kept,
    Lease,
    Report,
    Started,
)
from tests.executor.test_deaths import begin
from tests.executor.witness import a_hold, is_alive, now, text_in, until_gone

#: A worker in small, which runs two commands, and says which processes there are.
WORKER = """
import asyncio, sys
from tests.executor.test_pool import Pool
from tests.executor.witness import a_hold
from cronstream.executor.protocol import Started

async def main(file):
    pool = Pool()
    await pool.launch(1, 4)
    pool.pool.send(a_hold("sleep 60"), a_hold("trap '' TERM; while :; do sleep 1; done"))
    await pool.until(Started, 2)
    pids = [one.pid for one in pool.reports]
    with open(file, "w") as file:
        print(*pool.pool.pids, *pids, pool.pool._guard._child.pid, file=file)
    await asyncio.sleep(60)

asyncio.run(main(sys.argv[1]))
"""


class Pool:
    """A pool of executors, and all that it has reported."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.deaths: list[str] = []
        self.lost: list[list[str]] = []
        self._pool: ExecutorPool | None = None

    async def launch(self, number: int, slots: int) -> None:
        extend = self.reports.extend
        self._pool = await ExecutorPool.launch(number, slots, Options(100), extend, self._died)
        self.pool.send(Lease("p", clock.monotonic() + 600))

    @property
    def pool(self) -> ExecutorPool:
        assert self._pool is not None
        return self._pool

    async def until(self, kind: type[Report], number: int) -> None:
        await self.until_so(lambda: sum(isinstance(one, kind) for one in self.reports) >= number)

    async def until_so(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():  # noqa: ASYNC110 - many causes
                await asyncio.sleep(0.01)

    def over(self) -> set[str]:
        """The keys of what has ended, or was cancelled."""
        return {one.key for one in self.reports if isinstance(one, Finished | Cancelled)}

    def _died(self, reason: str, keys: list[str]) -> None:
        self.deaths.append(reason)
        self.lost.append(keys)

    def most_at_a_time(self) -> int:
        """How many commands ran side by side, at most."""
        ends = [report for report in self.reports if isinstance(report, Finished)]
        changes = [(one.started_at or 0.0, 1) for one in ends]
        changes += [(one.ended_at, -1) for one in ends]
        running, most = 0, 0
        for _, change in sorted(changes):
            running += change
            most = max(most, running)
        return most


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    await pool.launch(3, 4)
    yield pool
    await pool.pool.close()


async def test_slots_are_shared_by_all_executors(pool: Pool) -> None:
    pool.pool.send(*(a_hold("sleep 0.2") for _ in range(16)))
    await pool.until(Finished, 16)
    assert pool.most_at_a_time() == 4


async def test_a_slot_of_one_executor_serves_what_another_holds(pool: Pool) -> None:
    pool.pool.send(*(a_hold("sleep 30") for _ in range(3)))
    await pool.until(Started, 3)
    pool.pool.send(*(a_hold("exit 0") for _ in range(12)))
    await pool.until(Finished, 12)


async def test_no_more_executors_than_slots_are_started() -> None:
    one = Pool()
    await one.launch(3, 1)
    assert len(one.pool.pids) == 1
    await one.pool.close()


async def test_what_follows_a_hold_reaches_the_executor_that_has_it(pool: Pool) -> None:
    gone = [a_hold(at=now() + 60) for _ in range(9)]
    going = [a_hold(go=False) for _ in range(9)]
    pool.pool.send(*gone, *going)
    pool.pool.send(*(Cancel(hold.key) for hold in gone), *(Go(hold.key) for hold in going))
    await pool.until(Cancelled, 9)
    await pool.until(Finished, 9)


async def test_one_that_dies_is_replaced_and_says_what_it_had(pool: Pool) -> None:
    ended = [a_hold() for _ in range(9)]
    pool.pool.send(*ended)
    await pool.until(Finished, 9)
    holds = [a_hold("sleep 30") for _ in range(4)]
    waiting = [a_hold(at=now() + 600) for _ in range(30)]
    pool.pool.send(*holds, *waiting)
    await pool.until(Started, 13)
    before = pool.pool.pids
    os.kill(before[0], signal.SIGKILL)
    await pool.until_so(lambda: bool(pool.deaths))

    [reason], [lost] = pool.deaths, pool.lost
    assert reason == f"executor {before[0]} has died (signal 9)"
    left = {hold.key for hold in (*holds, *waiting)} - set(lost)
    assert 0 < len(lost) < 34
    mine = [one.pid for one in pool.reports if isinstance(one, Started) and one.key in lost]
    assert not any(map(is_alive, mine))
    await pool.until_so(lambda: pool.pool.pids[0] != before[0])
    assert pool.pool.pids[1:] == before[1:]
    assert pool.pool.is_alive

    # What is told of them now is answered as of what has started, and no key is taken twice.
    pool.pool.send(*(Cancel(key) for key in lost), *holds, *ended)
    await pool.until(Kept, len(lost))
    pool.pool.send(*(End(key, None) for key in left))
    await pool.until_so(lambda: left <= pool.over())
    assert pool.over() & set(lost) == set()
    # Its slots are there again, and the leases were told to the new one.
    last = [a_hold("sleep 0.2") for _ in range(12)]
    pool.pool.send(*last)
    await pool.until_so(lambda: {hold.key for hold in last} <= pool.over())
    assert pool.most_at_a_time() == 4


async def test_a_place_is_filled_however_the_start_of_another_failed(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter([OSError(27, "File too large"), RuntimeError("whatever")])
    really = handle_module.ExecutorHandle.launch

    async def launch(*args: Any) -> handle_module.ExecutorHandle:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await really(*args)

    monkeypatch.setattr(handle_module.ExecutorHandle, "launch", launch)
    before = pool.pool.pids
    os.kill(before[0], signal.SIGKILL)
    await pool.until_so(lambda: pool.pool.pids[0] != before[0])

    assert caplog.text.count("an executor could not be started") == 2
    pool.pool.send(*(a_hold() for _ in range(12)))
    await pool.until(Finished, 12)


async def test_one_dies_and_is_replaced_where_no_file_may_be_written(pool: Pool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = pool.pool.pids
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        os.kill(before[0], signal.SIGKILL)
        await pool.until_so(lambda: pool.pool.pids[0] != before[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_one_that_does_not_turn_is_killed_with_what_it_had_and_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handle_module, "_PING_S", 0.2)
    pool = Pool()
    await pool.launch(3, 4)
    holds = [a_hold("trap '' TERM; env -i setsid sleep 60 & wait") for _ in range(4)]
    pool.pool.send(*holds)
    await pool.until(Started, 4)
    hung = pool.pool.pids
    os.kill(hung[1], signal.SIGSTOP)
    await pool.until_so(lambda: bool(pool.deaths))
    assert "has not responded for 1 s (state T" in pool.deaths[0]
    mine = [one.pid for one in pool.reports if isinstance(one, Started) and one.key in pool.lost[0]]
    assert not any(map(is_alive, [hung[1], *mine]))
    await pool.until_so(lambda: pool.pool.pids[1] != hung[1])
    await pool.pool.close()


async def test_an_attempt_that_is_to_be_alone_has_an_executor_of_its_own(pool: Pool) -> None:
    parent = "echo $PPID; sleep 0.5"
    alone = [a_hold(parent, alone=True) for _ in range(2)]
    pool.pool.send(*alone, *(a_hold(parent) for _ in range(2)))
    await pool.until(Finished, 4)
    heads = {one.key: int(one.head) for one in pool.reports if isinstance(one, Finished)}
    own = {heads[hold.key] for hold in alone}
    assert len(own) == 2
    assert not own & set(pool.pool.pids)
    assert {heads[key] for key in heads.keys() - {hold.key for hold in alone}} <= set(
        pool.pool.pids
    )
    await until_gone(*own)


async def test_the_death_of_one_that_is_alone_costs_nobody_else_anything(pool: Pool) -> None:
    beside = [a_hold("sleep 1") for _ in range(2)]
    killer = a_hold("kill -9 $PPID; sleep 60", alone=True)
    before = pool.pool.pids
    pool.pool.send(*beside, killer)
    await pool.until_so(lambda: bool(pool.deaths))
    assert pool.lost == [[killer.key]]
    await pool.until(Finished, 2)
    assert pool.pool.pids == before


async def test_what_is_told_of_one_that_waits_for_its_executor_reaches_it(pool: Pool) -> None:
    going, gone = a_hold(go=False, alone=True), a_hold(at=now() + 600, alone=True)
    pool.pool.send(going, gone, Go(going.key), Cancel(gone.key))
    await pool.until(Cancelled, 1)
    await pool.until(Finished, 1)


async def test_what_was_never_told_has_never_started(pool: Pool) -> None:
    pool.pool.send(Cancel("nobody@1#1"))
    await pool.until(Cancelled, 1)


async def test_a_pool_without_executors_is_given_up_after_some_tries(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_off, "_BACK_OFF_S", 0.001)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    first, *others = pool.pool.pids
    os.kill(first, signal.SIGKILL)
    await pool.until_so(lambda: pool.pool._backing_off.failures > 6)
    assert pool.pool.is_alive, "another lives"

    for pid in others:
        os.kill(pid, signal.SIGKILL)
    await pool.until_so(lambda: not pool.pool.is_alive)
    await pool.until_so(lambda: "no executor can be started any more" in pool.deaths)
    # As if the death of one that had turned were noticed only now.
    pool.pool._backing_off.failures = 0
    pool.pool.send(a_hold())
    await pool.until(Cancelled, 1)
    assert pool.deaths.count("no executor can be started any more") == 1


async def test_many_that_are_to_be_alone_start_no_more_executors_than_there_are_slots(
    pool: Pool,
) -> None:
    holds = [a_hold("sleep 0.4", alone=True) for _ in range(12)]
    pool.pool.send(*holds)
    most = 0
    async with asyncio.timeout(60):
        while sum(isinstance(one, Finished) for one in pool.reports) < len(holds):
            most = max(most, len(pool.pool._alone))
            await asyncio.sleep(0.02)
    assert most <= 4 + 1


async def test_a_cancel_of_what_was_never_told_needs_no_executor(pool: Pool) -> None:
    for pid in pool.pool.pids:
        os.kill(pid, signal.SIGSTOP)
    hold = a_hold()
    pool.pool.send(Cancel(hold.key))
    await pool.until(Cancelled, 1)
    pool.pool.send(hold)
    for pid in pool.pool.pids:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(0.3)
    assert not any(isinstance(one, Finished) for one in pool.reports)


async def test_nothing_is_left_of_a_dead_worker_whose_executor_is_no_help(tmp_path: Path) -> None:
    async def dies(how: str) -> None:
        file = tmp_path / how.replace(" ", "-")
        worker = begin(sys.executable, "-c", WORKER, str(file))
        executor, command, deaf, guard = map(int, (await text_in(file)).split())
        if how == "its executor was killed with it":
            os.kill(executor, signal.SIGKILL)
        else:
            os.kill(executor, signal.SIGSTOP)
        if how == "its executor hangs, and its guard is a new one":
            os.kill(guard, signal.SIGKILL)
            async with asyncio.timeout(20):
                while guard in guards(worker.pid) or not guards(worker.pid):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.3)
        worker.kill()
        worker.wait()
        await until_gone(executor, command, deaf, within_s=20.0)

    await asyncio.gather(
        dies("its executor hangs"),
        dies("its executor hangs, and its guard is a new one"),
        dies("its executor was killed with it"),
    )


def guards(worker: int) -> list[int]:
    """The guards of a worker, but for one that has ended."""
    children = psutil.Process(worker).children()
    alive = [child for child in children if is_alive(child.pid)]
    return [child.pid for child in alive if "cronstream.executor.guard" in child.cmdline()]
