"""The commands that run: their timers, their ends, and the orphans they leave behind."""

import os
import select
import signal
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import count

from cronstream import clock
from cronstream.executor import tree
from cronstream.executor.execution import Execution, Phase
from cronstream.executor.spawn import MARK

#: Seconds between two rounds of KILL, for what was forked or in the kernel's hands meanwhile.
_AGAIN_S = 0.1
#: Rounds of KILL after which a command counts as ended all the same (a process in state D).
_MOST_SWEEPS = 50


class Running:
    """Executions from their start until nothing of them is left.

    Nothing here waits, and nothing is looked for in vain: whatever of a command is left hangs
    under a child of this process, so the end of the last of it always comes as a SIGCHLD.
    """

    def __init__(self, poll: select.epoll) -> None:
        self._poll = poll
        self._children = tree.OwnChildren()
        #: By main process, while that has not been reaped.
        self._mains: dict[int, Execution] = {}
        #: By key, from the end of the main process until nothing is left.
        self._lingering: dict[str, Execution] = {}
        self._by_key: dict[str, Execution] = {}
        self._by_pipe: dict[int, Execution] = {}
        #: For each child that no main process is: the keys of those it may belong to.
        self._orphans: dict[int, set[str]] = {}
        self._timers: list[tuple[float, int, Execution]] = []
        self._number = count()

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Execution]:
        return iter(list(self._by_key.values()))

    def get(self, key: str) -> Execution | None:
        """Return the execution of ``key``, if anything of it is left."""
        return self._by_key.get(key)

    def add(self, execution: Execution) -> None:
        """Take over what has just been started."""
        self._mains[execution.pid] = execution
        self._by_key[execution.key] = execution
        self._by_pipe[execution.pipe] = execution
        self._poll.register(execution.pipe, select.EPOLLIN)
        if execution.hold.timeout_s is not None:
            self._set_deadline(execution, clock.monotonic() + execution.hold.timeout_s)

    def read(self, pipe: int) -> None:
        """Take the output that a poll says is there."""
        execution = self._by_pipe[pipe]
        if not execution.read():
            self._close(execution)

    def reap(self) -> list[Execution]:
        """Reap all children that have ended; return the executions of which nothing is left."""
        reaped = False
        for pid, status in _ended_children():
            reaped = True
            self._orphans.pop(pid, None)
            if execution := self._mains.pop(pid, None):
                execution.status = status
                execution.ended_at = clock.now().timestamp()
                self._lingering[execution.key] = execution
        return self._settle() if reaped and self._lingering else []

    def end(self, execution: Execution, note: str | None) -> None:
        """Begin to end an execution, unless it has ended by itself or is being ended."""
        if not execution.is_over and execution.outcome is None:
            execution.outcome, execution.note = "interrupted", note
        if execution.phase is Phase.RUNNING:
            self._terminate([execution])

    def end_all(self, grace_s: float, note: str) -> None:
        """End every execution as interrupted, with at most ``grace_s`` seconds before KILL."""
        for execution in self:
            if not execution.is_over and execution.outcome is None:
                execution.outcome, execution.note = "interrupted", note
        self._terminate([one for one in self if one.phase is Phase.RUNNING])
        latest = clock.monotonic() + grace_s
        for execution in self:
            self._set_deadline(execution, min(execution.deadline, latest))

    def next_deadline(self) -> float | None:
        """Return when ``meet_deadlines`` has something to do (monotonic seconds)."""
        while self._timers and self._is_stale(*self._timers[0]):
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def meet_deadlines(self) -> list[Execution]:
        """Do what is due: TERM after a timeout, KILL after a grace; return those given up."""
        now = clock.monotonic()
        due: dict[Execution, None] = {}
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            due[heappop(self._timers)[2]] = None
        if not due:
            return []
        self._terminate([self._timed_out(one) for one in due if one.phase is Phase.RUNNING])
        spent = [one for one in due if one.sweeps >= _MOST_SWEEPS]
        self._kill([one for one in due if one.deadline <= now and one.sweeps < _MOST_SWEEPS])
        for execution in spent:
            execution.note = f"{execution.note or 'ended'}; some of its processes cannot be killed"
        return [self._done(execution) for execution in spent]

    def kill_all(self) -> None:
        """Kill every process below this one, and reap it; at most some seconds."""
        me = os.getpid()

        def pause() -> None:
            select.select((), (), (), _AGAIN_S / 10)
            for pid, _ in _ended_children():
                self._orphans.pop(pid, None)

        tree.kill_wherever(lambda _, process: process.parent == me, pause=pause)

    def _timed_out(self, execution: Execution) -> Execution:
        if not execution.is_over:
            execution.outcome = "timed_out"
            note = f"it ran longer than {execution.hold.timeout_s:g} s and was ended"
            hangs = execution.hangs()
            execution.note = note if hangs is None else f"{note}: {hangs}"
        return execution

    def _settle(self) -> list[Execution]:
        """Return the lingering of which nothing is left; begin to end what the others left."""
        self._adopt()
        done: list[Execution] = []
        fresh: list[Execution] = []
        told: list[Execution] = []
        for execution in list(self._lingering.values()):
            if not self._left_by(execution):
                done.append(self._done(execution))
            elif execution.phase is Phase.RUNNING and not execution.waits:
                execution.has_left = True
                fresh.append(execution)
            elif execution.phase is Phase.TERMINATED:
                told.append(execution)
        self._terminate(fresh)
        # What a main process forked while it was being signalled does not know of it yet.
        self._send(told, signal.SIGTERM)
        return done

    def _done(self, execution: Execution) -> Execution:
        if execution.waits:
            execution.ended_at = clock.now().timestamp()
        if execution.pipe >= 0:
            execution.drain()
            self._close(execution)
        execution.deadline = float("inf")
        self._by_key.pop(execution.key, None)
        self._lingering.pop(execution.key, None)
        self._mains.pop(execution.pid, None)
        for keys in self._orphans.values():
            keys.discard(execution.key)
        return execution

    def _close(self, execution: Execution) -> None:
        """Close its pipe.

        To close it is not enough for epoll: a child that is just being started has a copy of it
        for some microseconds after ``posix_spawn`` has returned, because exec lets the parent go
        on before it closes descriptors (``begin_new_exec`` in the kernel's fs/exec.c).
        """
        self._poll.unregister(execution.pipe)
        del self._by_pipe[execution.pipe]
        execution.close()

    def _adopt(self) -> None:
        """Find out whose the children are that have come here since the last time."""
        for pid in self._children.pids() - self._mains.keys() - self._orphans.keys():
            process = tree.look_up(pid)
            if process is not None and not process.is_zombie:
                self._orphans[pid] = self._owners(pid, process)

    def _owners(self, pid: int, process: tree.Process) -> set[str]:
        """Return the keys of those that may have started an orphan: one, if that can be known.

        One that has left its session and cleared its environment may be anybody's: it is ended
        with the last that it may belong to, never before its owner.
        """
        for execution in self._by_key.values():
            if execution.pid == process.session:
                return {execution.key}
        mark = tree.variable(pid, MARK)
        return {mark} if mark in self._by_key else set(self._by_key)

    def _left_by(self, execution: Execution) -> list[int]:
        return [pid for pid, keys in self._orphans.items() if keys == {execution.key}]

    def _terminate(self, executions: list[Execution]) -> None:
        self._send(executions, signal.SIGTERM)
        now = clock.monotonic()
        for execution in executions:
            execution.phase = Phase.TERMINATED
            self._set_deadline(execution, now + execution.hold.grace_s)

    def _kill(self, executions: list[Execution]) -> None:
        self._send(executions, signal.SIGKILL)
        now = clock.monotonic()
        for execution in executions:
            execution.phase = Phase.KILLED
            execution.sweeps += 1
            self._set_deadline(execution, now + _AGAIN_S)

    def _send(self, executions: list[Execution], number: signal.Signals) -> None:
        """Signal every process of these executions, by one look at the process table."""
        if not executions:
            return
        self._adopt()
        table = tree.process_table()
        for execution in executions:
            pids = tree.beneath(self._roots(execution), table)
            if number == signal.SIGTERM:
                pids = [pid for pid in pids if pid not in execution.told]
                execution.told.update(pids)
            tree.send(pids, number)

    def _roots(self, execution: Execution) -> Iterable[int]:
        main = [execution.pid] if execution.status is None else []
        return main + self._left_by(execution)

    def _set_deadline(self, execution: Execution, deadline: float) -> None:
        execution.deadline = deadline
        heappush(self._timers, (deadline, next(self._number), execution))

    @staticmethod
    def _is_stale(deadline: float, _: int, execution: Execution) -> bool:
        return deadline != execution.deadline


def _ended_children() -> Iterator[tuple[int, int]]:
    """Reap each child that has ended; give its process id and wait status."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status


def bell_for_ended_children() -> int:
    """Return a descriptor that can be read once a child has ended."""
    bell, rope = os.pipe()
    os.set_blocking(bell, False)
    os.set_blocking(rope, False)
    signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return bell
