"""The worker's handle to its executor: starts it, tells it, hears it, and cleans up after it."""

import asyncio
import contextlib
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Self

from cronstream.errors import LaunchError
from cronstream.executor import tree
from cronstream.executor.protocol import (
    Finished,
    Lines,
    Order,
    Report,
    Started,
    decode_report,
    encode,
)
from cronstream.executor.slots import Slots
from cronstream.executor.spawn import EXECUTOR_MARK

#: Seconds that ``close`` gives the executor: its own grace and rounds of KILL take less.
_CLOSE_S = 8.0
_CHUNK = 1 << 18
#: Seconds between two looks for processes of a dead executor.
_SWEEP_PAUSE_S = 0.02

OnReports = Callable[[list[Report]], None]
OnDeath = Callable[[str], None]


class ExecutorHandle:
    """One executor, from its start until it is closed or dies.

    ``launch`` makes one. Both callbacks are called in the event loop and must not raise.

    Attributes:
        pid: The executor's process.
    """

    def __init__(self, child: subprocess.Popen[bytes], mark: str, on_reports: OnReports) -> None:
        self.pid = child.pid
        self._child = child
        self._mark = mark
        self._on_reports = on_reports
        self._sessions: dict[str, int] = {}
        self._unsent: list[Order] = []
        self._transport: asyncio.Transport | None = None
        self._is_closing = False
        self._gone = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def launch(
        cls, slots: Slots, output_bytes: int, on_reports: OnReports, on_death: OnDeath
    ) -> Self:
        """Start an executor.

        Args:
            slots: What it takes one of for each command that runs.
            output_bytes: Bytes kept of the beginning of each output, and as many of its end.
            on_reports: Gets the reports as they come, several at a time, in order.
            on_death: Gets the reason when the executor has died by itself, after its last
                reports; by then nothing runs any more of what it had started.

        Raises:
            LaunchError: If the process cannot be started.
        """
        mark = secrets.token_hex(16)
        ours, theirs = socket.socketpair()
        try:
            child = _start(theirs.fileno(), mark, slots, output_bytes)
        except OSError as error:
            ours.close()
            raise LaunchError(f"the executor cannot be started: {error}") from error
        finally:
            theirs.close()
        handle = cls(child, mark, on_reports)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: _Ear(handle, ours), sock=ours)
        handle._transport = transport
        handle._watch = asyncio.create_task(handle._await_death(on_death))
        return handle

    @property
    def is_alive(self) -> bool:
        """Whether it can still be told something."""
        return not self._gone.is_set()

    def send(self, *orders: Order) -> None:
        """Tell the executor; all that is told in one turn of the event loop goes in one go.

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
            self._child.kill()
        if self._watch is not None:
            await self._watch

    def take(self, reports: list[Report]) -> None:
        """Note who runs, and pass the reports on."""
        for report in reports:
            match report:
                case Started(key=key, pid=pid):
                    self._sessions[key] = pid
                case Finished(key=key):
                    self._sessions.pop(key, None)
                case _:
                    pass
        self._on_reports(reports)

    def lost(self) -> None:
        """Note that the executor has closed its end: it has ended, or cannot be understood."""
        self._gone.set()

    def _write(self) -> None:
        if self._unsent and self._transport is not None and not self._is_closing:
            self._transport.write(encode(self._unsent))
        self._unsent.clear()

    async def _await_death(self, on_death: OnDeath) -> None:
        """Wait for the end of the executor; end what it leaves, and say so if it is no wonder."""
        await self._gone.wait()
        was_closing, self._is_closing = self._is_closing, True
        status = await asyncio.to_thread(self._bury)
        if not was_closing:
            on_death(f"executor {self.pid} has died ({_how(status)})")

    def _bury(self) -> int:
        """Reap the executor, and kill all that it had started; return its return code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=_CLOSE_S / 2)
        self._child.kill()
        status = self._child.wait()
        sessions = set(self._sessions.values())
        tree.kill_wherever(
            lambda pid, process: (
                process.session in sessions or tree.variable(pid, EXECUTOR_MARK) == self._mark
            ),
            pause=lambda: time.sleep(_SWEEP_PAUSE_S),
        )
        return status


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
            self._handle.take(reports)

    def eof_received(self) -> bool:
        """Have asyncio close the transport."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the handle; the reason shows in the executor's exit status.

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


def _start(descriptor: int, mark: str, slots: Slots, output_bytes: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cronstream.executor",
            f"--socket={descriptor}",
            f"--id={mark}",
            "--slots={},{}".format(*slots.descriptors),
            f"--output-bytes={output_bytes}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(descriptor, *slots.descriptors),
        start_new_session=True,
    )


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
