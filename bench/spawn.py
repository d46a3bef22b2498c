"""How fast commands are started: the executor beside the floor of this machine, in one run.

    python bench/spawn.py [N] [rounds]

floor     subprocess.Popen of /bin/true in a loop (vfork), 4 at a time, nothing captured or reported
sessions  the same with start_new_session=True: where the kernel groups tasks by session for the
          scheduler (sched_autogroup_enabled) and the machine is busy, this alone is much slower
executor  N holds due at one instant, 64 slots, output captured, Started and Finished reported back;
          from the due time to the last Finished as this process reads it
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time

from cronstream.executor.handle import ExecutorHandle
from cronstream.executor.protocol import Finished, Hold, Lease, Report, Started

PROGRAM = "/bin/true"


def floor(number: int, window: int = 4, *, in_sessions: bool = False) -> float:
    """Return starts per second of a bare Popen loop."""
    live: dict[int, subprocess.Popen[bytes]] = {}
    began = time.perf_counter()
    for _ in range(number):
        if len(live) == window:
            pid, status = os.waitpid(-1, 0)
            live.pop(pid).returncode = status
        child = subprocess.Popen([PROGRAM], start_new_session=in_sessions)
        live[child.pid] = child
    while live:
        pid, status = os.waitpid(-1, 0)
        live.pop(pid).returncode = status
    return number / (time.perf_counter() - began)


async def executor(number: int, slots: int = 64) -> tuple[float, float]:
    """Return runs per second, and seconds from the due time to the first start."""
    reports: list[Report] = []
    ended = 0
    done = asyncio.Event()

    def take(some: list[Report]) -> None:
        nonlocal ended
        reports.extend(some)
        ended += sum(isinstance(report, Finished) for report in some)
        if ended == number:
            done.set()

    handle = await ExecutorHandle.launch(slots, 4096, take, print)
    due = time.time() + 1.0
    handle.send(Lease("p", time.monotonic() + 600))
    handle.send(
        *(
            Hold(
                f"job@{i}#1", "p", due, True, [PROGRAM], {"CRONSTREAM_RUN_ID": str(i)}, None, 60, 1
            )
            for i in range(number)
        )
    )
    await done.wait()
    rate = number / (time.time() - due)
    await handle.close()
    assert {r.outcome for r in reports if isinstance(r, Finished)} == {"succeeded"}
    return rate, min(r.at for r in reports if isinstance(r, Started)) - due


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    ratios = []
    for _ in range(rounds):
        before = floor(number)
        rate, late = asyncio.run(executor(number))
        sessions = floor(number, in_sessions=True)
        bare = (before + floor(number)) / 2
        ratios.append(rate / bare)
        print(
            f"floor {bare:6.0f}/s   sessions {sessions:6.0f}/s   "
            f"executor {rate:6.0f}/s   ratio {rate / bare:.2f}   late {late * 1000:.1f} ms"
        )
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
