"""What was asked for beside what one run has measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """One figure that was asked for."""

    what: str
    value: float
    bound: str
    is_met: bool


def _most(what: str, value: float, bound: float) -> Target:
    return Target(what, value, f"≤ {bound:g}", value <= bound)


def _least(what: str, value: float, bound: float) -> Target:
    return Target(what, value, f"≥ {bound:,g}", value >= bound)


def all_of(results: Results) -> list[Target]:
    """Every target that this run has measured."""
    return [*_instant(results), *_in_shell(results), *_sustained(results), *_starts(results)]


def _rows(results: Results, part: str) -> Any:
    found = results.get(part, {}).get("rows", {})
    return {} if isinstance(found, dict) and "error" in found else found


def _median_of(ours: Sequence[float], floors: Sequence[float]) -> float:
    """Each instant beside the floor that was measured after it."""
    ratios = [one / floor for one, floor in zip(ours, floors, strict=False)]
    return round(median(ratios), 2) if ratios else 0.0


def _instant(results: Results) -> Iterator[Target]:
    rows = {row["number"]: row for row in _rows(results, "instant") or []}
    if row := rows.get(1):
        yield _most("one job, p50, ms", row["p50_ms"], 2)
        yield _most("one job, p99, ms", row["p99_ms"], 10)
    if row := rows.get(100):
        share = _median_of(row.get("p99s_ms", []), [one["p99_ms"] for one in row["floor"]])
        yield _most("100 at once, p99, of the floor's (median of pairs)", share, 1.2)
    if row := rows.get(1000):
        share = _median_of(row["per_s"], [one["per_s"] for one in row["floor"]])
        yield _least("1,000 at once, drained, of the floor (median of pairs)", share, 0.85)
        for peer in _rows(results, "peers").get("instant", []):
            if peer["number"] == 1000:
                for at in ("p50_ms", "p99_ms"):
                    what = f"1,000 at once, {at[:3]}, ms, beside {peer['peer']}"
                    yield _most(what, row[at], peer[at])


def _in_shell(results: Results) -> Iterator[Target]:
    for row in _rows(results, "shell") or []:
        share = _median_of(row["per_s"], [one["per_s"] for one in row["floor"]])
        what = f"{row['number']:,} at once in a shell, drained, of the floor (median of pairs)"
        yield _least(what, share, 0.9)


def _sustained(results: Results) -> Iterator[Target]:
    ours = (_rows(results, "backlog") or [{"per_s": 0.0}])[0]["per_s"]
    for row in _rows(results, "peers").get("backlog", []):
        yield _least(f"backlog, commands/s, beside {row['peer']}", ours, row.get("per_s", 0.0))
    for shards in (1, 2):
        if row := _rows(results, f"publishing_{shards}"):
            what = f"runs/s that a scheduler's core publishes, {shards} shard(s)"
            yield _least(what, 1e6 / row["cpu_us_per_run"], 5000)


def _starts(results: Results) -> Iterator[Target]:
    if row := _rows(results, "cold"):
        first = row["again"].get("first_run_s", 99.0)
        yield _most("`cronstream --help`, s", row["help_s"], 0.3)
        for name in ("runs", "show"):
            if f"{name}_s" in row["again"]:
                yield _most(f"`cronstream {name}`, s", row["again"][f"{name}_s"], 1)
        yield _most("`cronstream up` to its first run, warm, s", first, 10)
    if "worker_ready_s" in results:
        yield _most("a worker to ready, s", results["worker_ready_s"], 3)
