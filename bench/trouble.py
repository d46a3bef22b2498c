"""Jobs on the instant while something happens: a rebalance, the death of a scheduler."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from bench.instant import jobs_due
from bench.machine import Programs, against, stamps
from bench.rig import Rig, say

_JOBS = 20


async def during(
    rig: Rig,
    programs: Programs,
    what: str,
    trouble: Callable[[], Awaitable[None]],
    *,
    after_s: int,
) -> dict[str, object]:
    """20 jobs due each second, from 3 s before the trouble until ``after_s`` seconds after it."""
    file = rig.folder / f"stamps-{what.replace(' ', '-')}"
    rig.write(jobs_due(programs, file, _JOBS, 1))
    first = math.ceil(time.time() + 6)
    at = first + 3
    await asyncio.sleep(at - time.time())
    await trouble()
    end = at + after_s
    await asyncio.sleep(max(0.0, end - time.time()) + 3)
    rig.write([])
    got = [(name, moment) for name, moment in stamps(file) if first <= moment < end + 1]
    due = [float(second) for second in range(first, end + 1)]
    row: dict[str, object] = {"what": what, "number": _JOBS, "seconds": len(due)}
    row |= against(due, [f"d{i}" for i in range(_JOBS)], got)
    say(f"{what}: {row}")
    return row
