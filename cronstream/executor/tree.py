"""Finds and signals what a command has started, wherever in the process table it has gone.

An executor is a child subreaper (prctl(2)): a process whose parent has ended becomes its child,
whatever session or group it has moved to. So each process of any command hangs under exactly one
direct child of the executor, and the question "whose is it?" is only asked of direct children.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
#: Where ``vsize`` and ``endcode`` are in ``/proc/PID/stat``, from the third field (proc(5)).
_VSIZE, _END_CODE = 23 - 3, 27 - 3
#: Where ``arg_start`` and ``arg_end`` are.
_ARGUMENTS, _ARGUMENTS_END = 48 - 3, 49 - 3
#: Where ``starttime`` is.
_BORN = 22 - 3
#: How often, and after how many seconds, a process in the midst of ``exec`` is looked at again.
_MOST_LOOKS, _LOOK_AGAIN_S = 250, 0.001


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table."""

    parent: int
    session: int
    is_zombie: bool


def become_subreaper() -> None:
    """Have orphans below this process become its children.

    Raises:
        OSError: If this kernel (before Linux 3.4) cannot do that.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become a child subreaper")


def become_unreadable() -> None:
    """Keep this process's memory, environment and descriptors from others of the same user.

    Commands have their worker's user: without this they could open the pipes of their executor
    (``/proc/PID/fd``), copy its sockets (``pidfd_getfd``), read its memory, or trace it. Root can
    all the same. No core is dumped either (prctl(2), ptrace(2)).
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class OwnChildren:
    """The direct children of this process, ended but unreaped ones included.

    The kernel's list is exact here, because nobody but this process takes children off it. It is
    kept open, so that a shortage of file descriptors cannot hide a child. Without
    ``CONFIG_PROC_CHILDREN`` the whole process table is read instead.
    """

    _CHUNK = 1 << 16

    def __init__(self) -> None:
        self._me = os.getpid()
        try:
            self._list = os.open(f"/proc/{self._me}/task/{self._me}/children", os.O_RDONLY)
        except FileNotFoundError:
            self._list = -1

    def pids(self) -> set[int]:
        """Return their process ids."""
        if self._list < 0:
            table = process_table()
            return {pid for pid, process in table.items() if process.parent == self._me}
        text = os.pread(self._list, self._CHUNK, 0)
        while more := len(text) >= self._CHUNK and os.pread(self._list, self._CHUNK, len(text)):
            text += more
        return set(map(int, text.split()))


def process_table() -> dict[int, Process]:
    """Return every process of this machine that can be seen; about 20 µs each.

    It is empty where it cannot be read (no descriptor left): then only roots are found.
    """
    table: dict[int, Process] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return table
    for name in names:
        if name.isdigit() and (process := look_up(int(name))):
            table[int(name)] = process
    return table


def look_up(pid: int) -> Process | None:
    """Return one process; None if it is gone."""
    fields = _status(pid)
    if not fields:
        return None
    return Process(
        parent=int(fields[1]),
        session=int(fields[3]),
        is_zombie=fields[0] in b"ZX",
    )


def born(pid: int) -> int:
    """Return when ``pid`` was started, in ticks since the machine was; 0 if it is gone."""
    fields = _status(pid)
    return int(fields[_BORN]) if fields else 0


def waits_in(pid: int) -> str:
    """Return the state of ``pid``, and what in the kernel it waits in, for people."""
    fields = _status(pid)
    state = fields[0].decode() if fields else "gone"
    place = ""
    with suppress(OSError), open(f"/proc/{pid}/wchan", "rb", buffering=0) as file:
        place = file.read(64).decode(errors="replace")
    return f"state {state}, in {place}" if place not in ("", "0") else f"state {state}"


def sessions_beneath(roots: Iterable[int]) -> set[int]:
    """Return the sessions of all descendants of ``roots``, and of themselves."""
    table = process_table()
    return {table[pid].session for pid in beneath(roots, table) if pid in table}


def size_of_arguments(pid: int) -> int:
    """Return how many bytes of arguments ``pid`` was given; 0 if it is gone, or may not be seen.

    It is read from ``stat``, because ``cmdline`` waits for a process that hangs in its memory.
    """
    fields = _status(pid)
    if len(fields) <= _ARGUMENTS_END:
        return 0
    return int(fields[_ARGUMENTS_END]) - int(fields[_ARGUMENTS])


def _status(pid: int) -> list[bytes]:
    """Return the fields of ``/proc/PID/stat`` from the third on (proc(5)); none if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            line = file.read(2048)
    except OSError:
        return []
    # The name in parentheses may have any character, parentheses too: count from the last one.
    return line[line.rfind(b")") + 2 :].split()


def beneath(roots: Iterable[int], table: Mapping[int, Process]) -> list[int]:
    """Return ``roots`` and all their descendants in ``table``, parents before children."""
    offspring: dict[int, list[int]] = {}
    for pid, process in table.items():
        offspring.setdefault(process.parent, []).append(pid)
    found = list(dict.fromkeys(roots))
    known = set(found)
    for pid in found:
        fresh = [child for child in offspring.get(pid, ()) if child not in known]
        known.update(fresh)
        found.extend(fresh)
    return found


def variable(pid: int, name: str) -> str | None:
    """Return what process ``pid`` was given as environment variable ``name``; None if unknown."""
    start = f"{name}=".encode()
    for entry in _environment(pid).split(b"\0"):
        if entry.startswith(start):
            return entry[len(start) :].decode(errors="replace")
    return None


def _environment(pid: int) -> bytes:
    """Return the environment that ``pid`` was given; empty if it has none or may not be read.

    In the midst of ``exec`` a process shows none for a moment, which is waited for: who started
    it would be unknown for good.
    """
    environment = b""
    for _ in range(_MOST_LOOKS):
        was_in_exec = _is_in_exec(pid)
        try:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
                environment = file.readall()
        except OSError:
            break
        if not was_in_exec:
            break
        time.sleep(_LOOK_AGAIN_S)
    return environment


def _is_in_exec(pid: int) -> bool:
    """Say whether ``pid`` is between two programs: it has memory, but no code in it yet.

    The place of the code is the first that the kernel notes after the environment is whole
    (``load_elf_binary``). Threads of the kernel and what has ended have no memory.
    """
    fields = _status(pid)
    return len(fields) > _END_CODE and fields[_VSIZE] != b"0" and fields[_END_CODE] == b"0"


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process, as far as it is there and may be signalled.

    A stopped process acts on TERM only when it goes on, so it is made to (systemd does so too).
    """
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
            if number == signal.SIGTERM:
                os.kill(pid, signal.SIGCONT)


def kill_wherever(
    is_ours: Callable[[int, Process], bool], *, pause: Callable[[], None], sweeps: int = 50
) -> bool:
    """Kill all processes that ``is_ours`` says, and their descendants, until none is left.

    Args:
        is_ours: Judges a process id and its line of the process table.
        pause: Waits a little between two sweeps, so that what was killed can go.
        sweeps: How often to look at most; a process in the kernel's hands may not go at all.

    Returns:
        Whether none is left.
    """
    for _ in range(sweeps):
        table = process_table()
        roots = [pid for pid, process in table.items() if is_ours(pid, process)]
        alive = [pid for pid in beneath(roots, table) if not table[pid].is_zombie]
        if not alive:
            return True
        send(alive, signal.SIGKILL)
        pause()
    return False
