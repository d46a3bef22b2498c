"""Reaps what nobody waits for, in a worker that is process 1 of its container, or a subreaper.

There whatever outlives its parent becomes a child of the worker: what ``docker exec`` leaves, or
an executor that was killed. Without an init it would stay a zombie for as long as the worker lives.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable, Collection
from contextlib import suppress

from cronstream.executor import tree

_PR_GET_CHILD_SUBREAPER = 37
#: Seconds between two looks. Who waits for its own child has done so by the second one.
_LOOK_AGAIN_S = 2.0


def inherits_orphans() -> bool:
    """Say whether orphans become children of this process."""
    answer = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return os.getpid() == 1 or bool(answer.value)


class Reaper:
    """Reaps zombies that it has seen at two looks, one after the other.

    Args:
        own: Returns the children that somebody here waits for, however late.
    """

    def __init__(self, own: Callable[[], Collection[int]]) -> None:
        self._own = own
        self._children = tree.OwnChildren()
        self._seen: set[int] = set()

    async def reap_for_ever(self) -> None:
        """Look, again and again, if orphans come here at all."""
        while inherits_orphans():
            self.look()
            await asyncio.sleep(_LOOK_AGAIN_S)

    def look(self) -> None:
        """Reap those that the last look has seen too."""
        ended = {pid for pid in self._children.pids() if _is_zombie(pid)}.difference(self._own())
        for pid in ended & self._seen:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._seen = ended - self._seen


def _is_zombie(pid: int) -> bool:
    process = tree.look_up(pid)
    return process is not None and process.is_zombie
