"""How long a console takes to catch up, on a real Kafka: alone, and by a process for each core.

``python -m bench.catching_up [RUNS]``: so many runs of each of two clusters, 100,000 unless said,
that have succeeded, and 5,000 of each that are running. Some four minutes.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiokafka import AIOKafkaProducer

from bench.fold import AT, a_claim, a_finish, a_run, a_start
from bench.machine import cost, tree
from bench.rig import NAMES, Rig, create_topics, rig, say
from cronstream.broker.ports import free_port
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.levels import LEVEL
from cronstream.supervisor.child import ProcessChild
from cronstream.supervisor.command import Command

CLUSTERS: Final = ("a", "b")
JOBS: Final = 1_000
#: Runs of each cluster that have not ended.
LIVE: Final = 5_000
#: Runs of which one message tells: as much as comes at once on a busy log.
_BATCH: Final = 10
_PATIENCE_S: Final = 600.0
#: How long a console is left to itself before it is seen what it has in memory.
_REST_S: Final = 5.0
_PROGRAM: Final = "from cronstream.cli.main import main; main()"


def messages(cluster: str, runs: int) -> Iterator[bytes]:
    """Yield a cluster's log, of which each offset is a message's number."""
    yield encode_entries([Level(level=LEVEL)])
    offset = 1
    jobs = [f"{cluster}-{n}" for n in range(JOBS)]
    yield encode_entries([Withdrawal(job=job, revision=1, effective_from=AT) for job in jobs])
    for first in range(0, runs + LIVE, _BATCH):
        numbers = range(first, first + _BATCH)
        some = [a_run(n, n // JOBS).derive(cluster=cluster, job=jobs[n % JOBS]) for n in numbers]
        offset += 1
        yield encode_entries(some)
        version = offset
        for kind in (a_claim, a_start, a_finish) if first < runs else (a_claim, a_start):
            offset += 1
            yield encode_entries([kind(run, version) for run in some])


async def fill(broker: str, runs: int) -> None:
    """Write the logs of all clusters."""
    topics = [name for one in CLUSTERS for name in (NAMES.log(one), NAMES.retry_log(one))]
    await create_topics(broker, *topics)
    async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=5) as producer:
        for cluster in CLUSTERS:
            for value in messages(cluster, runs):
                await producer.send(NAMES.log(cluster), value, partition=0)


async def catch_up(one: Rig, folder: Path, processes: int, runs: int) -> dict[str, Any]:
    """Measure a console that has no file yet, from its start until it has projected all."""
    port = free_port()
    variables = {
        "CRONSTREAM_BROKER": one.broker.url,
        "CRONSTREAM_DATA_DIR": str(folder),
        "CRONSTREAM_WEB_PORT": str(port),
        "CRONSTREAM_CONSOLE_PROJECTORS": str(processes),
        "CRONSTREAM_CONSOLE_KEEP_DAYS": "3650",
    }
    command = Command((sys.executable, "-c", _PROGRAM, "console"), variables, one.folder)
    began = time.monotonic()
    console = await ProcessChild.start(command, lambda _: None, one.guard, 5.0)
    try:
        found = await _until_current(f"http://127.0.0.1:{port}/health", console.pid, began)
    finally:
        await console.stop()
    return {"processes": processes, "runs_per_s": round(runs / found["took_s"]), **found}


async def _until_current(address: str, pid: int, began: float) -> dict[str, float]:
    """Wait until it is; return the most memory it had, with all its processes, and has then."""
    most, slowest = 0.0, 0.0
    async with asyncio.timeout(_PATIENCE_S), aiohttp.ClientSession() as session:
        while True:
            await asyncio.sleep(0.2)
            most = max(most, cost(tree(pid)).rss)
            with suppress(aiohttp.ClientConnectionError):
                asked = time.monotonic()
                async with session.get(address) as answer:
                    known = await answer.json()
                slowest = max(slowest, time.monotonic() - asked)
                if known["is_current"]:
                    break
    took = time.monotonic() - began
    await asyncio.sleep(_REST_S)
    return {
        "took_s": round(took, 1),
        "slowest_page_ms": round(slowest * 1e3),
        "most_rss_mib": round(most),
        "rss_mib": round(cost(tree(pid)).rss),
    }


async def measure(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Measure by turns: alone, by two processes, and again."""
    async with rig(folder) as one:
        await fill(one.broker.address, runs)
        say(f"{len(CLUSTERS)} logs of {runs} runs are written")
        rows = []
        for turn, processes in enumerate((1, 2, 1, 2)):
            found = await catch_up(one, folder / f"console-{turn}", processes, runs * len(CLUSTERS))
            say(f"{found}")
            rows.append(found)
        return rows


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as name:
        number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
        found = asyncio.run(measure(Path(name), number))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
