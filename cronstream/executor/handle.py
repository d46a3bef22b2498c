"""The worker's handle to its executor: starts it, writes to it, hears it, cleans up after it."""

import asyncio
import contextlib
import logging
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Self

from cronstream import clock
from cronstream.executor import tree
from cronstream.executor.child import Child, Options, start
from cronstream.executor.protocol import (
    Down,
    Finished,
    Lines,
    Ping,
    Pong,
    Report,
    Started,
    Up,
    decode_report,
    encode,
)
from cronstream.executor.slots import Slots
from cronstream.executor.spawn import EXECUTOR_MARK
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Seconds that ``close`` gives the executor: its own grace and rounds of KILL take less.
_CLOSE_S = 8.0
_CHUNK = 1 << 18
#: Seconds between two looks for processes of a dead executor.
_SWEEP_PAUSE_S = 0.02

#: Seconds between two looks whether an executor turns, and how many of them it may miss. They are
#: counted by the worker's own turns, so that what holds up both of them is no one's fault.
_PING_S, _MOST_MISSED = 1.0, 5
#: Likewise before its first answer: to start a process takes long on a machine that is overloaded.
_MOST_MISSED_FIRST = 30
#: Seconds that an executor which was killed gets to go, before its commands are killed.
_KILLED_S = 1.0

OnReports = Callable[[list[Report]], None]
OnDeath = Callable[["ExecutorHandle", str], None]


class ExecutorHandle:
    """One executor, from its start until it is closed or dies.

    ``launch`` makes one. Both callbacks are called in the event loop and must not raise.

    Attributes:
        pid: The executor's process.
        mark: What it marks whatever it starts with.
        has_turned: Whether it has ever said anything.
    """

    def __init__(self, child: Child, on_reports: OnReports) -> None:
        self.pid, self.mark = child.process.pid, child.mark
        self.has_turned = False
        self._child, self._process = child, child.process
        self._on_reports = on_reports
        self._sessions: dict[str, int] = {}
        #: Sessions that were there when it was killed for not turning, and why it was.
        self._left: set[int] = set()
        self._fault: str | None = None
        self._awaits_pong = False
        self._unsent: list[Down] = []
        self._transport: asyncio.Transport | None = None
        self._is_closing = self._is_buried = False
        self._gone = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._pings: asyncio.Task[None] | None = None

    @classmethod
    async def launch(
        cls, slots: Slots, options: Options, on_reports: OnReports, on_death: OnDeath
    ) -> Self:
        """Start an executor.

        Args:
            slots: What it takes one of for each command that runs.
            options: What it is given when it starts.
            on_reports: Gets the reports as they come, several at a time, in order.
            on_death: Gets the reason when the executor has died by itself, after its last
                reports, or was killed because it did not turn. By then nothing runs any more of
                what it had started, as far as it can be killed.

        Raises:
            LaunchError: If the process cannot be started.
        """
        child = start(slots, options)
        handle = cls(child, on_reports)
        loop, ours = asyncio.get_running_loop(), child.socket
        transport, _ = await loop.create_connection(lambda: _Ear(handle, ours), sock=ours)
        handle._transport = transport
        handle._watch = asyncio.create_task(handle._await_death(on_death))
        handle._pings = asyncio.create_task(handle._see_that_it_turns())
        return handle

    @property
    def has_taken(self) -> bool:
        """Whether it has a slot now."""
        return self.is_alive and self.taken > 0

    @property
    def taken(self) -> int:
        """How many slots it has that have not been given back."""
        return 0 if self._is_buried else self._child.taken.number

    @property
    def is_alive(self) -> bool:
        """Whether it can still be sent something."""
        return not self._gone.is_set()

    def send(self, *orders: Down) -> None:
        """Send orders to the executor; those of one turn of the event loop go in one go.

        After ``close``, or the executor's death, nothing is sent. Never waits.
        """
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._write)
        self._unsent.extend(orders)

    async def close(self) -> None:
        """Have every command ended, and wait until the executor is gone: at most some seconds.

        What it still reports meanwhile (``interrupted``) is passed on. May be called twice.
        """
        self._write()
        self._is_closing = True
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._gone.wait()
        except TimeoutError:
            self._process.kill()
            self.lost()
        if self._pings is not None:
            self._pings.cancel()
        if self._watch is not None:
            await self._watch

    def receive(self, reports: list[Up]) -> None:
        """Note who runs, and pass the reports on."""
        self.has_turned, self._awaits_pong = True, False
        for report in reports:
            match report:
                case Started(key=key, pid=pid):
                    self._sessions[key] = pid
                case Finished(key=key):
                    self._sessions.pop(key, None)
                case _:
                    pass
        heard = [report for report in reports if not isinstance(report, Pong)]
        if heard:
            self._on_reports(heard)

    def lost(self) -> None:
        """Note that the executor has closed its end: it has ended, or cannot be understood."""
        self._gone.set()

    def _write(self) -> None:
        if self._unsent and self._transport is not None and not self._is_closing:
            self._transport.write(encode(self._unsent))
        self._unsent.clear()

    async def _see_that_it_turns(self) -> None:
        """Kill it if it has not answered for some seconds: something holds up all its commands."""
        missed = 0
        while self.is_alive:
            if not missed:
                self._awaits_pong = True
                self.send(Ping())
            await asyncio.sleep(clock.until_step(_PING_S))
            missed = missed + 1 if self._awaits_pong else 0
            most = _MOST_MISSED if self.has_turned else _MOST_MISSED_FIRST
            if missed > most and self.is_alive:
                where = tree.waits_in(self.pid)
                self._fault = f"has not responded for {most * _PING_S:g} s ({where})"
                about = fields("executor-stuck", executor=self.pid)
                logger.error("executor %d %s: it is killed", self.pid, self._fault, extra=about)
                self._left = tree.sessions_beneath([self.pid])
                self._process.kill()
                self.lost()

    async def _await_death(self, on_death: OnDeath) -> None:
        """Wait for the end of the executor; end what it leaves, and report how it died."""
        await self._gone.wait()
        was_closing, self._is_closing = self._is_closing, True
        how = await asyncio.to_thread(self._bury)
        if self._transport is not None:
            self._transport.abort()
        self._child.slots.release(self._child.taken.number)
        self._child.taken.close()
        self._is_buried = True
        if not was_closing:
            on_death(self, f"executor {self.pid} {how}")

    def _bury(self) -> str:
        """Reap the executor, and kill all that it had started; return how it ended."""
        if self._fault is None:
            self._reap(_CLOSE_S / 2)
        self._process.kill()
        status = self._reap(_KILLED_S)
        sessions = {*self._sessions.values(), *self._left}
        tree.kill_wherever(
            lambda pid, process: (
                process.session in sessions or tree.variable(pid, EXECUTOR_MARK) == self.mark
            ),
            pause=lambda: time.sleep(_SWEEP_PAUSE_S),
        )
        if self._fault is not None:
            return f"{self._fault} and was killed"
        return "cannot be killed" if status is None else f"has died ({_how(status)})"

    def _reap(self, within_s: float) -> int | None:
        """Wait for its end; None if it does not come: who hangs in the kernel may not go at all."""
        try:
            return self._process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            return None


class _Ear(asyncio.Protocol):
    """What asyncio calls when the executor says something, or nothing any more."""

    def __init__(self, handle: ExecutorHandle, sock: socket.socket) -> None:
        self._handle = handle
        self._socket = sock
        self._lines = Lines()

    def data_received(self, data: bytes) -> None:
        """Pass on the reports that have come whole.

        A line that is no report raises, and asyncio then logs it and closes the connection: the
        executor is not of this version, and is buried.
        """
        reports = [decode_report(line) for line in self._lines.feed(data)]
        if reports:
            self._handle.receive(reports)

    def eof_received(self) -> bool:
        """Have asyncio close the transport."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Report it to the handle; the reason shows in the executor's exit status.

        If it was a write that met the end, there may be last reports that nobody has read.
        """
        try:
            if isinstance(error, OSError):
                self._read_the_rest()
        finally:
            self._handle.lost()

    def _read_the_rest(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(_CHUNK):
                self.data_received(data)


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
