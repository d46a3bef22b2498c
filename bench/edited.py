"""An installation with 300,000 edits behind it beside a new one: how long it takes to begin.

``python -m bench.edited [EDITS]``: the topic ``jobs`` is given that many revisions of 1,000 jobs;
then all of it is stopped, and begun again, each process by itself. It takes about four minutes.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from bench.instant import idle_jobs
from bench.rig import NAMES, Part, Rig, rig, say
from cronstream.core.wire.codec import encode
from cronstream.core.wire.naming import SCHEDULER
from cronstream.crontab_file import read_crontab
from cronstream.topology.reading import Reader

EDITS = 300_000
_JOBS = 1000
_PATIENCE_S = 600.0
#: What a command has besides, so that a revision is as large as people's are.
_PADDING = " # " + "x" * 1000


async def edit(one: Rig, edits: int) -> None:
    """Put revisions on ``jobs``; the last of each job is as the crontab has it."""
    jobs = read_crontab(one.crontab).jobs
    begun = datetime.now(UTC) - timedelta(days=365)
    async with AIOKafkaProducer(
        bootstrap_servers=one.settings.bootstrap, max_batch_size=900_000
    ) as producer:
        batch = producer.create_batch()
        for number in range(edits):
            job = jobs[number % len(jobs)]
            if number < edits - len(jobs):
                job = job.derive(description=f"as edited {number} times")
            value = encode(job.derive(effective_from=begun + timedelta(seconds=100 * number)))
            if batch.append(key=None, value=value, timestamp=None) is None:
                await (await producer.send_batch(batch, NAMES.jobs, partition=0))
                batch = producer.create_batch()
                batch.append(key=None, value=value, timestamp=None)
        await (await producer.send_batch(batch, NAMES.jobs, partition=0))
    # Schedulers have looked at each when it came.
    async with AIOKafkaConsumer(
        bootstrap_servers=one.settings.bootstrap,
        group_id=NAMES.group(SCHEDULER),
        enable_auto_commit=False,
    ) as consumer:
        place = TopicPartition(NAMES.jobs, 0)
        consumer.assign([place])
        await consumer.commit({place: (await consumer.end_offsets([place]))[place]})


async def measure(folder: Path, edits: int) -> dict[str, Any]:
    """Measure one installation."""
    async with rig(folder) as one:
        one.write([])
        await one.stop(await _begun(one, "scheduler"))
        one.write([{**job, "command": f"true{_PADDING}"} for job in idle_jobs(_JOBS)])
        if edits:
            began = time.monotonic()
            await edit(one, edits)
            say(f"edited within {time.monotonic() - began:.0f} s")
        first = await one.start("scheduler", waits=False)
        await first.said("shard-taken", within_s=_PATIENCE_S)
        await first.said("crontab-applied", jobs=1000, within_s=_PATIENCE_S)
        await _has_cursor(one)
        await one.stop(first)
        row: dict[str, Any] = {"edits": edits}
        row["scheduler_s"] = await _took(one, "scheduler", "shard-taken")
        row["crontab_s"] = await _took(one, "scheduler", "crontab-applied")
        row["worker_s"] = await _took(one, "worker", "assigned", "--cluster", "a")
        row["run_now_s"] = await took_command(one, "run-now", "i1")
        row["discarded_s"] = await took_command(one, "discarded")
    say(f"{row}")
    return row


async def _has_cursor(one: Rig) -> None:
    topic = NAMES.cursors
    async with Reader(one.settings) as reader:
        for _ in range(int(_PATIENCE_S)):
            if (await reader.ends(topic, [0]))[0]:
                return
            await asyncio.sleep(1)


async def _begun(one: Rig, name: str) -> Part:
    part = await one.start(name, waits=False)
    await part.said("crontab-applied")
    return part


async def _took(one: Rig, name: str, action: str, *options: str) -> float:
    began = time.monotonic()
    part = await one.start(name, *options, waits=False)
    await part.said(action, within_s=_PATIENCE_S)
    took = time.monotonic() - began
    say(f"{name} took {took:.1f} s")
    await one.stop(part)
    return round(took, 1)


async def took_command(one: Rig, *words: str) -> float:
    """Have a command do its work; return how many seconds that took."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from cronstream.cli.main import main; main()",
        "--broker",
        one.broker.url,
        *words,
        stdout=asyncio.subprocess.DEVNULL,
    )
    status = await process.wait()
    if status:
        raise SystemExit(f"cronstream {' '.join(words)} ended with {status}")
    return round(time.monotonic() - began, 1)


async def main() -> None:
    """Measure both, and print the rows."""
    edits = int(sys.argv[1]) if len(sys.argv) > 1 else EDITS
    with tempfile.TemporaryDirectory() as name:
        for count in (0, edits):
            row = await measure(Path(name) / str(count), count)
            sys.stdout.write(f"{orjson.dumps(row).decode()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
