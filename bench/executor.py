"""The executor alone: holds that are due at one instant, told and heard as a worker does.

    python -m bench.executor [N] [ROUNDS] [SLOTS]

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
from cronstream.executor.handle import ExecutorHandle
from cronstream.executor.protocol import Finished, Hold, Lease, Report, Started


async def drain(program: str, number: int, slots: int = 64) -> dict[str, float]:
    """Starts per second, CPU of the executor for each, and how late the first was."""
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
    due = time.time() + 0.5 + number / 10_000
    handle.send(Lease("p", time.monotonic() + 600))
    names = {"CRONSTREAM_JOB": "job", "CRONSTREAM_CLUSTER": "a", "CRONSTREAM_ATTEMPT": "1"}
    for i in range(number):
        run = {**names, "CRONSTREAM_RUN_ID": str(i)}
        handle.send(Hold(f"job@{i}#1", "p", due, True, [program], run, None, 60, 1))
    await asyncio.sleep(due - 0.05 - time.time())
    before = cost([handle.pid])
    await done.wait()
    rate = number / (time.time() - due)
    used = cost([handle.pid]).since(before)
    await handle.close()
    if {report.outcome for report in reports if isinstance(report, Finished)} != {"succeeded"}:
        raise RuntimeError("a command failed")
    starts = [report.at - due for report in reports if isinstance(report, Started)]
    return {
        "per_s": round(rate, 1),
        "started_per_s": round(number / max(starts), 1),
        "first_ms": round(min(starts) * 1000, 2),
        "cpu_us": round(used.own / number * 1e6),
    }


def main() -> None:
    number, rounds, slots = (
        [int(word) for word in sys.argv[1:]] + [1000, 3, 64][len(sys.argv) - 1 :]
    )[:3]
    ratios = []
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as folder:
        programs = build(Path(folder))
        for _ in range(rounds):
            before = floors.posix_spawn([programs.nothing], number, 4)
            row = asyncio.run(drain(programs.nothing, number, slots))
            floor = (before + floors.posix_spawn([programs.nothing], number, 4)) / 2
            ratios.append(row["per_s"] / floor)
            print(f"floor {floor:6.0f}/s   executor {row}   ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
