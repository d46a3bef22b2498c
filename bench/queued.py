"""A partition with very many queued runs: how long a worker's event loop stands still for them.

``python -m bench.queued [RUNS]``: the runs are put on one partition, as if there had been no worker
for minutes; one worker folds them and writes a snapshot; another takes over by that. Each says how
long its event loop stood still at the most, and how long it took from the assignment until it
could decide (the barrier). It takes about two minutes.
"""

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from bench.rig import NAMES, Part, Rig, rig, say
from cronstream.core.wire import naming
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.entries import Entry, Withdrawal
from cronstream.core.wire.naming import Role
from cronstream.core.wire.runs import Run
from cronstream.topology.changelog import Changelog
from cronstream.topology.publish import partition_of
from cronstream.topology.topics import ensure_topics, topics_of

RUNS = 57_000
_JOBS = 500
_BATCH = 50


def _names(partitions: int) -> list[str]:
    """Return the names of jobs that all go to partition 0."""
    found, number = list[str](), 0
    while len(found) < _JOBS:
        number += 1
        if partition_of(f"job-{number}", partitions) == 0:
            found.append(f"job-{number}")
    return found


def _entries(names: list[str], runs: int) -> list[Entry]:
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=11)
    words: list[Entry] = [Withdrawal(job=n, revision=1, effective_from=first) for n in names]
    for number in range(runs):
        due = first + timedelta(seconds=number // len(names))
        command = f"sleep 300 # {'and what else a command has ' * 6}"
        words.append(
            Run(
                job=names[number % len(names)],
                cluster="a",
                scheduled_at=due,
                not_before=due,
                command=command,
                revision=1,
                max_attempts=3,
            )
        )
    return words


async def _fill(one: Rig, runs: int) -> None:
    role = Role.of("a", retry=False)
    tables = {naming.LEDGERS: one.settings.partitions}
    await ensure_topics(topics_of(role, one.settings, tables), one.settings)
    entries = _entries(_names(one.settings.partitions), runs)
    async with AIOKafkaProducer(bootstrap_servers=one.settings.bootstrap) as producer:
        for start in range(0, len(entries), _BATCH):
            value = encode_entries(entries[start : start + _BATCH])
            await producer.send(NAMES.log_of(role), value, partition=0)


async def _measured(one: Rig, what: str, wait_s: float) -> tuple[Part, dict[str, Any]]:
    part = await one.start(what, "--cluster", "a", app="bench.apps.watched_app")
    await part.said("barrier")
    await asyncio.sleep(wait_s)
    return part, _row(part, what)


def _row(part: Part, what: str) -> dict[str, Any]:
    stalls = [said["seconds"] for said in _of(part, "stalled")]
    barrier = [said["seconds"] for said in _of(part, "barrier")]
    cost = part.costs()[part.name]
    return {
        "what": what,
        "barrier_s": barrier[0],
        "longest_stall_s": max(stalls, default=0.0),
        "stalls_over_0.1_s": len(stalls),
        "rss_mib": round(cost.rss),
    }


def _of(part: Part, action: str) -> list[dict[str, Any]]:
    """Return what it has said of one kind."""
    return [said for said in part.recent if said.get("action") == action]


async def _until_written(one: Rig, part: Part, runs: int) -> float:
    """Wait until a snapshot with the runs is there; return after how long."""
    topic = NAMES.ledgers(Role.of("a", retry=False))
    began = time.monotonic()
    while time.monotonic() - began < 180:
        row = (await Changelog(one.settings).read(topic, [0])).get(0)
        if row is not None and sum(map(len, row.lines())) > runs * 100:
            return time.monotonic() - began
        await asyncio.sleep(2)
    raise TimeoutError(f"no snapshot within three minutes: {part.recent[-20:]}")


def _show_stalls(part: Part) -> None:
    for said in _of(part, "stalled"):
        sys.stderr.write(f"{said['time']} stood still for {said['seconds']} s in {said['where']}\n")


async def measure(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Measure one worker that folds and writes, and one that takes over."""
    async with rig(folder) as one:
        one.write([])
        await _fill(one, runs)
        say(f"{runs:,} runs are queued")
        first, _ = await _measured(one, "writes", 0)
        first.recent[:] = _of(first, "barrier")
        took = await _until_written(one, first, runs)
        writes = {**_row(first, "writes"), "written_after_s": round(took, 1)}
        say(f"{writes}")
        _show_stalls(first)
        await one.kill(first)
        second, reads = await _measured(one, "takes over", 10)
        say(f"{reads}")
        _show_stalls(second)
    return [writes, reads]


async def main() -> None:
    """Measure, and print the rows."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as name:
        for row in await measure(Path(name), runs):
            sys.stdout.write(f"{orjson.dumps(row).decode()}\n")


if __name__ == "__main__":
    asyncio.run(main())
