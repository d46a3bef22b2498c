"""``python -m cronstream.executor.guard``: ends what a dead worker's executors have not ended.

A worker starts one, and names each executor to it. When the worker is gone, however it went, its
executors end their commands and themselves within seconds. Whatever is left then has an executor
that hangs, was stopped, or was killed along with its worker, and is killed from here.
"""

import signal
import sys
import time
from dataclasses import dataclass
from typing import Self

from cronstream import json_lines
from cronstream.executor import tree
from cronstream.executor.spawn import EXECUTOR_MARK

#: Seconds that executors get to end what they run: their own grace, and some rounds of KILL.
_OWN_TIME_S = 2.5
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Ward:
    """An executor.

    Attributes:
        mark: What it marks whatever it starts with.
        born: When its process was started, so that no other is taken for it.
    """

    pid: int
    mark: str
    born: int

    @classmethod
    def of(cls, pid: int, mark: str) -> Self:
        """Return the executor that runs as ``pid`` now."""
        return cls(pid, mark, tree.born(pid))

    @property
    def is_there(self) -> bool:
        """Whether its process has not ended."""
        process = tree.look_up(self.pid)
        return process is not None and not process.is_zombie and tree.born(self.pid) == self.born


def main() -> None:
    """Listen until the worker is gone, then see that nothing of it is left."""
    if json_lines.OPTION in sys.argv:
        json_lines.keep_stderr()
    tree.become_unreadable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wards: dict[str, Ward] = {}
    for line in sys.stdin:
        what, pid, mark = line.split()
        if what == "watch":
            wards[mark] = Ward.of(int(pid), mark)
        else:
            wards.pop(mark, None)
    if wards:
        end(wards)


def end(wards: dict[str, Ward]) -> None:
    """Wait a little for executors to end by themselves, then kill all that there still is."""
    deadline = time.monotonic() + _OWN_TIME_S
    while time.monotonic() < deadline and any(ward.is_there for ward in wards.values()):
        time.sleep(_LOOK_AGAIN_S)
    left = [ward.pid for ward in wards.values() if ward.is_there]
    sessions = tree.sessions_beneath(left)
    tree.send(left, signal.SIGKILL)
    tree.kill_wherever(
        lambda pid, process: (
            process.session in sessions or tree.variable(pid, EXECUTOR_MARK) in wards
        ),
        pause=lambda: time.sleep(_LOOK_AGAIN_S),
    )


if __name__ == "__main__":
    main()
