"""A deploy under load: each process is asked to stop and started again, one after another.

Fifty jobs are due each second on three workers; two schedulers fire them. How late the first
instruction of each command is, for what was due while each process stopped and came back.
"""

import asyncio
import math
import time
from pathlib import Path

from bench.machine import Programs, spread, stamps
from bench.rig import Part, Rig, rig, say

A_SECOND = 50
WORKERS, SCHEDULERS = 3, 2
#: Each job is due so seldom that a late start is nobody else's.
_PERIOD_S = 20
#: Between two of them: what they took along is claimed again.
_CALM_S = 4.0
#: What is due is claimed long before, once it has been published for so long.
_LEAD_S = 12.0


def jobs(programs: Programs, file: Path) -> list[dict[str, object]]:
    return [
        {
            "name": f"d{number}",
            "cluster": "a",
            "schedule": f"{number % _PERIOD_S}-59/{_PERIOD_S} * * * * *",
            "command": programs.stamp(file, f"{number % _PERIOD_S}"),
        }
        for number in range(A_SECOND * _PERIOD_S)
    ]


async def measure(folder: Path, programs: Programs) -> dict[str, object]:
    """Restart all processes one by one; return how late runs were, by what was restarted."""
    file = folder / "stamps"
    async with rig(folder) as one:
        one.write(jobs(programs, file))
        schedulers = [await one.start(f"scheduler {n}", waits=n == 0) for n in range(SCHEDULERS)]
        workers = [await one.start(f"worker {n}", "--cluster", "a") for n in range(WORKERS)]
        await asyncio.sleep(_LEAD_S)
        first = math.ceil(time.time())
        await asyncio.sleep(10)
        spans = {"none": [(first, math.floor(time.time()))]}
        for part in workers:
            spans.setdefault("a worker", []).append(await _restart(one, part, "--cluster", "a"))
        for part in schedulers:
            spans.setdefault("a scheduler", []).append(await _restart(one, part))
        last = math.floor(time.time())
        await asyncio.sleep(3)
        one.write([])
    starts = [start for start in map(_start, stamps(file)) if first <= start[0] < last]
    row: dict[str, object] = {"workers": WORKERS, "schedulers": SCHEDULERS}
    row |= {"due": A_SECOND * (last - first), "starts": len(starts)}
    row |= spread([late for _, late in starts])
    row["restarts"] = {what: _late(starts, some) for what, some in spans.items()}
    say(f"rolling: {row}")
    return row


def _start(stamp: tuple[str, float]) -> tuple[int, float]:
    """When the run was due whose command has left a stamp, and how late that was."""
    place, at = stamp
    late = (at - int(place)) % _PERIOD_S
    return round(at - late), late


async def _restart(one: Rig, part: Part, *options: str) -> tuple[int, int]:
    """Restart a process as a supervisor does; return from when to when that was."""
    began = time.time()
    await one.stop(part)
    stopped = time.time() - began
    await one.start(part.name, *options, waits=bool(options))
    say(f"{part.name}: stopped within {stopped:.1f} s, back after {time.time() - began:.1f} s")
    await asyncio.sleep(_CALM_S)
    return math.floor(began), math.floor(time.time())


def _late(starts: list[tuple[int, float]], spans: list[tuple[int, int]]) -> dict[str, object]:
    late = [late for due, late in starts if any(begin <= due < end for begin, end in spans)]
    return {
        "due": A_SECOND * sum(end - begin for begin, end in spans),
        "starts": len(late),
        **spread(late),
    }
