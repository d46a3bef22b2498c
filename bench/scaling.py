"""How large installations grow, computed from measured costs: the tables of ``docs/scaling.md``.

    python -m bench.scaling [bench/results/latest.json]

A run goes through four queues: its shard's scheduler publishes it 30 s ahead, Kafka takes its
entries, the worker of its partition folds and claims them, and the executor starts its command.
Each queue is a server with a rate that follows from what a run costs it, and the simulation moves
what is due through them in steps of a tenth of a second, under a load that is even or comes at
the full minute.
"""

import json
import math
import sys
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_STEP_S = 0.1
_LOOK_AHEAD_S = 30.0
_WINDOW_S = 720.0
_ROW_LIMIT = 32 * 2**20
#: What a worker claims ahead at most (``Timing.max_claims``).
_MAX_CLAIMS = 5000


@dataclass(frozen=True, slots=True)
class Costs:
    """What one run takes of each part, and what one job takes of memory.

    Attributes:
        claim_share: The part of a worker's cost that comes before the due time.
        job_bytes: Of a job in the memory of each scheduler, and as much of one of its shards'.
        mark_bytes, mark_row: Of a job's mark in a worker's memory, and in a ledger's row.
        settled_bytes, settled_row: Likewise of each due time settled in the last 12 minutes.
    """

    scheduler_us: float = 40.0
    worker_us: float = 210.0
    executor_us: float = 170.0
    command_us: float = 450.0
    kafka_us: float = 60.0
    ledger_bytes: float = 820.0
    claim_share: float = 0.45
    job_bytes: tuple[float, float] = 1_400.0, 1_100.0
    mark_bytes: float = 1_500.0
    mark_row: float = 130.0
    settled_bytes: float = 107.0
    settled_row: float = 37.0


@dataclass(frozen=True, slots=True)
class Plant:
    """An installation: ``cores`` are those of one worker's machine and of one broker's."""

    jobs: int
    runs_per_s: float
    shards: int = 1
    workers: int = 1
    partitions: int = 12
    brokers: int = 1
    cores: int = 4
    copies: int = 1


def measured(file: Path) -> Costs:
    """Take what was measured, if there is a file of results."""
    return costs_of(json.loads(file.read_text())) if file.exists() else Costs()


def costs_of(results: dict[str, Any]) -> Costs:
    """Take what was measured; what was not keeps the figures above."""
    costs = Costs()
    backlog = results.get("backlog", {}).get("rows")
    if isinstance(backlog, list):
        cpu = backlog[0]["cpu_ms"]
        costs = replace(
            costs,
            worker_us=cpu["worker"] * 1000,
            executor_us=cpu["executor"] * 1000,
            command_us=cpu["commands"] * 1000,
            kafka_us=cpu["kafka"] * 1000,
            ledger_bytes=backlog[0]["ledger"]["bytes_per_run"],
        )
    publishing = results.get("publishing_1", {}).get("rows", {})
    if "cpu_us_per_run" in publishing:
        costs = replace(costs, scheduler_us=publishing["cpu_us_per_run"])
    return costs


def rates(plant: Plant, costs: Costs) -> dict[str, float]:
    """Runs a second that each part can take, the whole of it together.

    A worker is a process of one thread, with an executor for each core and its commands; they share
    the cores.
    """
    together = costs.worker_us + costs.executor_us + costs.command_us
    starts = plant.cores * 1e6 / together
    return {
        "schedulers": plant.shards * 1e6 / costs.scheduler_us,
        "Kafka": plant.brokers * plant.cores * 1e6 / (costs.kafka_us * plant.copies),
        "workers": min(plant.workers, plant.partitions) * 1e6 / costs.worker_us,
        "executors": min(plant.workers, plant.partitions) * starts,
    }


def sizes(plant: Plant, costs: Costs) -> dict[str, float]:
    """Memory and rows, in MiB; and what goes to Kafka, in MiB a second."""
    jobs, settled = plant.jobs, plant.runs_per_s * _WINDOW_S
    mib, (known, of_shard) = 2**20, costs.job_bytes
    return {
        "scheduler": (90 * mib + jobs * known + jobs / plant.shards * of_shard) / mib,
        "worker": (
            60 * mib + (jobs * costs.mark_bytes + settled * costs.settled_bytes) / plant.workers
        )
        / mib,
        "row": (jobs * costs.mark_row + settled * costs.settled_row) / plant.partitions / mib,
        "to Kafka": plant.runs_per_s * costs.ledger_bytes * plant.copies / mib,
    }


def sized(jobs: int, runs_per_s: float, costs: Costs, *, cores: int = 4, copies: int = 3) -> Plant:
    """Return an installation in which each part is busy for 60 % of the time at most."""
    plant = Plant(jobs, runs_per_s, cores=cores, copies=copies, brokers=copies)
    one = rates(plant, costs)
    wanted = runs_per_s / 0.6
    workers = math.ceil(wanted / min(one["workers"], one["executors"]))
    row = jobs * costs.mark_row + runs_per_s * _WINDOW_S * costs.settled_row
    partitions = max(12, 2 * workers, math.ceil(row / (_ROW_LIMIT / 4)))
    return replace(
        plant,
        shards=max(1, math.ceil(wanted / one["schedulers"])),
        workers=max(2, workers),
        partitions=partitions,
        brokers=max(copies, math.ceil(wanted / (one["Kafka"] / plant.brokers))),
    )


def simulate(plant: Plant, costs: Costs, *, at_the_minute: bool, minutes: int = 6) -> float:
    """Return by how many seconds the last command of any instant starts late, at worst.

    Publishing, the log and the claim happen ahead, so they make nothing late until they fall
    behind by the look-ahead. What ends takes the workers' time too.
    """
    flow = _Flow(plant, costs)
    steps, ahead = int(minutes * 60 / _STEP_S), int(_LOOK_AHEAD_S / _STEP_S)
    due = [
        _due(step, plant.runs_per_s, at_the_minute=at_the_minute) for step in range(steps + ahead)
    ]
    worst, late = 0.0, deque[tuple[float, float]]()
    flow.total = sum(due[:ahead])
    for step in range(steps):
        flow.total += due[step + ahead]
        flow.due += due[step]
        if due[step]:
            late.append((flow.due, step * _STEP_S))
        flow.move()
        while late and flow.started >= late[0][0] - 1e-6:
            worst = max(worst, (step + 1) * _STEP_S - late.popleft()[1])
    return max(worst, steps * _STEP_S - late[0][1]) if late else worst


class _Flow:
    """How many runs have come through each part so far, and how many are due."""

    def __init__(self, plant: Plant, costs: Costs) -> None:
        self._step = {name: rate * _STEP_S for name, rate in rates(plant, costs).items()}
        self._share = costs.claim_share
        self._most_claims = _MAX_CLAIMS * plant.workers
        self.total = self.due = self.started = 0.0
        self._published = self._logged = self._claimed = self._ended = 0.0

    def move(self) -> None:
        """Let a step pass."""
        self._published = min(self.total, self._published + self._step["schedulers"])
        self._logged = min(self._published, self._logged + self._step["Kafka"])
        work = self._step["workers"]
        ended = min(self.started - self._ended, work / (1 - self._share))
        self._ended += ended
        work -= ended * (1 - self._share)
        claimable = min(self._logged, self._ended + self._most_claims)
        self._claimed = max(self._claimed, min(claimable, self._claimed + work / self._share))
        ready = min(self.due, self._claimed)
        self.started = min(ready, self.started + self._step["executors"])


def _due(step: int, runs_per_s: float, *, at_the_minute: bool) -> float:
    if not at_the_minute:
        return runs_per_s * _STEP_S
    return runs_per_s * 60 if step % int(60 / _STEP_S) == 0 else 0.0


def first_to_break(plant: Plant, costs: Costs) -> tuple[str, float]:
    """Return the part that is full first as the load grows, and at which runs a second."""
    limits = dict(rates(plant, costs))
    room = _ROW_LIMIT * plant.partitions - plant.jobs * costs.mark_row
    limits["ledger rows"] = max(0.0, room / (_WINDOW_S * costs.settled_row))
    return min(limits.items(), key=lambda limit: limit[1])


LOADS = ((1_000, 10), (10_000, 100), (100_000, 1_000), (100_000, 10_000), (1_000_000, 100_000))


def loads(costs: Costs) -> list[dict[str, object]]:
    """One row for each load: what it needs, how late it gets, what is full first."""
    rows: list[dict[str, object]] = []
    for jobs, runs_per_s in LOADS:
        plant = sized(jobs, runs_per_s, costs)
        size, (part, at) = sizes(plant, costs), first_to_break(plant, costs)
        rows.append(
            {
                "jobs": jobs,
                "runs/s": runs_per_s,
                "shards": plant.shards,
                "workers": plant.workers,
                "partitions": plant.partitions,
                "brokers": plant.brokers,
                "scheduler MiB": round(size["scheduler"]),
                "worker MiB": round(size["worker"]),
                "ledger row MiB": round(size["row"], 1),
                "MiB/s to Kafka": round(size["to Kafka"], 1),
                "late, even (s)": round(simulate(plant, costs, at_the_minute=False), 1),
                "late, at the minute (s)": round(simulate(plant, costs, at_the_minute=True), 1),
                "full first": f"{part}, {at:,.0f}/s",
            }
        )
    return rows


def small(costs: Costs) -> dict[str, float]:
    """What the smallest installation can take: one shard, one worker, one broker, two cores."""
    plant = Plant(1000, 1, cores=2)
    return {name: round(rate) for name, rate in rates(plant, costs).items()}


def main() -> None:
    root = Path(__file__).parent / "results" / "latest.json"
    costs = measured(Path(sys.argv[1]) if len(sys.argv) > 1 else root)
    print(costs, small(costs), *loads(costs), sep="\n")


if __name__ == "__main__":
    main()
