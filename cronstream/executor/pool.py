"""A worker's executors: several, so that the cores of the machine start commands side by side.

One process can start one command after another only, since each start waits for the child to reach
its program. Which executor an attempt is handed to follows from its key; slots are shared. One that
dies, or does not respond, is replaced; an attempt that may be to blame is made in one of its own.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Self
from zlib import crc32

from cronstream.errors import LaunchError
from cronstream.executor.backing_off import BackingOff
from cronstream.executor.balance import Balance
from cronstream.executor.child import Options
from cronstream.executor.guarding import Guard
from cronstream.executor.handle import ExecutorHandle, OnReports
from cronstream.executor.homes import Homes
from cronstream.executor.protocol import (
    Cancel,
    Cancelled,
    Clock,
    End,
    Finished,
    Go,
    Hold,
    Kept,
    Lease,
    Order,
    Report,
    Show,
)
from cronstream.executor.slots import Slots
from cronstream.logs import fields
from cronstream.polling import until

logger = logging.getLogger(__name__)

#: Gets the reason, and the keys of what the executor had and has not reported as finished.
OnDeath = Callable[[str, list[str]], None]

#: Between two looks for a free slot, for an attempt that is to be alone; and how long it may take.
_LOOK_S = 0.05
_LOOKS_FOR_ITS_SLOT = 20


class ExecutorPool:
    """Executors that are written to and heard as one.

    ``launch`` makes one.
    """

    def __init__(
        self, slots: Slots, options: Options, on_reports: OnReports, on_death: OnDeath
    ) -> None:
        self._slots, self._options = slots, options
        self._on_reports, self._on_death = on_reports, on_death
        self._guard, self._balance = Guard(), Balance(slots, self._taken)
        self._handles: list[ExecutorHandle] = []
        #: Those that have one attempt only, by its key.
        self._alone: dict[str, ExecutorHandle] = {}
        self._to_be_alone: set[str] = set()
        self._leaving: set[ExecutorHandle] = set()
        self._homes: Homes[ExecutorHandle] = Homes()
        #: What all have to know: the last lease of each partition, and the clock.
        self._common: dict[str | None, Lease | Clock] = {}
        self._backing_off = BackingOff(self._launch)
        self._is_closing = self._has_given_up = False
        #: Of those that are to be alone, one after another looks for a slot.
        self._looking = asyncio.Lock()
        #: Those that are being started, and those that are being ended.
        self._starts: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.Task[None]] = set()

    @classmethod
    async def launch(
        cls, number: int, slots: int, options: Options, on_reports: OnReports, on_death: OnDeath
    ) -> Self:
        """Start so many executors; see `ExecutorHandle.launch` for the rest.

        Args:
            number: Of executors; no more than there are slots.
            slots: Commands that may run at a time, in all of them together.
            options: What each is given when it starts.
            on_reports: Gets the reports of all of them.
            on_death: Is called when one has died, by itself or because it did not turn; by then
                nothing runs any more of what it had started, as far as it can be killed. If
                `is_alive` is false then, no other could be started.

        Raises:
            LaunchError: If one cannot be started.
        """
        pool = cls(Slots.make(slots), options, on_reports, on_death)
        try:
            pool._guard.start()
            _keep(pool._starts, pool._balance.keep_for_ever())
            for _ in range(min(number, slots)):
                pool._handles.append(await pool._backing_off.launch())
        except OSError as error:
            await pool.close()
            raise LaunchError(f"the guard of executors cannot be started: {error}") from error
        except BaseException:
            await pool.close()
            raise
        return pool

    @property
    def is_alive(self) -> bool:
        """Whether there are executors, or others follow them; once not, never again."""
        has_ended = self._is_closing or self._has_given_up
        has_others = any(handle.is_alive for handle in self._handles)
        return not has_ended and (has_others or self._backing_off.is_worth_a_try)

    @property
    def pids(self) -> list[int]:
        """The processes of those that are shared."""
        return [handle.pid for handle in self._handles]

    @property
    def children(self) -> set[int]:
        """All processes that were started here and are waited for."""
        guard = () if self._guard.pid is None else (self._guard.pid,)
        return {*(handle.pid for handle in self._all()), *guard}

    def _all(self) -> set[ExecutorHandle]:
        return {*self._handles, *self._alone.values(), *self._leaving}

    def _taken(self) -> int:
        return sum(handle.taken for handle in self._all())

    def send(self, *orders: Order) -> None:
        """Send each what is for it; see `ExecutorHandle.send`."""
        for order in orders:
            match order:
                case Lease() | Clock():
                    self._common[order.partition if isinstance(order, Lease) else None] = order
                    for handle in (*self._handles, *self._alone.values()):
                        handle.send(order)
                case Hold():
                    self._hold(order)
                case _:
                    self._pass_on(order)

    async def close(self) -> None:
        """Have every command ended, and wait until all executors are gone. May be called twice."""
        was_closing, self._is_closing = self._is_closing, True
        starts = list(self._starts)
        for task in starts:
            task.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        handles = (*self._handles, *self._alone.values())
        await asyncio.gather(*map(self._end, handles), *self._ends)
        if not was_closing:
            self._guard.close()
            self._slots.close()

    # -- what is sent -----------------------------------------------------------------------------

    def _hold(self, hold: Hold) -> None:
        if hold.key in self._homes:
            return
        if not self.is_alive:
            self._answer(Cancelled(hold.key))
            return
        handle = None if hold.alone else self._shared(hold.key)
        if handle is not None:
            self._homes.settle(hold.key, handle)
            handle.send(hold)
            return
        self._homes.wait(hold.key, hold)
        if hold.alone:
            self._to_be_alone.add(hold.key)
            _keep(self._starts, self._settle_alone(hold.key))

    def _pass_on(self, order: Go | Cancel | End | Show) -> None:
        key, handle = order.key, self._homes.of(order.key)
        if handle is not None:
            handle.send(order)
        elif isinstance(order, Cancel | End):
            # No executor has it, so none has to be asked: one that dies would not answer.
            has_started = self._homes.has_started(key) or False
            self._forget(key, has_started=has_started)
            self._answer(Kept(key) if has_started else Cancelled(key))
        elif isinstance(order, Go) and self._homes.is_waiting(key):
            self._homes.wait(key, order)

    def _forget(self, key: str, *, has_started: bool) -> None:
        self._homes.ended(key, has_started=has_started)
        self._to_be_alone.discard(key)

    def _answer(self, report: Report) -> None:
        """Report what no executor is needed for, as if it came from one."""
        asyncio.get_running_loop().call_soon(self._receive, [report])

    def _shared(self, key: str) -> ExecutorHandle | None:
        """Return the executor of a key; another one's while it is being replaced."""
        first = crc32(key.encode()) % len(self._handles)
        in_turn = (*self._handles[first:], *self._handles[:first])
        return next((handle for handle in in_turn if handle.is_alive), None)

    # -- what is heard ------------------------------------------------------------------------

    def _receive(self, reports: list[Report]) -> None:
        for report in reports:
            if isinstance(report, Finished | Cancelled):
                self._homes.ended(report.key, has_started=isinstance(report, Finished))
                if handle := self._alone.pop(report.key, None):
                    _keep(self._ends, self._end(handle))
        self._on_reports(reports)

    def _died(self, handle: ExecutorHandle, reason: str) -> None:
        self._guard.forget(handle.mark)
        keys = self._homes.died(handle)
        for key in keys:
            self._alone.pop(key, None)
        if handle in self._handles:
            self._backing_off.died(handle)
            _keep(self._starts, self._replace(handle))
        self._on_death(reason, keys)

    # -- starting -----------------------------------------------------------------------------

    async def _launch(self) -> ExecutorHandle:
        launching = asyncio.ensure_future(
            ExecutorHandle.launch(self._slots, self._options, self._receive, self._died)
        )
        try:
            handle = await asyncio.shield(launching)
        except asyncio.CancelledError:
            _keep(self._ends, self._end_started(launching))
            raise
        self._guard.watch(handle.pid, handle.mark)
        return handle

    async def _launch_whatever_it_takes(self) -> ExecutorHandle | None:
        """Start one; again if that fails; None if it is given up."""
        handle = await self._backing_off.launch_while(lambda: self.is_alive)
        if handle is None:
            self._give_up()
        return handle

    def _give_up(self) -> None:
        if self._has_given_up or self._is_closing:
            return
        self._has_given_up = True
        for key in self._homes.waiting():
            self._forget(key, has_started=False)
            self._answer(Cancelled(key))
        self._on_death("no executor can be started any more", [])

    async def _replace(self, dead: ExecutorHandle) -> None:
        if (handle := await self._launch_whatever_it_takes()) is None:
            return
        self._handles[self._handles.index(dead)] = handle
        handle.send(*self._common.values())
        about = fields("executor-replaced", executor=handle.pid)
        logger.info("executor %d has taken the place of %d", handle.pid, dead.pid, extra=about)
        for key in self._homes.waiting():
            if key not in self._to_be_alone:
                handle.send(*self._homes.settle(key, handle))

    async def _settle_alone(self, key: str) -> None:
        """Start an executor for one attempt, once there is a slot: there may be many of them."""
        async with self._looking:
            # Slots are tokens in a pipe, which others take and give.
            alone, slots = self._to_be_alone, self._slots
            await until(lambda: key not in alone or slots.number > 0, _LOOK_S)
            handle = await self._launch_whatever_it_takes() if key in self._to_be_alone else None
            if handle is None:
                return
            if key not in self._to_be_alone:  # It was cancelled meanwhile.
                _keep(self._ends, self._end(handle))
                return
            self._to_be_alone.discard(key)
            self._alone[key] = handle
            handle.send(*self._common.values(), *self._homes.settle(key, handle))
            for _ in range(_LOOKS_FOR_ITS_SLOT):
                if handle.has_taken or self._alone.get(key) is not handle:
                    return
                await asyncio.sleep(_LOOK_S)

    async def _end_started(self, launching: asyncio.Future[ExecutorHandle]) -> None:
        with contextlib.suppress(LaunchError):
            await self._end(await launching)

    async def _end(self, handle: ExecutorHandle) -> None:
        self._leaving.add(handle)
        await handle.close()
        self._leaving.discard(handle)
        self._guard.forget(handle.mark)


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    """Have it done, and hold on to it until it is."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
