"""One part as a process: its lines, its end, and the end of all that it has started."""

import asyncio
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

_CHUNK_BYTES = 65_536
_LAST_LINES = 5
#: What a child has left in its pipe is there at once; who else holds the pipe is not waited for.
_READ_REST_S = 1.0


class Guard(Protocol):
    """What ends children if this process dies: it is told of them."""

    def add(self, group: int) -> None:
        """Note a process group that is to be ended."""

    def remove(self, group: int) -> None:
        """Forget one that has ended."""


class Child(Protocol):
    """What a keeper asks of a part that runs: a process here, or the embedded Kafka."""

    async def wait(self) -> int:
        """Wait for its end and return its exit status, negative for a signal."""

    async def stop(self) -> None:
        """Tell it to stop, wait for that, and end it if it takes too long."""

    async def kill(self) -> None:
        """End it at once and wait for that."""

    def kill_now(self) -> None:
        """End it at once; waits for nothing."""

    def last_lines(self) -> list[str]:
        """Return the last lines that it wrote."""


class ProcessChild:
    """A child process in a session of its own, so that Ctrl-C reaches it through us only."""

    def __init__(
        self, process: asyncio.subprocess.Process, guard: Guard, patience_s: float
    ) -> None:
        self._process = process
        self._guard = guard
        self._patience_s = patience_s
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, command: Command, say: Callable[[str], None], guard: Guard, patience_s: float
    ) -> "ProcessChild":
        """Start a command whose lines are handed to `say`.

        Args:
            command: What to start.
            say: Is given each line of its stdout and stderr.
            guard: Is told of it, and of its end.
            patience_s: How long it may take to end after SIGTERM.

        Raises:
            OSError: If it cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=child_environment(**command.variables),
            start_new_session=True,
        )
        guard.add(process.pid)
        child = cls(process, guard, patience_s)
        child._reading = asyncio.create_task(child._read(say))
        return child

    @property
    def pid(self) -> int:
        """Its process, which is also its process group and session."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for its end, and for the last of its lines."""
        status = await self._process.wait()
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=_READ_REST_S)
            self._reading.cancel()
        self._guard.remove(self._process.pid)
        return status

    async def stop(self) -> None:
        """Send SIGTERM to it alone: what it has started is its own to end, in its own order."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._patience_s):
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
        return list(self._last)

    async def _read(self, say: Callable[[str], None]) -> None:
        splitter = LineSplitter()
        if self._process.stdout is None:
            return
        while chunk := await self._process.stdout.read(_CHUNK_BYTES):
            self._take(splitter.feed(chunk), say)
        self._take(splitter.end(), say)

    def _take(self, lines: list[str], say: Callable[[str], None]) -> None:
        for line in lines:
            if line.strip():
                self._last.append(line)
            say(line)


def describe(status: int) -> str:
    """Return how a process ended, in words: ``exit status 3``, ``killed by SIGSEGV``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
