"""One part of an installation as chaos sees it: kept alive as a supervisor would, and struck."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO, TypeAlias

import psutil

from cronstream import clock
from cronstream.broker.ports import free_port
from cronstream.core.wire.naming import Role
from cronstream.logs import read_line
from cronstream.supervisor.child import ProcessChild

#: How long a process that ended by itself stays away.
_RESTART_S = 1.0
_LOOK_AGAIN_S = 0.1
#: A worker sends its executors something each second: its leases.
_ORDERS_WITHIN_S = 1.5

#: Starts a life of the part with this name; its lines are handed to the last argument.
Launch: TypeAlias = Callable[["Service", str, Callable[[str], None]], Awaitable[ProcessChild]]


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a part, from its start to its end.

    Attributes:
        process: Its name in the truth file, such as ``chaos-a-1.3``.
        worker: Its name in the ledger, once it has said so.
        status: Its exit status, negative for a signal; None while it lives.
        expected: Whether it ended because a fault, or the fleet, ended it.
    """

    process: str
    began_at: datetime
    worker: str | None = None
    ended_at: datetime | None = None
    status: int | None = None
    expected: bool = False


class Service:
    """A scheduler, worker or retry worker, over all its lives.

    Attributes:
        name: Such as ``chaos-a-1``.
        lives: The last one is the present one.
        fires: Whether it is the scheduler that has a shard.
        is_leaving: Whether it is to end for good.
        web_port: Where it says how it is.
        away_s: How long it stays away after its next end.
    """

    def __init__(self, role: Role, name: str, launch: Launch, file: IO[str]) -> None:
        self.role, self.name = role, name
        self.lives: list[Life] = []
        self.fires = False
        self.away_s = _RESTART_S
        self.web_port = free_port()
        self._launch, self._file = launch, file
        self._child: ProcessChild | None = None
        self.is_leaving = False
        self._stopped: list[psutil.Process] = []

    @property
    def pid(self) -> int | None:
        """Its process, or None while there is none."""
        return None if self._child is None else self._child.pid

    @property
    def is_paused(self) -> bool:
        """Whether it stands still."""
        return bool(self._stopped)

    @property
    def process(self) -> str:
        """What its present life is called in the truth file."""
        return self.lives[-1].process if self.lives else self.name

    async def keep(self) -> None:
        """Start it, and again whenever it has ended, until it is asked to leave."""
        while not self.is_leaving:
            process = f"{self.name}.{len(self.lives) + 1}"
            self.lives.append(Life(process, clock.now()))
            self._child = await self._launch(self, process, self._hear)
            status = await self._child.wait()
            self._child, self.fires = None, False
            self.lives[-1] = replace(self.lives[-1], ended_at=clock.now(), status=status)
            away_s, self.away_s = self.away_s, _RESTART_S
            if not self.is_leaving:
                await asyncio.sleep(away_s)
        self._file.close()

    async def ended(self, process: str) -> None:
        """Wait until one of its lives has ended."""
        while not self._has_ended(process):  # noqa: ASYNC110 - `keep` waits for it, and notes it
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _has_ended(self, process: str) -> bool:
        return all(life.ended_at for life in self.lives if life.process == process)

    def _hear(self, line: str) -> None:
        print(line, file=self._file, flush=True)
        match read_line(line):
            case {"action": "worker-named", "worker": worker}:
                self.lives[-1] = replace(self.lives[-1], worker=worker)
            case {"action": "shard-taken"}:
                self.fires = True
            case {"action": "shard-left"}:
                self.fires = False

    def _expect_the_end(self) -> None:
        self.lives[-1] = replace(self.lives[-1], expected=True)

    # -- what may be done to it ---------------------------------------------------------------

    def kill(self) -> None:
        """Kill its process alone; what it has started is its executor's to end."""
        self._expect_the_end()
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def kill_tree(self) -> None:
        """Kill all that there is of it at once, as if its machine had gone."""
        self._expect_the_end()
        if self._child is not None:
            self._child.kill_now()

    def kill_executor(self) -> None:
        """Kill its executors; a worker starts others."""
        for executor in self._executors():
            with suppress(psutil.NoSuchProcess):
                executor.kill()

    async def kill_amid_orders(self) -> None:
        """Kill its process alone, with orders on their way that its executors have not read."""
        executors = self._executors()
        for executor in executors:
            with suppress(psutil.NoSuchProcess):
                executor.suspend()
        await asyncio.sleep(_ORDERS_WITHIN_S)
        self.kill()
        for executor in executors:
            with suppress(psutil.NoSuchProcess):
                executor.resume()

    def terminate(self) -> None:
        """Ask it to stop in good order."""
        self._expect_the_end()
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def leave(self) -> None:
        """Ask it to stop in good order, for good."""
        self.is_leaving = True
        self.resume()
        self.terminate()

    def pause(self, *, tree: bool) -> None:
        """Have it stand still, and if `tree` all that it has started as well."""
        if self.pid is None:
            return
        with suppress(psutil.NoSuchProcess):
            self._stopped = [psutil.Process(self.pid), *(self._children() if tree else [])]
        for process in self._stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def resume(self) -> None:
        """Let go on whatever of it stands still."""
        for process in self._stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self._stopped = []

    def fill_disk(self) -> None:
        """Let its process write no more to any file (EFBIG), as on a disk that is full.

        Its executors, and the commands, go on to write.
        """
        self._limit_files(0)

    def free_disk(self) -> None:
        """Let it write again."""
        self._limit_files(None)

    def _limit_files(self, size: int | None) -> None:
        if self.pid is not None:
            with suppress(psutil.NoSuchProcess):
                limit_files(self.pid, size)

    def _executors(self) -> list[psutil.Process]:
        children = self._children(recursive=False)
        return [child for child in children if "cronstream.executor" in _command_line(child)]

    def _children(self, *, recursive: bool = True) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            if self.pid is not None:
                children: list[psutil.Process] = psutil.Process(self.pid).children(recursive)
                return children
        return []


def limit_files(pid: int, size: int | None) -> None:
    """Limit how far into a file a process may write (bytes); None for as far as it is allowed.

    Raises:
        psutil.NoSuchProcess: If it has ended.
    """
    process = psutil.Process(pid)
    _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (hard if size is None else size, hard))


def _command_line(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        words: list[str] = process.cmdline()
        return words
    return []
