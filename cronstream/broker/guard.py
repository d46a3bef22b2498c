"""A small process that ends this one's children if this one dies, even by SIGKILL.

It learns of each child through a pipe. When the pipe ends without a good-bye, its writer is dead:
then every process group that is still noted gets SIGTERM, and 5 s later SIGKILL. It needs nothing
that only one kernel has (PR_SET_PDEATHSIG is Linux's, and follows a thread rather than a process),
and one guard does for all children.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO

_GRACE_S = 5.0
_POLL_S = 0.05


class Guard:
    """The near end: notes which process groups are to be ended if we die."""

    def __init__(self) -> None:
        # -I and -S: it starts in 15 ms and takes nothing from the folder it is started in.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The guard's own process."""
        return self._process.pid

    def add(self, group: int) -> None:
        """Note a child's process group, which has the child's pid."""
        self._write(f"+{group}")

    def remove(self, group: int) -> None:
        """Forget a child that has ended: its pid may soon be another's."""
        self._write(f"-{group}")

    def close(self) -> None:
        """End the guard, and none of the children."""
        self._write("bye")
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            return
        # A guard that was killed takes nothing down with it; it is only not there any more.
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


def watch(orders: IO[str]) -> set[int]:
    """Read until the end and return the groups to be ended: none after a good-bye."""
    groups: set[int] = set()
    for order in orders:
        if order.startswith("+"):
            groups.add(int(order[1:]))
        elif order.startswith("-"):
            groups.discard(int(order[1:]))
        else:
            return set()
    return groups


def end(groups: set[int]) -> None:
    """End process groups: SIGTERM, up to 5 s, then SIGKILL."""
    left = {group for group in groups if _signal(group, signal.SIGTERM)}
    for _ in range(int(_GRACE_S / _POLL_S)):
        left = {group for group in left if _signal(group, 0)}
        if not left:
            return
        time.sleep(_POLL_S)
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Return whether the group was there to get the signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    # What ends the others is not to be ended with them: only the end of the pipe ends it.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    end(watch(sys.stdin))
