"""A worker in small: launches an executor, tells it what a test wants, and keeps its reports."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cronstream import clock
from cronstream.executor.child import Options
from cronstream.executor.handle import ExecutorHandle
from cronstream.executor.protocol import Finished, Hold, Lease, Order, Report, Started
from cronstream.executor.slots import Slots

R = TypeVar("R", bound=Report)
#: How long anything is waited for: a machine that does much else takes its time.
PATIENCE_S = 60.0
_numbers = itertools.count(1)


def now() -> float:
    return clock.now().timestamp()


def a_hold(command: str | Sequence[str] = "exit 0", **fields: object) -> Hold:
    """A hold that is due, with whatever a test wants otherwise."""
    values: dict[str, object] = {
        "key": f"job@{next(_numbers)}#1",
        "partition": "p",
        "at": 0.0,
        "go": True,
        "command": command,
        "env": {},
        "cwd": None,
        "timeout_s": None,
        "grace_s": 5.0,
    }
    return Hold(**(values | fields))  # type: ignore[arg-type]  # a builder takes any field


class Witness:
    """Keeps every report, and wakes whoever waits for one."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.deaths: list[str] = []
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._handle: ExecutorHandle | None = None

    async def launch(self, slots: int = 8, output_bytes: int = 1000, **options: Any) -> None:
        self._handle = await ExecutorHandle.launch(
            Slots.make(slots), Options(output_bytes, **options), self._receive, self._note_death
        )

    @property
    def handle(self) -> ExecutorHandle:
        assert self._handle is not None
        return self._handle

    def send(self, *orders: Order) -> None:
        self.handle.send(*orders)

    def lease(self, partition: str = "p", for_s: float = 600.0) -> None:
        self.send(Lease(partition, clock.monotonic() + for_s))

    def of(self, kind: type[R], *keys: str) -> list[R]:
        """The reports of one kind so far, in order; of these keys, if any are given."""
        return [
            report
            for report in self.reports
            if isinstance(report, kind) and (not keys or report.key in keys)
        ]

    async def until(self, is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(is_so)

    async def the(self, kind: type[R], key: str) -> R:
        """Wait for the report of this kind about ``key``."""
        await self.until(lambda: bool(self.of(kind, key)))
        return self.of(kind, key)[0]

    async def run(self, hold: Hold) -> Finished:
        """Have a command executed, and wait for its end."""
        self.send(hold)
        return await self.the(Finished, hold.key)

    async def started(self, hold: Hold) -> Started:
        self.send(hold)
        return await self.the(Started, hold.key)

    def _receive(self, reports: list[Report]) -> None:
        self.reports.extend(reports)
        self._spread()

    def _note_death(self, _handle: ExecutorHandle, reason: str) -> None:
        self.deaths.append(reason)
        self._spread()

    def _spread(self) -> None:
        async def notify() -> None:
            async with self._news:
                self._news.notify_all()

        task = asyncio.create_task(notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def text_in(file: Path) -> str:
    """Wait until a command has written a line to ``file``."""

    def is_there() -> bool:
        return file.exists() and file.read_text().endswith("\n")

    await asyncio.to_thread(_wait_for, is_there, PATIENCE_S)
    return await asyncio.to_thread(file.read_text)


def is_alive(pid: int) -> bool:
    """Whether the process is there and not just waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def until_gone(*pids: int, within_s: float = PATIENCE_S) -> None:
    await until_looked(lambda: not any(map(is_alive, pids)), within_s)


async def until_looked(is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait for what no report tells of: it is looked at again and again."""
    await asyncio.to_thread(_wait_for, is_so, within_s)


def _wait_for(is_so: Callable[[], bool], within_s: float) -> None:
    deadline = clock.monotonic() + within_s
    while not is_so():
        assert clock.monotonic() < deadline
        time.sleep(0.005)
