"""A worker's guard: the process that outlives it, and ends what its executors did not."""

import asyncio
import contextlib
import logging
import subprocess
import sys

from cronstream import clock, json_lines
from cronstream.core.wire.variables import without_settings
from cronstream.logs import fields
from cronstream.settings import child_environment

logger = logging.getLogger(__name__)

#: Seconds between two looks whether the guard is still there.
_LOOK_AGAIN_S = 1.0
#: Seconds that it gets to end when it is not needed any more.
_CLOSE_S = 2.0


class Guard:
    """Names to the guard which executors there are, and starts another if it dies."""

    def __init__(self) -> None:
        self._wards: dict[str, int] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process, if there is one."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start it, and see from now on that it is there.

        Raises:
            OSError: If the process cannot be started.
        """
        self._begin()
        self._keeping = asyncio.create_task(self._keep())

    def watch(self, pid: int, mark: str) -> None:
        """Have it look after an executor."""
        self._wards[mark] = pid
        self._write(f"watch {pid} {mark}")

    def forget(self, mark: str) -> None:
        """Let it know that an executor is gone, and nothing of it is left."""
        pid = self._wards.pop(mark, None)
        if pid is not None:
            self._write(f"forget {pid} {mark}")

    def close(self) -> None:
        """End it: nothing is left to be guarded."""
        if self._keeping is not None:
            self._keeping.cancel()
        if self._child is not None:
            self._end(self._child)
            self._child = None

    def _begin(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "cronstream.executor.guard", *json_lines.options()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=without_settings(child_environment()),
            start_new_session=True,
        )
        for mark, pid in self._wards.items():
            self._write(f"watch {pid} {mark}")

    def _write(self, line: str) -> None:
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(OSError):  # It has died: the next one is notified again.
                self._child.stdin.write(f"{line}\n".encode())
                self._child.stdin.flush()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(clock.until_step(_LOOK_AGAIN_S))
            if self._child is None or self._child.poll() is not None:
                text = "the guard of this worker's executors has died; starting another"
                logger.warning(text, extra=fields("guard-died"))
                with contextlib.suppress(OSError):
                    self._begin()

    @staticmethod
    def _end(child: "subprocess.Popen[bytes]") -> None:
        with contextlib.suppress(OSError):
            if child.stdin is not None:
                child.stdin.close()
        try:
            child.wait(timeout=_CLOSE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
