"""An installation aged by a year beside a new one: how long it takes until another takes over.

``python -m bench.aged [SCALE]``: each table's changelog is given the rows of a year, none of them
compacted; then the owner is killed, once of the shard and once of the partitions, while 20 jobs
are due each second. It takes about six minutes.
"""

import asyncio
import math
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from bench.instant import jobs_due
from bench.machine import Programs, build, stamps
from bench.rig import Part, Rig, rig, say
from cronstream.core import naming
from cronstream.core.cursor import Cursor
from cronstream.core.naming import Role

#: A row each minute of a year, as of a scheduler with little to do; and thousands of snapshots.
CURSORS = 525_600
LEDGERS = 5_000
#: What a snapshot has besides, so that it is as large as one of some hundred jobs.
_PADDING = "x" * 20_000
_AFTER_S = 30
_JOBS = 20


async def age(one: Rig, cursors: int, ledgers: int) -> None:
    """Put rows before the last that each table has; the processes that own them are stopped."""
    scheduler = naming.changelog(Role.of(None, retry=False).group, naming.CURSORS)
    worker = naming.changelog(Role.of("a", retry=False).group, naming.LEDGERS)
    row = orjson.dumps(Cursor(0, datetime.now(UTC)).to_row())
    last = await _last(one, scheduler, 0)
    await _fill(one, scheduler, 0, [row] * cursors + [last or row])
    for partition in range(one.settings.partitions):
        last = await _last(one, worker, partition)
        if last is not None:
            padded = orjson.dumps({**orjson.loads(last), "padding": _PADDING})
            await _fill(one, worker, partition, [padded] * (ledgers // 12) + [last])


async def _last(one: Rig, topic: str, partition: int) -> bytes | None:
    place = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(bootstrap_servers=one.settings.bootstrap)
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        if not end:
            return None
        consumer.seek(place, end - 1)
        message = await consumer.getone()
        return message.value
    finally:
        await consumer.stop()


async def _fill(one: Rig, topic: str, partition: int, rows: list[bytes]) -> None:
    key, sent = orjson.dumps(str(partition)), []
    async with AIOKafkaProducer(
        bootstrap_servers=one.settings.bootstrap, max_batch_size=900_000
    ) as producer:
        batch = producer.create_batch()
        for row in rows:
            if batch.append(key=key, value=row, timestamp=None) is None:
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=row, timestamp=None)
        sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)


async def killed(one: Rig, programs: Programs, what: str, *options: str) -> dict[str, Any]:
    """Kill the owner while 20 jobs are due each second, with a spare beside it."""
    file = one.folder / f"stamps-{what}"
    owner = next(part for part in one.parts if part.name == what)
    spare = await one.start(f"{what} spare", *options, waits=False)
    await asyncio.sleep(10)
    if options:  # By then it has its share of the partitions.
        await spare.said("owns ")
    elif not _has_shard(owner):
        owner, spare = spare, owner
    one.write(_jobs(programs, file))
    await asyncio.sleep(10)
    at = time.time()
    spare.recent.clear()
    await one.kill(owner)
    await spare.said("owns " if options else "taken over")
    taken_s = round(time.time() - at, 1)
    await asyncio.sleep(max(0.0, at + _AFTER_S - time.time()))
    one.write([])
    end = time.time()
    await asyncio.sleep(3)
    row = {
        "what": f"{what} killed",
        "taken_over_s": taken_s,
        **_lateness(stamps(file), at - 4, end - 12),
    }
    say(f"{row}")
    return row


def _jobs(programs: Programs, file: Path) -> list[dict[str, object]]:
    command = programs.stamp(file, '"$CRONSTREAM_RUN_ID"')
    return [{**job, "command": command} for job in jobs_due(programs, file, _JOBS, 1)]


def _lateness(got: list[tuple[str, float]], begin: float, end: float) -> dict[str, float]:
    """Of the runs due in a span, how many never began, and how late the others did at first."""
    firsts: dict[str, float] = {}
    for run, at in got:
        firsts[run] = min(at, firsts.get(run, at))
    due = {
        f"d{i}@{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}": second
        for i in range(_JOBS)
        for second in range(math.ceil(begin), int(end))
    }
    late = [firsts[run] - second for run, second in due.items() if run in firsts]
    return {
        "expected": len(due),
        "missing": len(due) - len(late),
        "late_over_1_s": sum(value > 1 for value in late),
        "latest_s": round(max(late, default=0.0), 2),
    }


def _has_shard(part: Part) -> bool:
    return any("taken over" in line for line in part.recent)


async def measure(folder: Path, *, aged: bool, cursors: int, ledgers: int) -> list[dict[str, Any]]:
    """Measure one installation."""
    programs = build(folder / "bin")
    async with rig(folder / ("aged" if aged else "new")) as one:
        one.write(jobs_due(programs, folder / "first", 20, 1))
        parts = [await one.start("scheduler"), await one.start("worker", "--cluster", "a")]
        await asyncio.sleep(40)  # Until each partition has a row.
        one.write([])
        for part in parts:
            await one.stop(part)
        if aged:
            began = time.monotonic()
            await age(one, cursors, ledgers)
            say(f"aged within {time.monotonic() - began:.0f} s")
        await one.start("scheduler")
        await one.start("worker", "--cluster", "a")
        rows = [
            await killed(one, programs, "scheduler"),
            await killed(one, programs, "worker", "--cluster", "a"),
        ]
    return [{"aged": aged, **row} for row in rows]


async def main() -> None:
    """Measure both, and print the rows."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    cursors, ledgers = int(CURSORS * scale), int(LEDGERS * scale)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for aged in (False, True):
            rows = await measure(folder, aged=aged, cursors=cursors, ledgers=ledgers)
            for row in rows:
                sys.stdout.write(f"{orjson.dumps(row).decode()}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
