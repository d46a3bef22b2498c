"""Measure everything, within twelve minutes: ``python -m bench [--only NAME ...]``."""

import argparse
import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from bench import (
    backlog,
    costs,
    executor,
    floors,
    fold,
    instant,
    peers,
    publishing,
    rolling,
    scraped,
    trouble,
)
from bench.machine import Programs, build
from bench.rig import Part, Rig, rig, say

RESULTS = Path(__file__).parent / "results"
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
#: The peers that start commands by themselves when they are due.
_AT_AN_INSTANT = ("supercronic", "apscheduler")


class Bench:
    """One run of all measurements; each part writes its rows as soon as it has them."""

    def __init__(self, folder: Path, only: list[str], scale: float, profile: bool) -> None:
        self.folder, self.only, self.scale, self.profile = folder, only, scale, profile
        self.programs: Programs = build(folder / "bin")
        self.rows: dict[str, Any] = {}

    def number(self, full: int) -> int:
        return max(1, int(full * self.scale))

    async def part(self, name: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Do one part; if it fails, say so and go on: a gap in a table is better than none."""
        if self.only and name not in self.only:
            return
        began, load = time.monotonic(), os.getloadavg()[0]
        say(f"-- {name}")
        try:
            rows: Any = await work()
        except Exception as error:  # noqa: BLE001 - the others are to be measured all the same
            say(f"{name} failed: {error!r}")
            rows = {"error": repr(error)}
        took = round(time.monotonic() - began, 1)
        self.rows[name] = {"rows": rows, "took_s": took, "load": round(load, 2)}

    async def run(self) -> None:
        await self.part("floors", self._floors)
        await self.part("core", self._core)
        await self.part("executor", self._executor)
        async with rig(self.folder / "one") as one:
            one.write([])
            first = await one.start("scheduler 1")
            began = time.monotonic()
            await one.start("worker", "--cluster", "a")
            self.rows["worker_ready_s"] = round(time.monotonic() - began, 2)
            await self.part("idle", lambda: costs.idle(one))
            await self.part("instant", lambda: self._instant(one))
            await self.part("shell", lambda: self._shell(one))
            await self.part("deliveries", lambda: self._deliveries(one))
            await self.part("rebalance", lambda: self._rebalance(one))
            await self.part("scheduler_killed", lambda: self._killed(one, first))
            await self.part("backlog", lambda: self._backlog(one))
            await self.part("idle_jobs", lambda: self._idle_jobs(one))
        for shards in (1, 2):
            await self.part(f"publishing_{shards}", lambda s=shards: self._publishing(s))
        await self.part("scraped", self._scraped)
        await self.part("rolling", self._rolling)
        await self.part("cold", lambda: asyncio.to_thread(costs.cold, self.folder / "cold"))
        await self.part("peers", lambda: asyncio.to_thread(self._peers))

    async def _floors(self) -> Any:
        way = floors.all_floors
        nothing = await asyncio.to_thread(way, self.programs, [self.programs.nothing])
        shell = await asyncio.to_thread(
            way, self.programs, ["/bin/sh", "-c", self.programs.nothing]
        )
        return {"a program": nothing, "a shell and a program": shell}

    async def _core(self) -> Any:
        return await asyncio.to_thread(fold.measure)

    async def _executor(self) -> Any:
        return await asyncio.to_thread(executor.curve, self.programs.nothing)

    async def _instant(self, one: Rig) -> Any:
        at_once = instant.at_once
        return [
            await at_once(one, self.programs, 1, period=1, fires=self.number(30)),
            await at_once(one, self.programs, 100, period=4, fires=self.number(6)),
            await at_once(one, self.programs, self.number(1000), period=12, fires=3),
        ]

    async def _shell(self, one: Rig) -> Any:
        rows = []
        for number, period, fires in ((100, 4, self.number(6)), (self.number(1000), 15, 4)):
            due = {"period": period, "fires": fires, "shell": True}
            row = await instant.at_once(one, self.programs, number, **due)
            row["peers"] = [
                await asyncio.to_thread(peers.at_once, peer, self.programs, number, **due)
                for peer in _AT_AN_INSTANT
                if peer in peers.there()
            ]
            rows.append(row)
        return rows

    async def _deliveries(self, one: Rig) -> Any:
        return [
            await instant.deliveries(one, self.programs, number, fires=self.number(20))
            for number in (1, 20)
        ]

    async def _rebalance(self, one: Rig) -> Any:
        async def join() -> None:
            second.append(await one.start("worker 2", "--cluster", "a", waits=False))

        second: list[Part] = []
        row = await trouble.during(one, self.programs, "a rebalance", join, after_s=12)
        await one.stop(second[0])
        return row

    async def _killed(self, one: Rig, first: Part) -> Any:
        await one.start("scheduler 2", waits=False)
        await asyncio.sleep(6)
        owners = [part for part in one.parts if part.name.startswith("scheduler")]
        owner = next((p for p in reversed(owners) if _has_shard(p)), first)
        return await trouble.during(
            one, self.programs, "a scheduler killed", lambda: one.kill(owner), after_s=40
        )

    async def _backlog(self, one: Rig) -> Any:
        with Profiling(self.profile):
            one_worker = await backlog.drain(one, self.programs, self.number(20_000))
        number = self.number(10_000)
        two = await backlog.drain(one, self.programs, number, cluster="c", workers=2)
        return [one_worker, two]

    async def _idle_jobs(self, one: Rig) -> Any:
        idle = self.number(100_000)
        at_once = instant.at_once
        return await at_once(one, self.programs, 100, period=4, fires=4, idle=idle)

    async def _publishing(self, shards: int) -> Any:
        async with _schedulers(self.folder / f"shards-{shards}", shards) as two:
            number = self.number(12_000)
            with Profiling(self.profile and shards == 1) as profiling:
                return await publishing.rate(
                    two, number, schedulers=shards, cluster="p", on_begin=profiling.scheduler
                )

    async def _scraped(self) -> Any:
        return await scraped.measure(self.folder / "scraped", self.programs, self.number(3))

    async def _rolling(self) -> Any:
        return await rolling.measure(self.folder / "rolling", self.programs)

    def _peers(self) -> Any:
        rows: dict[str, Any] = {"instant": [], "backlog": []}
        installed = peers.there()
        for peer in _AT_AN_INSTANT:
            for number, period in ((100, 5), (self.number(1000), 10)):
                if peer in installed:
                    row = peers.at_once(peer, self.programs, number, period=period)
                    rows["instant"].append(row)
        for peer in ("celery", "huey"):
            if peer in installed:
                rows["backlog"].append(peers.backlog(peer, self.programs, self.number(5000)))
        return rows


def _has_shard(part: Part) -> bool:
    told = [said["action"] for said in part.recent if said.get("shard") == 0]
    return bool(told) and told[-1] != "shard-left"


@asynccontextmanager
async def _schedulers(folder: Path, shards: int) -> Any:
    async with rig(folder, CRONSTREAM_SHARDS=str(shards)) as two:
        two.write([])
        for number in range(shards):
            await two.start(f"scheduler {number}", waits=number == 0)
        await asyncio.sleep(5 if shards > 1 else 0)
        yield two


class Profiling:
    """Flame graphs of the parts, if py-spy is there and they are asked for."""

    def __init__(self, wanted: bool) -> None:
        self._spy = Path(sys.executable).parent / "py-spy"
        self._wanted = wanted and self._spy.exists()
        self._start = Rig.start

    def scheduler(self, pid: int) -> None:
        """Record a scheduler that is about to publish."""
        if self._wanted:
            _record(self._spy, "scheduler", pid)

    def __enter__(self) -> Self:
        if not self._wanted:
            return self
        spy, start = self._spy, self._start

        async def started(rig: Rig, name: str, *options: str, waits: bool = True) -> Part:
            part = await start(rig, name, *options, waits=waits)
            if name == "worker 0":
                for what, pid in (("worker", part.pid), ("executor", part.executors[0])):
                    _record(spy, what, pid)
            return part

        Rig.start = started  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Rig.start = self._start  # type: ignore[method-assign]


def _record(spy: Path, what: str, pid: int) -> None:
    PICTURES.mkdir(exist_ok=True)
    words = [spy, "record", "--pid", str(pid), "--duration", "8", "--rate", "150", "--nonblocking"]
    words += [] if what == "executor" else ["--gil"]
    words += ["--output", str(PICTURES / f"flame-{what}.svg")]
    subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _machine() -> dict[str, Any]:
    model = [
        x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")
    ]
    return {
        "cores": os.cpu_count(),
        "processor": model[0].split(":")[1].strip() if model else platform.processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="these parts alone")
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the numbers")
    parser.add_argument("--profile", action="store_true", help="flame graphs, with py-spy")
    parser.add_argument("--name", default="latest", help="of the file of results")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cronstream-bench-"))
    began, machine = time.monotonic(), _machine()
    bench = Bench(folder, options.only, options.scale, options.profile)
    try:
        await bench.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    machine["load_after"] = [round(load, 2) for load in os.getloadavg()]
    machine["took_s"] = round(time.monotonic() - began)
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{options.name}.json"
    target.write_text(json.dumps({"machine": machine, **bench.rows}, indent=1) + "\n")
    say(f"written: {target}")


if __name__ == "__main__":
    asyncio.run(main())
