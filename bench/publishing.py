"""How fast a scheduler publishes: many jobs due at one instant, as the logs saw them come."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench.machine import cost
from bench.rig import NAMES, Rig, say
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.runs import Run
from cronstream.topology.reading import Reader

#: Long enough before the look-ahead for the crontab to be in force.
_LOOK_AHEAD_S = 30.0


async def rate(
    rig: Rig,
    number: int,
    *,
    schedulers: int,
    cluster: str,
    on_begin: Callable[[int], None] = lambda _: None,
) -> dict[str, object]:
    """``number`` jobs due at one instant, published by so many schedulers; no worker is there.

    `on_begin` is given the process of the first scheduler just before it publishes.
    """
    lead = _LOOK_AHEAD_S + 5 + number / 1200
    due = datetime.fromtimestamp(time.time() + lead, UTC).replace(microsecond=0)
    schedule = f"{due.second} {due.minute} {due.hour} * * *"
    rig.write(
        [
            {"name": f"p{i}", "cluster": cluster, "schedule": schedule, "command": "/bin/true"}
            for i in range(number)
        ],
        "a",
        "b",
        cluster,
    )
    parts = [part for part in rig.parts if part.name.startswith("scheduler")]
    begins = due - timedelta(seconds=_LOOK_AHEAD_S + 1)
    await asyncio.sleep(max(0.0, begins.timestamp() - time.time()))
    on_begin(parts[0].pid)
    before = [cost([part.pid]).own for part in parts]
    await asyncio.sleep(4 + number / 2500)
    used = sum(cost([part.pid]).own - own for part, own in zip(parts, before, strict=True))
    at, messages, size = await _published(rig, cluster)
    span = (at[-1] - at[0]).total_seconds() if len(at) > 1 else 0.0
    row: dict[str, object] = {
        "runs": len(at),
        "expected": number,
        "schedulers": schedulers,
        "per_s": round(len(at) / span) if span else None,
        "cpu_us_per_run": round(used / max(1, len(at)) * 1e6),
        "late_s": round(at[-1].timestamp() - (due.timestamp() - _LOOK_AHEAD_S), 2) if at else None,
        "runs_per_message": round(len(at) / max(1, messages), 1),
        "bytes_per_run": round(size / max(1, len(at))),
    }
    say(f"publishing: {row}")
    return row


async def _published(rig: Rig, cluster: str) -> tuple[list[datetime], int, int]:
    log, partitions = NAMES.log(cluster), list(range(rig.settings.partitions))
    at: list[datetime] = []
    messages = size = 0
    async with Reader(rig.settings) as reader:
        ends = await reader.ends(log, partitions)
        async for message in reader.read(log, dict.fromkeys(partitions, 0), ends):
            runs = [e for e in decode_entries(message.value)[0] if isinstance(e, Run)]
            messages += bool(runs)
            size += len(message.value or b"") if runs else 0
            at.extend([message.at] * len(runs))
    return sorted(at), messages, size
