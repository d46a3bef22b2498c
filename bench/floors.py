"""What starting commands costs without cronstream, on this machine and at this moment.

Each floor starts the same command ``number`` times with at most ``window`` at a time, and waits for
all of them. Nothing is captured or reported: it is what a program in C or Python can reach at best.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.machine import Programs, spread, stamps

Floor = Callable[[Sequence[str], int, int], float]


def in_c(programs: Programs, mode: str) -> Floor:
    """``spawn`` or ``vfork``."""

    def run(argv: Sequence[str], number: int, window: int) -> float:
        words = [programs.spawn, str(number), str(window), mode, *argv]
        return float(subprocess.run(words, check=True, capture_output=True).stdout)

    return run


def posix_spawn(argv: Sequence[str], number: int, window: int) -> float:
    """``os.posix_spawn`` in a loop: the least that Python can do."""
    environment, live = dict(os.environ), 0
    began = time.perf_counter()
    for _ in range(number):
        if live == window:
            os.waitpid(-1, 0)
            live -= 1
        os.posix_spawn(argv[0], argv, environment)
        live += 1
    while live:
        os.waitpid(-1, 0)
        live -= 1
    return number / (time.perf_counter() - began)


def popen(argv: Sequence[str], number: int, window: int) -> float:
    """``subprocess.Popen``, which uses vfork where it can."""
    live: dict[int, subprocess.Popen[bytes]] = {}
    began = time.perf_counter()
    for _ in range(number):
        if len(live) == window:
            pid, status = os.waitpid(-1, 0)
            live.pop(pid).returncode = status
        child = subprocess.Popen(argv)
        live[child.pid] = child
    while live:
        pid, status = os.waitpid(-1, 0)
        live.pop(pid).returncode = status
    return number / (time.perf_counter() - began)


_STAMPED = """
import os, sys, time
from bench.floors import stamped_loop
stamped_loop(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "sh")
"""


def stamped_loop(program: str, file: str, number: int, window: int, in_shell: bool) -> None:
    """Start ``stamp FILE i`` in a loop of ``os.posix_spawn``; print when it began."""
    environment, live = dict(os.environ), 0
    shell = ["/bin/sh", "-c"]
    texts = [f"{program} {file} {i}" for i in range(number)]
    argvs = [[*shell, text] if in_shell else text.split() for text in texts]
    began = time.time()
    for argv in argvs:
        if live == window:
            os.waitpid(-1, 0)
            live -= 1
        os.posix_spawn(argv[0], argv, environment)
        live += 1
    while live:
        os.waitpid(-1, 0)
        live -= 1
    print(repr(began))


def stamped(
    programs: Programs, file: Path, number: int, *, window: int = 4, in_shell: bool = False
) -> dict[str, float]:
    """The floor with the commands of the benchmark: how late each of them starts, and the rate.

    It is a process of its own, as the executor is.
    """
    file.unlink(missing_ok=True)
    words = [str(programs.folder / "stamp"), str(file), str(number), str(window)]
    words.append("sh" if in_shell else "")
    done = subprocess.run(
        [sys.executable, "-c", _STAMPED, *words],
        check=True,
        capture_output=True,
        start_new_session=True,
    )
    began = float(done.stdout)
    delays = [at - began for _, at in stamps(file)]
    return {**spread(delays), "per_s": round(len(delays) / max(delays), 1)}


def in_shell(programs: Programs, file: Path, number: int, window: int = 4) -> dict[str, float]:
    """The floor of commands that need a shell: a loop in C, which starts a shell for each."""
    file.unlink(missing_ok=True)
    texts = [programs.stamp_in_shell(file, i) for i in range(number)]
    done = subprocess.run(
        [programs.spawn, str(number), str(window), "lines", "/bin/sh"],
        input="\n".join(texts).encode() + b"\n",
        check=True,
        capture_output=True,
        start_new_session=True,
    )
    delays = [at - float(done.stdout) for _, at in stamps(file)]
    return {**spread(delays), "per_s": round(len(delays) / max(delays), 1)}


def all_floors(programs: Programs, argv: Sequence[str], number: int = 800) -> dict[str, float]:
    """Starts per second of each way, 4 at a time."""
    ways: dict[str, Floor] = {
        "C posix_spawn": in_c(programs, "spawn"),
        "C vfork": in_c(programs, "vfork"),
        "Python posix_spawn": posix_spawn,
        "Python Popen": popen,
    }
    return {name: round(way(argv, number, 4), 1) for name, way in ways.items()}
