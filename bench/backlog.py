"""Many commands that wait already when the worker comes: what one worker can do."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import Cost, Programs, cost, stamps
from bench.rig import NAMES, Part, Rig, say
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Run
from cronstream.topology.publish import Publisher
from cronstream.topology.reading import Reader


def runs(cluster: str, number: int, command: object) -> list[Run]:
    """Runs that somebody has asked for, spread over 200 jobs."""
    now = datetime.now(UTC)
    return [
        Run(
            job=f"j{i % 200}",
            cluster=cluster,
            scheduled_at=now.replace(microsecond=0),
            not_before=now,
            command=command,
            cause=Cause.RUN_NOW,
            number=i,
        )
        for i in range(number)
    ]


async def fill(rig: Rig, cluster: str, number: int, command: object) -> float:
    """Put runs on a cluster's log; return messages a second."""
    publisher = Publisher(rig.settings)
    await publisher.start()
    try:
        began = time.monotonic()
        log = NAMES.log(cluster)
        sent = [publisher.publish(log, run.job, run) for run in runs(cluster, number, command)]
        await asyncio.gather(*sent)
        return number / (time.monotonic() - began)
    finally:
        await publisher.stop()


async def drain(
    rig: Rig, programs: Programs, number: int, *, cluster: str = "b", workers: int = 1
) -> dict[str, object]:
    """``number`` trivial commands wait; the workers start: commands a second, and CPU for each."""
    file = rig.folder / f"stamps-backlog-{cluster}"
    first = await rig.start("first", "--cluster", cluster)  # declares the topics
    await rig.stop(first)
    await fill(rig, cluster, number, programs.stamp(file, "x"))
    kafka = cost([rig.broker.pid or 0])
    started = [rig.start(f"worker {i}", "--cluster", cluster) for i in range(workers)]
    parts = await asyncio.gather(*started)
    end = time.monotonic() + number / 150 + 30
    while len(stamps(file)) < number and time.monotonic() < end:  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.2)
    await asyncio.sleep(1.5)
    got = sorted(at for _, at in stamps(file))
    used = _costs(rig, parts, kafka, number)
    for part in parts:
        await rig.stop(part)
    ledger = await ledger_cost(rig, cluster)
    row: dict[str, object] = {
        "number": number,
        "workers": workers,
        "started": len(got),
        "per_s": round((len(got) - 1) / (got[-1] - got[0]), 1),
        "cpu_ms": used,
        "ledger": ledger,
    }
    say(f"backlog: {row}")
    return row


def _costs(rig: Rig, parts: list[Part], kafka: Cost, number: int) -> dict[str, float]:
    """CPU milliseconds for each command: all workers, their executors, the commands, Kafka."""
    workers = cost([part.pid for part in parts])
    executors = cost(pid for part in parts for pid in part.executors)
    seconds = {
        "worker": workers.own,
        "executor": executors.own,
        "commands": executors.children,
        "kafka": cost([rig.broker.pid or 0]).since(kafka).own,
    }
    return {name: round(used / number * 1000, 3) for name, used in seconds.items()}


async def ledger_cost(rig: Rig, cluster: str) -> dict[str, float]:
    """Messages, bytes and entries of each kind on the cluster's log for each run that ended."""
    kinds: Counter[str] = Counter()
    messages = size = 0
    log = NAMES.log(cluster)
    partitions = list(range(rig.settings.partitions))
    async with Reader(rig.settings) as reader:
        ends = await reader.ends(log, partitions)
        async for message in reader.read(log, dict.fromkeys(partitions, 0), ends):
            messages += 1
            size += len(message.value or b"") + len(message.key or b"")
            kinds.update(type(entry).__name__ for entry in decode_entries(message.value)[0])
    ended = max(1, kinds["Finished"])
    return {
        "runs": ended,
        "messages_per_run": round(messages / ended, 3),
        "bytes_per_run": round(size / ended),
        "bytes_on_disk_per_run": round(_on_disk(rig, log) / ended),
        **{kind: round(count / ended, 3) for kind, count in sorted(kinds.items())},
    }


def _on_disk(rig: Rig, log: str) -> int:
    segments: list[Path] = list((rig.folder / "kafka").rglob("*.log"))
    return sum(
        path.stat().st_size for path in segments if path.parent.name.rpartition("-")[0] == log
    )
