"""The executors alone: holds that are due at one instant, sent and heard as a worker does.

    python -m bench.executor [N] [ROUNDS]

From the due time to the last ``Finished`` as this process reads it, beside the floor of Python's
``posix_spawn`` in the same run, both with a program that does nothing.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench import floors
from bench.machine import build, cost
from cronstream.executor.child import Options
from cronstream.executor.pool import ExecutorPool
from cronstream.executor.protocol import Finished, Hold, Lease, Report, Started


async def drain(
    program: str, number: int, *, executors: int = 1, slots: int = 64
) -> dict[str, float]:
    """Starts per second, CPU of the executor for each, and how late the first was."""
    reports: list[Report] = []
    ended = 0
    done = asyncio.Event()

    def receive(some: list[Report]) -> None:
        nonlocal ended
        reports.extend(some)
        ended += sum(isinstance(report, Finished) for report in some)
        if ended == number:
            done.set()

    pool = await ExecutorPool.launch(executors, slots, Options(4096), receive, print)
    due = time.time() + 0.5 + number / 10_000
    pool.send(Lease("p", time.monotonic() + 600))
    names = {"CRONSTREAM_JOB": "job", "CRONSTREAM_CLUSTER": "a", "CRONSTREAM_ATTEMPT": "1"}
    for i in range(number):
        run = {**names, "CRONSTREAM_RUN_ID": str(i)}
        pool.send(Hold(f"job@{i}#1", "p", due, True, [program], run, None, 60, 1))
    await asyncio.sleep(due - 0.05 - time.time())
    before = cost(pool.pids)
    await done.wait()
    rate = number / (time.time() - due)
    used = cost(pool.pids).since(before)
    await pool.close()
    if {report.outcome for report in reports if isinstance(report, Finished)} != {"succeeded"}:
        raise RuntimeError("a command failed")
    starts = [report.at - due for report in reports if isinstance(report, Started)]
    return {
        "per_s": round(rate, 1),
        "started_per_s": round(number / max(starts), 1),
        "first_ms": round(min(starts) * 1000, 2),
        "cpu_us": round(used.own / number * 1e6),
    }


def curve(program: str, number: int = 1000, rounds: int = 3) -> list[dict[str, float]]:
    """The same with one executor to four; each is the median of some rounds, taken in turn."""
    ways: dict[int, list[dict[str, float]]] = {1: [], 2: [], 3: [], 4: []}
    bare = []
    for _ in range(rounds):
        bare.append(floors.posix_spawn([program], number, 4))
        for executors, rows in ways.items():
            rows.append(asyncio.run(drain(program, number, executors=executors)))
        bare.append(floors.posix_spawn([program], number, 4))
    floor = statistics.median(bare)
    out = []
    for executors, rows in ways.items():
        row = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        ratio = round(row["per_s"] / floor, 2)
        out.append({"executors": executors, **row, "floor_per_s": floor, "ratio": ratio})
    return out


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as folder:
        programs = build(Path(folder))
        print(*curve(programs.nothing, *(int(word) for word in sys.argv[1:])), sep="\n")


if __name__ == "__main__":
    main()
