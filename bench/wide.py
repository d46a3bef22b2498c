"""Many workers on one machine, with commands that only sleep: the measured rows of docs/scaling.md.

``python -m bench.wide [WORKERS:RUNS_A_SECOND ...]``: for each, so many worker processes of one
cluster, and ten seconds in which so many runs are due each second, evenly, each a program that
sleeps for a fifth of a second. Said is how late they start, and what the parts take of the
processor. Then the cost of lending: as many runs on few slots, of jobs on all partitions, and of
one job, whose owner lends what it cannot start. It takes about six minutes.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.backlog import ledger_cost
from bench.machine import Cost, Programs, build, cost, spread, stamps
from bench.rig import NAMES, Part, Rig, rig, say
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Run
from cronstream.topology.publish import Publisher

ROWS = ((4, 100), (4, 500), (4, 1000), (4, 2000), (12, 100), (12, 500), (12, 1000), (12, 2000))
_SPAN_S, _SLEEP_S, _LEAD_S = 10, 0.2, 6.0
_JOBS = 200


async def _publish(one: Rig, cluster: str, runs: Sequence[Run]) -> None:
    publisher = Publisher(one.settings)
    await publisher.start()
    try:
        log = NAMES.log(cluster)
        await asyncio.gather(*(publisher.publish(log, run.job, run) for run in runs))
    finally:
        await publisher.stop()


def _runs(cluster: str, dues: Sequence[datetime], jobs: int, command: list[str]) -> list[Run]:
    return [
        Run(
            job=f"j{i % jobs}",
            cluster=cluster,
            scheduled_at=due.replace(microsecond=0),
            not_before=due,
            command=[*command[:2], str(i), *command[2:]],
            cause=Cause.RUN_NOW,
            number=i,
        )
        for i, due in enumerate(dues)
    ]


async def _workers(one: Rig, cluster: str, number: int) -> list[Part]:
    started = [one.start(f"worker {i}", "--cluster", cluster) for i in range(number)]
    parts = await asyncio.gather(*started)
    await asyncio.sleep(4)
    return list(parts)


def _used(one: Rig, parts: list[Part]) -> dict[str, Cost]:
    return {
        "worker": cost(part.pid for part in parts),
        "executor": cost(pid for part in parts for pid in part.executors),
        "kafka": cost([one.broker.pid or 0]),
    }


async def row(one: Rig, programs: Programs, workers: int, per_s: int) -> dict[str, Any]:
    """Measure so many workers under an even load."""
    number, file = per_s * _SPAN_S, one.folder / f"stamps-{workers}-{per_s}"
    parts = await _workers(one, "a", workers)
    first = datetime.now(UTC) + timedelta(seconds=_LEAD_S)
    dues = [first + timedelta(seconds=i / per_s) for i in range(number)]
    command = [str(programs.folder / "stamp"), str(file), str(_SLEEP_S)]
    await _publish(one, "a", _runs("a", dues, _JOBS, command))
    await asyncio.sleep(max(0.0, first.timestamp() - time.time()))
    before, began = _used(one, parts), time.monotonic()
    await _all(file, number, _SPAN_S * 3)
    took, after = time.monotonic() - began, _used(one, parts)
    late = [at - dues[int(name)].timestamp() for name, at in stamps(file)]
    for part in parts:
        await one.stop(part)
    result = {"workers": workers, "per_s": per_s, "started": len(late), **spread(late)}
    result["cores"] = {
        name: round((end.own - before[name].own) / took, 2) for name, end in after.items()
    }
    executor = after["executor"].since(before["executor"])
    result["cores"]["commands"] = round(executor.children / took, 2)
    say(f"wide: {result}")
    return result


async def _all(file: Path, number: int, within_s: float) -> None:
    end = time.monotonic() + within_s
    while len(stamps(file)) < number and time.monotonic() < end:  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.2)


async def lent(one: Rig, programs: Programs, cluster: str, jobs: int) -> dict[str, Any]:
    """Measure 800 runs that are due at once on four workers with eight slots each."""
    number, slots = 800, 8
    one.variables["CRONSTREAM_SLOTS"] = str(slots)
    file = one.folder / f"stamps-lent-{jobs}"
    parts = await _workers(one, cluster, 4)
    due = datetime.now(UTC) + timedelta(seconds=_LEAD_S)
    command = [str(programs.folder / "stamp"), str(file), str(5 * _SLEEP_S)]
    await _publish(one, cluster, _runs(cluster, [due] * number, jobs, command))
    await asyncio.sleep(max(0.0, due.timestamp() - time.time()))
    before = _used(one, parts)
    await _all(file, number, 120)
    await asyncio.sleep(5 * _SLEEP_S + 1)
    after = _used(one, parts)
    for part in parts:
        await one.stop(part)
    ms = {n: round((end.own - before[n].own) / number * 1000, 2) for n, end in after.items()}
    at = max(moment for _, moment in stamps(file)) + 5 * _SLEEP_S - due.timestamp()
    least = number * 5 * _SLEEP_S / (4 * slots)
    row: dict[str, Any] = {"jobs": jobs, "makespan_s": round(at, 1), "at_least_s": least}
    row |= {"cpu_ms_per_run": ms, "ledger": await ledger_cost(one, cluster)}
    say(f"lent: {row}")
    return row


async def measure(rows: Sequence[tuple[int, int]] = ROWS) -> dict[str, Any]:
    """Return all rows."""
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as name:
        programs = build(Path(name))
        async with rig(Path(name)) as one:
            one.write([])
            await one.start("scheduler")
            found = [await row(one, programs, *wanted) for wanted in rows]
            spread_out = await lent(one, programs, "b", _JOBS)
            return {"rows": found, "lent": [spread_out, await lent(one, programs, "c", 1)]}


if __name__ == "__main__":
    pairs = [tuple(map(int, word.split(":"))) for word in sys.argv[1:]]
    chosen = [(workers, per_s) for workers, per_s in pairs] or ROWS
    print(json.dumps(asyncio.run(measure(chosen)), indent=1))
