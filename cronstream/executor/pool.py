"""A worker's executors: several, so that the cores of the machine start commands side by side.

One process can start one command after another only, since each start waits for the child to reach
its program. Which executor an attempt is handed to follows from its key; slots are shared.
"""

import asyncio
from collections.abc import Iterable
from typing import Self
from zlib import crc32

from cronstream.executor.handle import ExecutorHandle, OnDeath, OnReports
from cronstream.executor.protocol import Lease, Order
from cronstream.executor.slots import Slots


class ExecutorPool:
    """Executors that are told and heard as one, and live and die together.

    ``launch`` makes one.
    """

    def __init__(self, on_death: OnDeath) -> None:
        self._handles: list[ExecutorHandle] = []
        self._on_death = on_death
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def launch(
        cls, number: int, slots: int, output_bytes: int, on_reports: OnReports, on_death: OnDeath
    ) -> Self:
        """Start so many executors; see `ExecutorHandle.launch` for the rest.

        Args:
            number: Of executors; no more than there are slots.
            slots: Commands that may run at a time, in all of them together.
            output_bytes: Bytes kept of the beginning of each output, and as many of its end.
            on_reports: Gets the reports of all of them.
            on_death: Gets the reason when the first has died by itself; by then the others have
                been ended too, and nothing runs any more of what they had started. `is_alive`
                says it at once.

        Raises:
            LaunchError: If one cannot be started.
        """
        pool, shared = cls(on_death), Slots.make(slots)
        try:
            for _ in range(min(number, slots)):
                pool._handles.append(
                    await ExecutorHandle.launch(shared, output_bytes, on_reports, pool.died)
                )
        except BaseException:
            await pool.close()
            raise
        finally:
            shared.close()  # They have it now.
        return pool

    @property
    def is_alive(self) -> bool:
        """Whether all of them can still be told something."""
        return all(handle.is_alive for handle in self._handles)

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        return [handle.pid for handle in self._handles]

    def send(self, *orders: Order) -> None:
        """Tell each what is for it; see `ExecutorHandle.send`."""
        for handle, some in zip(self._handles, self._shared_out(orders), strict=True):
            if some:
                handle.send(*some)

    async def close(self) -> None:
        """Have every command ended, and wait until all executors are gone. May be called twice."""
        async with asyncio.TaskGroup() as closing:
            for handle in self._handles:
                closing.create_task(handle.close())

    def died(self, reason: str) -> None:
        """Take note that an executor has died: the others end, and then the worker is told."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(reason))

    def _shared_out(self, orders: Iterable[Order]) -> list[list[Order]]:
        """Return the orders of each executor: leases are for all, others for who has the key."""
        shares: list[list[Order]] = [[] for _ in self._handles]
        for order in orders:
            if isinstance(order, Lease):
                for share in shares:
                    share.append(order)
            else:
                shares[crc32(order.key.encode()) % len(shares)].append(order)
        return shares

    async def _end(self, reason: str) -> None:
        await self.close()
        self._on_death(reason)
