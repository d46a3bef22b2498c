"""Very many edits that come at once: what is late meanwhile, and when they are in force.

``python -m bench.burst [EDITS]``: 20 jobs are due each second. A scheduler is up while that many
revisions of 1,000 other jobs come on ``jobs``; then it is stopped, as many come, and it is begun
again behind them; and then as many jobs as a third of that are edited in the crontab at once.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
from aiokafka import AIOKafkaProducer

from bench.aged import lateness
from bench.instant import idle_jobs, jobs_due
from bench.machine import Programs, build, stamps
from bench.rig import NAMES, Part, Rig, rig, say
from cronstream.core.wire.codec import encode
from cronstream.crontab_file import read_crontab
from cronstream.topology.last_rows import rows_on
from cronstream.topology.reading import Reader

EDITS = 300_000
_JOBS = 20
_IDLE = 1000
_PATIENCE_S = 900.0
#: A scheduler that begins after this long has something to make up for.
_AWAY_S = 60.0
#: After the last has been taken into force.
_AFTER_S = 10.0


async def come(one: Rig, edits: int) -> None:
    """Put revisions on ``jobs``, as fast as Kafka takes them; each job ends as the crontab has it.

    They hold from now on, one after another.
    """
    jobs = [job for job in read_crontab(one.crontab).jobs if job.name.startswith("i")]
    async with AIOKafkaProducer(
        bootstrap_servers=one.settings.bootstrap, max_batch_size=900_000
    ) as producer:
        batch = producer.create_batch()
        for number in range(edits):
            job = jobs[number % len(jobs)]
            if number < edits - len(jobs):
                job = job.derive(description=f"as edited {number} times")
            value = encode(job.derive(effective_from=datetime.now(UTC)))
            if batch.append(key=None, value=value, timestamp=None) is None:
                await (await producer.send_batch(batch, NAMES.jobs, partition=0))
                batch = producer.create_batch()
                batch.append(key=None, value=value, timestamp=None)
        await (await producer.send_batch(batch, NAMES.jobs, partition=0))


async def in_force(one: Rig, part: Part) -> None:
    """Wait until all that stands on ``jobs`` has been announced to every log."""
    topic = NAMES.cursors
    async with Reader(one.settings) as reader:
        end = (await reader.ends(NAMES.jobs, [0]))[0]
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                row = orjson.loads((await rows_on(reader, topic, [0]))[0].lines()[0])
                lags = row.get("behind", {}).values()
                if min([row["taken"], *(lag["taken"] for lag in lags)]) >= end:
                    return
                if part.child is None or not psutil.pid_exists(part.pid):
                    raise SystemExit(f"{part.name} has ended: {part.recent[-20:]}")
                await asyncio.sleep(0.5)


async def during(
    one: Rig, file: Path, what: str, begin: Callable[[], Awaitable[Part]]
) -> dict[str, Any]:
    """Have something begun that brings edits; return how late runs are until they hold."""
    began = time.time()
    part = await begin()
    came = time.time()
    await in_force(one, part)
    took = time.time()
    await asyncio.sleep(_AFTER_S)
    row = {
        "what": what,
        "came_s": round(came - began, 1),
        "in_force_s": round(took - began, 1),
        **lateness(stamps(file), began, time.time() - 2),
    }
    say(f"{row}")
    return row


async def measure(folder: Path, programs: Programs, edits: int) -> list[dict[str, Any]]:
    """Measure one installation."""
    rows = []
    async with rig(folder) as one:
        file = folder / "stamps"
        due = _due(programs, file)
        one.write([*due, *idle_jobs(_IDLE)])
        part = await one.start("scheduler")
        await part.said("crontab-applied")
        await one.start("worker", "--cluster", "a")
        await asyncio.sleep(15)

        async def live() -> Part:
            await come(one, edits)
            return part

        rows.append(await during(one, file, "while it is up", live))
        await one.stop(part)
        await come(one, edits)
        await asyncio.sleep(_AWAY_S)

        async def begun() -> Part:
            return await one.start("scheduler", waits=False)

        rows.append(await during(one, file, "before it begins", begun))
        part = next(p for p in one.parts if p.name == "scheduler")
        many = idle_jobs(edits // 3)
        one.write([*due, *many])
        await part.said("crontab-applied", jobs=len(due) + len(many), within_s=_PATIENCE_S)
        await in_force(one, part)
        await asyncio.sleep(10)

        async def edited() -> Part:
            one.write([*due, *({**job, "command": "exit 1"} for job in many)])
            await part.said("crontab-applied", changed=len(many), within_s=_PATIENCE_S)
            return part

        rows.append(await during(one, file, "by the crontab", edited))
    return rows


def _due(programs: Programs, file: Path) -> list[dict[str, object]]:
    command = programs.stamp(file, '"$CRONSTREAM_RUN_ID"')
    return [{**job, "command": command} for job in jobs_due(programs, file, _JOBS, 1)]


async def main() -> None:
    """Measure, and print the rows."""
    edits = int(sys.argv[1]) if len(sys.argv) > 1 else EDITS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = build(folder / "bin")
        for row in await measure(folder / "rig", programs, edits):
            sys.stdout.write(f"{orjson.dumps(row).decode()}\n")


if __name__ == "__main__":
    asyncio.run(main())
