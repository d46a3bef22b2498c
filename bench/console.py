"""What a console costs: runs a second, how long pages take, what it keeps in memory.

    python -m bench.console [PART ...] [--runs N] [--kept N] [--folder FOLDER]

``projecting``  CPU seconds for each run from the bytes of a log to its row, how many runs a second
                that is by the clock, and how long it would take to make the file of a million anew
``pages``       what half, 95 and 99 of a hundred of 200 requests for each page take, of the
                processor and on the clock, with `--kept` runs in the file: ten million need 10 GB
                in `--folder`, and minutes to be made; and how long one bite of what is too old
                takes
``memory``      of a process that projects `--runs` runs, with 10,000 that are live

All is on this machine alone, without a Kafka: the messages are as `bench.fold` has them.
"""

import argparse
import asyncio
import gc
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil
from aiohttp import web
from aiokafka.structs import TopicPartition

from bench.fold import AT, a_claim, a_finish, a_run, a_start
from cronstream.console.installed import Installed
from cronstream.console.projecting import Projection
from cronstream.console.serving import Keeper
from cronstream.console.store import Store
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.entries import Entry, Level, Withdrawal
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Job
from cronstream.history.stories import Log
from cronstream.history.story import LogKind
from cronstream.page_guard import PageGuard
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage

PARTS: Final = ("projecting", "pages", "memory")
JOBS: Final = 1_000
LIVE: Final = 10_000
#: Runs that are published together, and entries in one message.
_WAVE, _BATCH = 1_000, 50
_REQUESTS: Final = 200


def messages(runs: int, unfinished: int = 0) -> Iterator[tuple[Log, LogMessage]]:
    """Yield a log on which so many runs succeed, and some more that have only begun."""
    log, offset = Log("a", LogKind.FIRST, "cronstream.a"), 0

    def message(entries: list[Entry], at: datetime) -> tuple[Log, LogMessage]:
        nonlocal offset
        offset += 1
        return log, LogMessage(log.topic, 0, offset - 1, at, None, encode_entries(entries))

    yield message([Level(level=LEVEL)], AT)
    for job in range(JOBS):
        yield message([Withdrawal(job=f"job-{job}", revision=1, effective_from=AT)], AT)
    for first in range(0, runs + unfinished, _WAVE):
        due = [a_run(n % JOBS, n // JOBS) for n in range(first, first + _WAVE)]
        at, version = AT + timedelta(seconds=first // JOBS), {}
        kinds = [lambda run, _: run, a_claim, a_start]
        for kind in kinds if first >= runs else [*kinds, a_finish]:
            for start in range(0, _WAVE, _BATCH):
                some = due[start : start + _BATCH]
                version.update({run.id: offset for run in some if kind is kinds[0]})
                yield message([kind(run, version[run.id]) for run in some], at)


class _Read:
    """What a projection follows, in the place of Kafka."""

    def __init__(self, log: Iterable[tuple[Log, LogMessage]]) -> None:
        #: It is behind all the time, as one is that makes its file anew.
        self.spans = {TopicPartition("cronstream.a", 0): (0, 1 << 40)}
        self._log = iter(log)

    async def messages(self, _: object) -> AsyncIterator[list[tuple[Log, LogMessage]]]:
        """Yield a hundred messages at a time."""
        while found := list(islice(self._log, 100)):
            yield found


async def project(
    store: Store, runs: int, log: Iterable[tuple[Log, LogMessage]]
) -> dict[str, float]:
    """Project a log on which so many runs end; return how long it took, with making the log."""
    projection = Projection(store)
    projection._tail = _Read(log)  # type: ignore[assignment]  # nor its reader
    began, cpu = time.monotonic(), time.process_time()
    await projection.follow(None)  # type: ignore[arg-type]
    await projection._write()
    cpu_s, wall_s = time.process_time() - cpu, time.monotonic() - began
    return {
        "runs": runs,
        "cpu_us_per_run": round(cpu_s / runs * 1e6, 1),
        "runs_per_cpu_s": round(runs / cpu_s),
        "runs_per_s": round(runs / wall_s),
        "anew_of_a_million_s": round(1e6 * wall_s / runs),
    }


def projecting(folder: Path, runs: int) -> dict[str, Any]:
    """Measure what projecting costs, three times; the least counts, for others may be at work."""
    log, found = list(messages(runs)), list[dict[str, float]]()
    gc.freeze()  # What was made beforehand is nothing that a console has.
    for n in range(3):
        path = folder / f"{n}.sqlite"
        with closing(Store(path)) as store:
            found.append(asyncio.run(project(store, runs, log)))
        found[-1]["bytes_per_run"] = round(path.stat().st_size / runs)
    least = min(found, key=lambda one: one["cpu_us_per_run"])
    return {**least, "runs_per_s": max(one["runs_per_s"] for one in found)}


# -- pages ----------------------------------------------------------------------------------------


def fill(path: Path, kept: int) -> None:
    """Have a file keep so many runs: of each 100 two were skipped, and one was discarded."""
    with closing(Store(path)):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"):
            db.execute(f"PRAGMA {setting}")
        indexes = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        # One each quarter of a second, up to now.
        given = {"kept": kept, "from": time.time() - kept / 4 - 60, "live": kept - LIVE}
        db.execute(_FILL, given)
        for _, sql in indexes:
            db.execute(sql)


_FILL: Final = f"""
INSERT INTO runs
WITH RECURSIVE
numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :kept),
parts AS (
    SELECT n, printf('job-%d', n % {JOBS}) AS job, :from + n / 4 AS due,
    printf('cluster-%d', n % 10) AS cluster,
    strftime('%Y-%m-%dT%H:%M:%SZ', :from + n / 4, 'unixepoch') AS said,
    CASE WHEN n >= :live THEN 'running' WHEN n % 97 = 5 THEN 'discarded'
    WHEN n % 53 = 7 THEN 'skipped' ELSE 'succeeded' END AS state
    FROM numbers
)
SELECT job || '@' || said || '!' || n, job, cluster, state, due, due + 2, state = 'running', 1.5,
CASE state WHEN 'discarded' THEN 'attempt 3 failed (exit status ' || n % 9 || ')'
WHEN 'skipped' THEN 'missed' END, NULL,
CAST(printf('{{"id":"%s@%s!%d","job":"%s","cluster":"%s","scheduled_at":"%s","state":"%s",'
|| '"changed_at":"%s","revision":1,"attempt":1,"max_attempts":1,"published_at":"%s","due_at":"%s",'
|| '"attempts":[{{"number":1,"log":"first","worker":"node7.05cd1f9e","claimed_at":"%s",'
|| '"started_at":"%s","ended_at":"%s","outcome":"succeeded","exit_status":0,"pid":4711,'
|| '"topic":"cronstream.%s","partition":3,'
|| '"offsets":[["claimed",%d],["started",%d],["ended",%d]]}}]}}',
job, said, n, job, cluster, said, state, said, said, said, said, said, said, cluster, n, n, n)
AS BLOB)
FROM parts
"""


def _jobs() -> dict[str, Job]:
    return {
        f"job-{n}": Job(
            name=f"job-{n}",
            cluster=f"cluster-{n % 10}",
            schedule="@every 250s",
            timezone="UTC",
            command="/usr/bin/true",
        )
        for n in range(JOBS)
    }


async def pages(folder: Path, kept: int) -> dict[str, Any]:
    """Measure each page by HTTP, with a file of so many runs."""
    path, began = folder / "console.sqlite", time.monotonic()
    if not path.exists():
        fill(path, kept)
    found: dict[str, Any] = {"kept": kept, "made_s": round(time.monotonic() - began, 1)}
    found["bytes_per_run"] = round(path.stat().st_size / kept)
    keeper = Keeper(Settings(), path)
    keeper._watching.found = Installed(_jobs(), (), datetime.now(UTC))
    spent: list[float] = []
    app = keeper.console.application(PageGuard(()))
    app.middlewares.insert(0, _measuring(spent))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            found["pages_ms"] = {one: await _page(session, one, spent) for one in _addresses(kept)}
        found["rss_mb"] = round(psutil.Process().memory_info().rss / 1e6)
    finally:
        await runner.cleanup()
        await keeper.stop()
    found |= _retention(path)
    return found


def _addresses(kept: int) -> list[str]:
    old = (datetime.now(UTC) - timedelta(seconds=kept / 8)).isoformat().replace("+00:00", "Z")
    return [
        "/",
        "/jobs",
        "/jobs?trouble=",
        "/jobs/job-7",
        "/runs",
        f"/runs?before={old}",
        "/runs?state=skipped",
        "/runs?state=queued",
        "/runs?cluster=cluster-3&state=discarded",
        "/runs?job=job-7&state=skipped",
        "/runs?reason=missed",
        "/runs?reason=never",
        "/discarded",
        "/discarded?cluster=cluster-3",
        "/workers",
        "/runs.json",
    ]


def _measuring(spent: list[float]) -> Any:
    """Return what notes the processor's milliseconds of each answer, without who asks for it."""

    @web.middleware
    async def measure(request: web.Request, handler: Any) -> Any:
        began = time.thread_time()
        try:
            return await handler(request)
        finally:
            spent.append((time.thread_time() - began) * 1e3)

    return measure


async def _page(
    session: aiohttp.ClientSession, address: str, spent: list[float]
) -> dict[str, list[float]]:
    took = []
    spent.clear()
    for _ in range(_REQUESTS):
        began = time.perf_counter()
        async with session.get(address) as answer:
            await answer.read()
            assert answer.status == 200, address
        took.append((time.perf_counter() - began) * 1e3)
    return {"cpu": _shares(spent), "clock": _shares(took)}


def _shares(took: list[float]) -> list[float]:
    """Return what half, 95 and 99 of a hundred take at most, and what the longest does."""
    ordered = sorted(took)
    found = [ordered[len(ordered) * share // 100] for share in (50, 95, 99)]
    return [round(each, 1) for each in (*found, ordered[-1])]


def _retention(path: Path) -> dict[str, Any]:
    """Remove what is too old, and what is too much, some bites of each."""
    with closing(Store(path)) as store:
        long_ago, all_ = datetime(2000, 1, 1, tzinfo=UTC), 1 << 60
        [oldest] = store._db.execute("SELECT min(changed) FROM runs").fetchone()
        a_day_on = datetime.fromtimestamp(oldest, UTC) + timedelta(days=1)
        by_days = [_timed(lambda: store.forget(a_day_on, all_)) for _ in range(10)]
        [last] = store._db.execute("SELECT max(rowid) FROM runs").fetchone()
        by_number = [_timed(lambda: store.forget(long_ago, last // 2)) for _ in range(10)]
    return {
        "bite_by_days_ms": round(max(by_days) * 1e3),
        "bite_by_number_ms": round(max(by_number) * 1e3),
    }


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


# -- memory ---------------------------------------------------------------------------------------


async def memory(folder: Path, runs: int) -> dict[str, Any]:
    """Measure what a process has in memory that has 10,000 live runs, once so many have ended."""
    keeper = Keeper(Settings(), folder / "memory.sqlite")
    await project(keeper._store, runs, messages(runs, LIVE))
    found = {"live": sum(keeper._store.live_counts().values())}
    await keeper.stop()
    return {**found, "rss_mb": round(psutil.Process().memory_info().rss / 1e6)}


def main() -> None:
    """Measure what was asked for, each part in a process of its own; print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=30_000)
    parser.add_argument("--kept", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where files are made; they are removed")
    given = parser.parse_args()
    if len(given.parts) != 1:
        for part in given.parts or PARTS:
            numbers = ("--runs", str(given.runs), "--kept", str(given.kept))
            where = ("--folder", str(given.folder)) if given.folder else ()
            subprocess.run(
                [sys.executable, "-m", "bench.console", part, *numbers, *where], check=True
            )
        return
    [part] = given.parts
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # As in a process of the application.
    with tempfile.TemporaryDirectory(prefix="cronstream-console-", dir=given.folder) as name:
        folder, found = Path(name), None
        if part == "projecting":
            found = projecting(folder, given.runs)
        elif part == "pages":
            found = asyncio.run(pages(folder, given.kept))
        else:
            found = asyncio.run(memory(folder, given.runs))
    print(json.dumps({part: found, "load": round(os.getloadavg()[0], 1)}, indent=1))


if __name__ == "__main__":
    main()
