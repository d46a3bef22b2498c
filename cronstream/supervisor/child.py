"""One part as a process: its lines, its end, and the end of all that it has started."""

import asyncio
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import psutil

from cronstream.settings import child_environment
from cronstream.supervisor.command import Command
from cronstream.supervisor.lines import LineSplitter

_LAST_LINES = 5
#: What a child has left in its pipe is there at once; who else holds the pipe is not waited for.
_READ_REST_S = 1.0


class Guard(Protocol):
    """What ends children if this process dies: it knows of them."""

    def add(self, group: int) -> None:
        """Note a process group that is to be ended."""

    def remove(self, group: int) -> None:
        """Forget one that has ended."""


class Child(Protocol):
    """What a keeper asks of a part that runs: a process here, or the embedded Kafka."""

    async def wait(self) -> int:
        """Wait for its end and return its exit status, negative for a signal."""

    async def stop(self) -> None:
        """Ask it to stop, wait for that, and end it if it takes too long."""

    async def kill(self) -> None:
        """End it at once and wait for that."""

    def kill_now(self) -> None:
        """End it at once; waits for nothing."""

    def last_lines(self) -> list[str]:
        """Return the last lines that it wrote."""


class Lines(asyncio.Protocol):
    """What a child writes, as lines: read from a pipe of our own.

    asyncio's own pipe can only be closed by its reader, so that what a child leaves behind, and
    that still holds the other end, would keep it open.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._splitter = LineSplitter()
        self._ended = asyncio.Event()
        self._transport: asyncio.ReadTransport | None = None

    async def open(self) -> int:
        """Open the pipe and return the end for the child, which the caller closes."""
        read_end, write_end = os.pipe()
        file = os.fdopen(read_end, "rb", 0)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self, file)
        return write_end

    def data_received(self, data: bytes) -> None:
        """Take what was written."""
        self._receive(self._splitter.feed(data))

    def connection_lost(self, _exc: Exception | None) -> None:
        """Take what has no end of its line."""
        self._receive(self._splitter.end())
        self._ended.set()

    async def rest(self) -> None:
        """Wait for the last of what a child has written that has ended, and close the pipe."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_READ_REST_S):
                await self._ended.wait()
        self.close()
        await self._ended.wait()

    def close(self) -> None:
        """Read no more."""
        if self._transport is not None:
            self._transport.close()

    def last(self) -> list[str]:
        """Return the last lines that are not empty."""
        return list(self._last)

    def _receive(self, lines: list[str]) -> None:
        for line in lines:
            if line.strip():
                self._last.append(line)
            self._say(line)


class ProcessChild:
    """A child process in a session of its own, so that Ctrl-C reaches it through us only."""

    def __init__(
        self, process: asyncio.subprocess.Process, lines: Lines, guard: Guard, stop_within_s: float
    ) -> None:
        self._process = process
        self._lines = lines
        self._guard = guard
        self._stop_within_s = stop_within_s

    @classmethod
    async def start(
        cls, command: Command, say: Callable[[str], None], guard: Guard, stop_within_s: float
    ) -> "ProcessChild":
        """Start a command whose lines are handed to `say`.

        Args:
            command: What to start.
            say: Is given each line of its stdout and stderr.
            guard: Is notified of it, and of its end.
            stop_within_s: How long it may take to end after SIGTERM.

        Raises:
            OSError: If it cannot be started.
        """
        lines = Lines(say)
        write_end = await lines.open()
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                env=child_environment(**command.variables),
                cwd=command.folder,
                start_new_session=True,
            )
        except BaseException:
            lines.close()
            raise
        finally:
            os.close(write_end)
        guard.add(process.pid)
        return cls(process, lines, guard, stop_within_s)

    @property
    def pid(self) -> int:
        """Its process, which is also its process group and session."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for its end, and for the last of its lines."""
        status = await self._process.wait()
        await self._lines.rest()
        self._guard.remove(self._process.pid)
        return status

    async def stop(self) -> None:
        """Send SIGTERM to it alone: what it has started is its own to end, in its own order."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._stop_within_s):
                await self._process.wait()
        except TimeoutError:
            self.kill_now()
        _ = await self.wait()

    async def kill(self) -> None:
        """End it with all that it has started."""
        self.kill_now()
        _ = await self.wait()

    def kill_now(self) -> None:
        """Send SIGKILL to it and to all its descendants, whatever sessions they made."""
        if self._process.returncode is not None:
            return
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def last_lines(self) -> list[str]:
        """Return its last five lines."""
        return self._lines.last()


def describe(status: int) -> str:
    """Return how a process ended, in words: ``exit status 3``, ``killed by SIGSEGV``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
