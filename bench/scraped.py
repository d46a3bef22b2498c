"""The way of a run while somebody scrapes each process every second, and while nobody does.

Five hundred jobs, so that each has series of its own, 25 of them due each second. Blocks of some
seconds with and without scrapes follow each other, so that whatever else the machine does is in
both.
"""

import asyncio
import contextlib
import math
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.machine import Cost, Programs, spread, stamps
from bench.rig import Rig, rig, say
from cronstream.broker.ports import free_port

JOBS = 500
_PERIOD_S = 20
#: Each block, of which the first second is not counted.
_BLOCK_S = 10
#: They come at another place of each second, as Prometheus's do.
_EVERY_S = 0.93
_SHARES = ("p50_ms", "p99_ms")


def jobs(programs: Programs, file: Path) -> list[dict[str, object]]:
    return [
        {
            "name": f"s{number}",
            "cluster": "a",
            "schedule": f"{number % _PERIOD_S}-59/{_PERIOD_S} * * * * *",
            "command": programs.stamp(file, f"s{number}"),
        }
        for number in range(JOBS)
    ]


async def measure(folder: Path, programs: Programs, blocks: int) -> dict[str, object]:
    """Return how late runs are in blocks of each kind, what they cost, and what a scrape takes."""
    file, ports = folder / "stamps", (free_port(), free_port())
    async with rig(folder) as one:
        one.write(jobs(programs, file))
        await one.start("scheduler", "--web-port", str(ports[0]))
        await one.start("worker", "--cluster", "a", "--web-port", str(ports[1]))
        urls = [f"http://127.0.0.1:{port}/metrics" for port in ports]
        await asyncio.sleep(_PERIOD_S + 5)  # Each job has run, and has its series.
        late: dict[bool, list[float]] = defaultdict(list)
        cpu: dict[bool, list[float]] = defaultdict(list)
        took: list[float] = []
        sizes = [len(await _scrape(url)) for url in urls]
        for block in range(2 * blocks):
            is_scraped = bool(block % 2)
            async with _scraping(urls, took) if is_scraped else contextlib.nullcontext():
                at, used = await _block(one, file)
            late[is_scraped] += at
            cpu[is_scraped].append(used)
    row: dict[str, object] = {"jobs": JOBS, "bytes": sizes, "scrape": spread(took)}
    spreads = {is_scraped: spread(found) for is_scraped, found in late.items()}
    for is_scraped, name in ((False, "without"), (True, "with")):
        spent = statistics.mean(cpu[is_scraped])
        row[name] = {"starts": len(late[is_scraped]), "cpu_pct": round(spent, 1)}
        row[name] |= spreads[is_scraped]  # type: ignore[operator]
    for share in _SHARES:
        row[f"{share}_ratio"] = round(spreads[True][share] / spreads[False][share], 2)
    say(f"scraped: {row}")
    return row


async def _block(one: Rig, file: Path) -> tuple[list[float], float]:
    """Let seconds pass; return how late each run was, and % of a core by scheduler and worker."""
    begin = math.ceil(time.time()) + 1
    await asyncio.sleep(begin - 0.3 - time.time())
    before, began = one.costs(), time.monotonic()
    await asyncio.sleep(_BLOCK_S)
    after, lasted = one.costs(), time.monotonic() - began
    used = sum(after[name].since(before.get(name, Cost())).own for name in ("scheduler", "worker"))
    late = [at % 1 for _, at in stamps(file) if begin <= at < begin + _BLOCK_S - 0.3]
    return late, used / lasted * 100


async def _scrape(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.read()


@asynccontextmanager
async def _scraping(urls: list[str], took: list[float]) -> AsyncIterator[None]:
    async def for_ever(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                began = time.monotonic()
                async with session.get(url) as answer:
                    await answer.read()
                took.append(time.monotonic() - began)
                await asyncio.sleep(max(0.0, _EVERY_S - (time.monotonic() - began)))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(for_ever(url)) for url in urls]
        yield
        for task in tasks:
            task.cancel()
