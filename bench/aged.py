"""An installation aged by a year beside a new one: how it begins, runs, reports, and takes over.

``python -m bench.aged [SCALE]``: each table's changelog is given the rows of a year, none of them
compacted; ``jobs`` 300,000 revisions; and the logs offsets of which Kafka has deleted all but the
last. Then 20 jobs are due each second, for a while undisturbed, and while the owner is killed, once
of the shard and once of the partitions. It takes about twelve minutes.

Times cannot be aged, for they are the broker's: what commands read is what is younger than
``--since`` in both.
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
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from bench.edited import EDITS, edit, took_command
from bench.instant import idle_jobs, jobs_due
from bench.machine import Programs, build, spread, stamps
from bench.rig import NAMES, Part, Rig, rig, say
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Heartbeat
from cronstream.core.wire.naming import Role

#: A row each minute of a year, as of a scheduler with little to do; and thousands of snapshots.
CURSORS = 525_600
LEDGERS = 5_000
#: What a snapshot has besides, so that it is as large as one of some hundred jobs.
_PADDING = "x" * 20_000
#: Messages that were on each partition of a log, and are not any more.
GONE = 50_000
_AFTER_S = 30
_JOBS = 20
#: Jobs that are there besides, and not due.
_IDLE = 1000
_QUIET_S = 30


async def age(one: Rig, cursors: int, ledgers: int) -> None:
    """Put rows before the last that each table has; the processes that own them are stopped."""
    scheduler = NAMES.cursors
    worker = NAMES.ledgers(Role.of("a", retry=False))
    row = orjson.dumps(Cursor(0, datetime.now(UTC)).to_row())
    last = await _last(one, scheduler, 0)
    await _fill(one, scheduler, 0, [row] * cursors + [last or row])
    for partition in range(one.settings.partitions):
        last = await _last(one, worker, partition)
        if last is not None:
            padded = orjson.dumps({**orjson.loads(last), "padding": _PADDING})
            await _fill(one, worker, partition, [padded] * (ledgers // 12) + [last])


async def move_on(one: Rig, gone: int) -> None:
    """Give the log of a cluster the offsets of a year, and let Kafka forget what was there."""
    log, partitions = NAMES.log("a"), range(one.settings.partitions)
    beat = encode(Heartbeat(worker="w", number=1))
    for partition in partitions:
        await _fill(one, log, partition, [beat] * gone)
    admin = AIOKafkaAdminClient(bootstrap_servers=one.settings.bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(log, p): RecordsToDelete(-1) for p in partitions}
        )
    finally:
        await admin.close()


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
        await spare.said("assigned")
    elif not _has_shard(owner):
        owner, spare = spare, owner
    one.write([*_jobs(programs, file), *idle_jobs(_IDLE)])
    await asyncio.sleep(10)
    at = time.time()
    spare.recent.clear()
    await one.kill(owner)
    await spare.said("assigned" if options else "shard-taken")
    taken_s = round(time.time() - at, 1)
    await asyncio.sleep(max(0.0, at + _AFTER_S - time.time()))
    one.write(idle_jobs(_IDLE))
    end = time.time()
    await asyncio.sleep(3)
    row = {
        "what": f"{what} killed",
        "taken_over_s": taken_s,
        **lateness(stamps(file), at - 4, end - 12),
    }
    say(f"{row}")
    return row


def _jobs(programs: Programs, file: Path) -> list[dict[str, object]]:
    command = programs.stamp(file, '"$CRONSTREAM_RUN_ID"')
    return [{**job, "command": command} for job in jobs_due(programs, file, _JOBS, 1)]


def lateness(got: list[tuple[str, float]], begin: float, end: float) -> dict[str, float]:
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
    return part.has_said("shard-taken")


async def cold(one: Rig) -> dict[str, Any]:
    """Start a scheduler and a worker, each by itself, after both were stopped."""
    row: dict[str, Any] = {}
    for what, action, *options in (
        ("scheduler", "crontab-applied"),
        ("worker", "assigned", "--cluster", "a"),
    ):
        began = time.monotonic()
        part = await one.start(what, *options, waits=False)
        await part.said(action, within_s=600)
        row[f"{what}_begins_s"] = round(time.monotonic() - began, 1)
    return row


async def quiet(one: Rig, programs: Programs) -> dict[str, Any]:
    """Let 20 jobs be due each second, undisturbed; then ask for what has become of them."""
    file = one.folder / "stamps-quiet"
    one.write([*_jobs(programs, file), *idle_jobs(_IDLE)])
    await asyncio.sleep(10 + _QUIET_S)
    begin, end = time.time() - _QUIET_S, time.time() - 1
    row: dict[str, Any] = {**lateness(stamps(file), begin, end), **_spread(stamps(file), begin)}
    row |= {f"{part.name}_rss_mib": round(part.costs()[part.name].rss) for part in one.parts}
    for words in (("runs",), ("audit", "--since", "30s")):
        row[f"{words[0]}_s"] = min([await took_command(one, *words) for _ in range(3)])
    one.write(idle_jobs(_IDLE))
    return row


def _spread(got: list[tuple[str, float]], begin: float) -> dict[str, float]:
    return spread([at - math.floor(at) for _, at in got if at >= begin])


async def measure(folder: Path, *, aged: bool, scale: float) -> dict[str, Any]:
    """Measure one installation."""
    programs = build(folder / "bin")
    async with rig(folder / ("aged" if aged else "new")) as one:
        began = time.monotonic()
        if aged:  # Schedulers have seen each edit when it came: no cursor is behind them.
            one.write([])
            part = await one.start("scheduler", waits=False)
            await part.said("crontab-applied")
            await _stop_all(one)
            one.write(idle_jobs(_IDLE))
            await edit(one, int(EDITS * scale))
        one.write([*jobs_due(programs, folder / "first", 20, 1), *idle_jobs(_IDLE)])
        part = await one.start("scheduler", waits=False)
        await part.said("crontab-applied", within_s=600)
        await one.start("worker", "--cluster", "a")
        await asyncio.sleep(45)  # Until each partition has a row.
        one.write(idle_jobs(_IDLE))
        await asyncio.sleep(5)
        await _stop_all(one)
        if aged:
            await age(one, int(CURSORS * scale), int(LEDGERS * scale))
            await move_on(one, int(GONE * scale))
        say(f"made within {time.monotonic() - began:.0f} s")
        # Its processes have been there when all that was done: each has seen the last of it.
        await cold(one)
        await asyncio.sleep(15)
        await _stop_all(one)
        row = {"aged": aged, **await cold(one), **await quiet(one, programs)}
        say(f"{row}")
        for what, *options in (("scheduler",), ("worker", "--cluster", "a")):
            row[f"{what}_killed"] = await killed(one, programs, what, *options)
    return row


async def _stop_all(one: Rig) -> None:
    for part in list(one.parts):
        await one.stop(part)


async def main() -> None:
    """Measure both, and print the rows."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for aged in (False, True):
            row = await measure(folder, aged=aged, scale=scale)
            sys.stdout.write(f"{orjson.dumps(row).decode()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
