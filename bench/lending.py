"""Runs of mixed lengths on few slots: how long they take, beside greedy list scheduling.

``python -m bench.lending [RUNS WORKERS SLOTS]...``: so many runs, each of a job of its own, are due
at once, and last from 1 to 60 seconds (a bounded Pareto distribution, the same in each run). Each
row says when the last had ended, as a share of what greedy list scheduling takes for them in the
order in which they were started, and how long a run waited at most while a slot of any worker was
free. Celery, where it is installed (`bench.peers`), gets the same lengths and the same slots, with
one task fetched ahead for each at most.
"""

import asyncio
import heapq
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import peers
from bench.machine import Programs, build, stamps
from bench.rig import NAMES, Rig, rig, say
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Run
from cronstream.topology.publish import Publisher

#: Runs, workers, slots of each.
ROWS = ((12, 3, 2), (100, 2, 2), (100, 4, 4), (100, 6, 2), (1000, 6, 16))
_SHORTEST_S, _LONGEST_S, _SHAPE = 1.0, 60.0, 1.5
_LEAD_S = 6.0


def lengths(number: int, *, seed: int = 1) -> list[float]:
    """Return how long each run lasts; twelve of them as long as each other, as was found first."""
    if number <= 12:
        return [20.0] * number
    chance = random.Random(seed)
    low, high = _SHORTEST_S**_SHAPE, _LONGEST_S**_SHAPE
    found = []
    for _ in range(number):
        u = chance.random()
        found.append((-(u * high - u * low - high) / (high * low)) ** (-1 / _SHAPE))
    return [round(min(_LONGEST_S, one), 2) for one in found]


def greedy_s(spans: Sequence[float], slots: int) -> float:
    """Return how long greedy list scheduling takes: each goes to the slot that is free first."""
    free = [0.0] * slots
    for span in spans:
        heapq.heapreplace(free, free[0] + span)
    return max(free)


def judge(
    times: dict[str, tuple[float, float]], due: float, spans: dict[str, float], slots: int
) -> dict[str, Any]:
    """Return the figures of what was started and ended, by name (seconds since 1970)."""
    order = sorted(times, key=lambda name: times[name][0])
    ended = max(end for _, end in times.values())
    waits = sorted(_beside_a_free_slot(times, due, slots))
    return {
        "runs": len(times),
        "makespan_s": round(ended - due, 2),
        "greedy_s": round(greedy_s([spans[name] for name in order], slots), 2),
        "ratio": round((ended - due) / greedy_s([spans[name] for name in order], slots), 3),
        "beside_a_free_slot_s": {
            "p50": round(waits[len(waits) // 2], 3),
            "p99": round(waits[int(len(waits) * 0.99)], 3),
            "most": round(waits[-1], 3),
        },
    }


def _beside_a_free_slot(
    times: dict[str, tuple[float, float]], due: float, slots: int
) -> list[float]:
    """Return how long the slot of each had been free: the next takes the one that ends next."""
    begun = sorted(at for at, _ in times.values())
    free = [due] * slots + sorted(end for _, end in times.values())
    return [max(0.0, at - since) for at, since in zip(begun, free, strict=False)]


async def row(
    one: Rig, programs: Programs, number: int, workers: int, slots: int
) -> dict[str, Any]:
    """Measure one row."""
    one.variables["CRONSTREAM_SLOTS"] = str(slots)
    cluster, file = "abc"[number % 3], one.folder / f"stamps-{number}-{workers}-{slots}"
    started = [one.start(f"worker {i}", "--cluster", cluster) for i in range(workers)]
    parts = await asyncio.gather(*started)
    await asyncio.sleep(4)
    spans = {f"j{number}-{i}": span for i, span in enumerate(lengths(number))}
    due = await _fill(one, programs, cluster, file, spans)
    end = time.time() + _LEAD_S + 2 * greedy_s(list(spans.values()), workers * slots) + 60
    while len(stamps(file)) < 2 * number and time.time() < end:  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.2)
    found = judge(_times(file), due, spans, workers * slots)
    await asyncio.gather(*(one.stop(part) for part in parts))
    result = {"asked": number, "workers": workers, "slots": slots, **found}
    say(f"lending: {result}")
    return result


async def _fill(
    one: Rig, programs: Programs, cluster: str, file: Path, spans: dict[str, float]
) -> float:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=_LEAD_S)
    publisher = Publisher(one.settings)
    await publisher.start()
    try:
        log = NAMES.log(cluster)
        sent = [
            publisher.publish(log, name, _run(programs, cluster, file, (name, span), due))
            for name, span in spans.items()
        ]
        await asyncio.gather(*sent)
    finally:
        await publisher.stop()
    return due.timestamp()


def _run(
    programs: Programs, cluster: str, file: Path, what: tuple[str, float], due: datetime
) -> Run:
    name, span = what
    return Run(
        job=name,
        cluster=cluster,
        scheduled_at=due,
        not_before=due,
        command=_command(programs, file, name, span),
        cause=Cause.RUN_NOW,
        number=1,
    )


def _command(programs: Programs, file: Path, name: str, span: float) -> str:
    begin, end = programs.stamp(file, name), programs.stamp(file, f"{name}.end")
    return f"{begin}; sleep {span}; exec {end}"


def of_celery(programs: Programs, wanted: tuple[int, int, int]) -> dict[str, Any]:
    """Measure the same with Celery on Redis: workers of as many slots, which fetch none ahead."""
    number, workers, slots = wanted
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        file = folder / "stamps"
        variables = stack.enter_context(peers.redis(folder)) | {"BENCH_AHEAD": "1"}
        for i in range(workers):
            words = peers.worker_of("celery", slots, f"worker{i}")
            stack.enter_context(peers.started(words, folder / f"worker-{i}.log", **variables))
        time.sleep(8)
        spans = {f"j{number}-{i}": span for i, span in enumerate(lengths(number))}
        due = time.time()
        commands = [_command(programs, file, one, span) for one, span in spans.items()]
        peers.queue_in_celery(commands, variables)
        end = time.time() + 2 * greedy_s(list(spans.values()), workers * slots) + 60
        while len(stamps(file)) < 2 * number and time.time() < end:
            time.sleep(0.2)
        found = judge(_times(file), due, spans, workers * slots)
    row = {"peer": "celery", "workers": workers, "slots": slots, **found}
    say(f"lending: {row}")
    return row


def _times(file: Path) -> dict[str, tuple[float, float]]:
    at = {name: moment for name, moment in stamps(file) if name}
    return {name: (at[name], at[f"{name}.end"]) for name in at if f"{name}.end" in at}


async def measure(rows: Sequence[tuple[int, int, int]] = ROWS) -> list[dict[str, Any]]:
    """Return all rows."""
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as name:
        programs = build(Path(name))
        async with rig(Path(name)) as one:
            one.write([])
            await one.start("scheduler")
            found = [await row(one, programs, *wanted) for wanted in rows]
        if "celery" in peers.there():
            found += [await asyncio.to_thread(of_celery, programs, wanted) for wanted in rows]
        return found


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    wanted = list(zip(given[::3], given[1::3], given[2::3], strict=True)) or ROWS
    print(json.dumps(asyncio.run(measure(wanted)), indent=1))
