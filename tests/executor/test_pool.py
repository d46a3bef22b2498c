"""Several executors as one: shared slots, one end."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from cronstream import clock
from cronstream.executor import tree
from cronstream.executor.pool import ExecutorPool
from cronstream.executor.protocol import Cancel, Cancelled, Finished, Go, Lease, Report, Started
from tests.executor.witness import a_hold, now


class Pool:
    """A pool of executors, and all that it has reported."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.deaths: list[str] = []
        self._pool: ExecutorPool | None = None

    async def launch(self, number: int, slots: int) -> None:
        extend, died = self.reports.extend, self.deaths.append
        self._pool = await ExecutorPool.launch(number, slots, 100, extend, died)
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


async def test_the_death_of_one_ends_all_before_it_is_told(pool: Pool) -> None:
    holds = [a_hold("sleep 30") for _ in range(4)]
    pool.pool.send(*holds)
    await pool.until(Started, 4)
    os.kill(pool.pool.pids[0], signal.SIGKILL)
    await pool.until_so(lambda: bool(pool.deaths))
    assert pool.deaths == [f"executor {pool.pool.pids[0]} has died (signal 9)"]
    assert not pool.pool.is_alive
    started = [one.pid for one in pool.reports if isinstance(one, Started)]
    left = [process for pid in started if (process := tree.look_up(pid))]
    assert all(process.is_zombie for process in left)
