"""Jobs that are due at one instant: how late the first instruction of each command is."""

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.floors import in_shell, stamped
from bench.machine import Programs, against, spread, stamps
from bench.rig import Rig, per, say

#: An edit is in force and claimed long before its first due time.
_LEAD_S = 6.0


def jobs_due(
    programs: Programs, file: Path, number: int, period: int, *, shell: bool = False
) -> list[dict[str, object]]:
    every = "* * * * * *" if period == 1 else f"*/{period} * * * * *"
    text = programs.stamp_in_shell if shell else programs.stamp_of
    return [
        {
            "name": f"d{i}",
            "cluster": "a",
            "schedule": every,
            "command": text(file, i),
        }
        for i in range(number)
    ]


def idle_jobs(number: int) -> list[dict[str, object]]:
    """Jobs with schedules of their own that are not due for two months."""
    month = (time.localtime().tm_mon + 1) % 12 + 1
    return [
        {
            "name": f"i{i}",
            "cluster": "a",
            "schedule": f"{i % 60} {i // 60 % 24} {1 + i // 1440 % 28} {month} *",
            "command": "exit 0",
        }
        for i in range(number)
    ]


async def at_once(
    rig: Rig,
    programs: Programs,
    number: int,
    *,
    period: int,
    fires: int,
    idle: int = 0,
    shell: bool = False,
) -> dict[str, object]:
    """``number`` jobs due every ``period`` seconds, ``fires`` times; between them, the floor."""
    file = rig.folder / f"stamps-{number}-{idle}-{period}"
    file.unlink(missing_ok=True)
    jobs, floor = jobs_due(programs, file, number, period, shell=shell), _floor_of(shell=shell)
    rig.write([*jobs, *idle_jobs(idle)])
    lead = _LEAD_S + number / 400 + idle / 1500
    first = math.ceil((time.time() + lead) / period) * period
    due = [first + k * period for k in range(fires)]
    floors, before = [], rig.costs()
    for instant in due:
        await asyncio.sleep(max(0.0, instant - 0.2 - time.time()))
        if instant == due[0]:
            before = rig.costs()
        await _all_there(file, number, instant)
        if period > 1:
            await asyncio.sleep(min(1.0, period / 5))
            floors.append(await asyncio.to_thread(floor, programs, rig.folder / "floor", number))
    rig.write([])
    got = [(name, at) for name, at in stamps(file) if at >= first]
    row: dict[str, object] = {"number": number, "idle": idle, "fires": fires}
    row |= against(due, [f"d{i}" for i in range(number)], got)
    after = rig.costs()
    row["cpu_ms"] = per(number * fires, before, after)
    row["rss_mib"] = {name: round(used.rss, 1) for name, used in after.items()}
    if number > 1:
        late = [[at - one for _, at in got if one <= at < one + period] for one in due]
        row["per_s"] = [round(len(some) / max(some), 1) for some in late if some]
        row["p99s_ms"] = [spread(some)["p99_ms"] for some in late if some]
    if floors:
        row["floor"] = floors
    say(f"{number} due at once: {row}")
    return row


async def deliveries(rig: Rig, programs: Programs, number: int, fires: int) -> dict[str, object]:
    """``number`` jobs of each delivery, due in turns, two seconds each: how late each of them is.

    Slots are free, so the difference is what `Started` costs that is read back before the start.
    """
    names = {"at_least_once": "0-58/2", "at_most_once": "1-59/2"}
    file = rig.folder / f"stamps-deliveries-{number}"
    rig.write(
        [
            {
                "name": f"{delivery}-{n}",
                "cluster": "a",
                "schedule": f"{seconds} * * * * *",
                "delivery": delivery,
                "command": programs.stamp(file, delivery),
            }
            for delivery, seconds in names.items()
            for n in range(number)
        ]
    )
    first = math.ceil(time.time() + _LEAD_S)
    await asyncio.sleep(max(0.0, first + 2 * fires + 1 - time.time()))
    rig.write([])
    late: dict[str, list[float]] = {name: [] for name in names}
    for name, at in stamps(file):
        if at >= first:
            late[name].append(at - math.floor(at))
    row: dict[str, object] = {"number": number, "fires": fires}
    row |= {name: {"starts": len(some), **spread(some)} for name, some in late.items()}
    for share in ("p50_ms", "p99_ms"):
        once, least = (spread(late[name])[share] for name in ("at_most_once", "at_least_once"))
        row[f"{share}_ratio"] = round(once / least, 2)
    say(f"deliveries: {row}")
    return row


def _floor_of(*, shell: bool) -> Callable[[Programs, Path, int], dict[str, Any]]:
    return in_shell if shell else _bare


def _bare(programs: Programs, file: Path, number: int) -> dict[str, Any]:
    """The same commands by a bare loop: as they are, and with the shell that peers use."""
    plain = stamped(programs, file, number)
    return {**plain, "in_shell": stamped(programs, file, number, in_shell=True)}


async def _all_there(file: Path, number: int, instant: float) -> None:
    end = instant + 30
    while time.time() < end:
        if sum(at >= instant for _, at in stamps(file)) >= number:
            return
        await asyncio.sleep(0.05)
