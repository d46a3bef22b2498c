"""Draw the tables and pictures of ``docs/performance.md`` from a file of results.

    python -m bench.report [bench/results/latest.json]

The text of the page is written by people; what stands between ``<!-- NAME -->`` and
``<!-- end -->`` is replaced.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import scaling, targets

_ROOT = Path(__file__).parents[1]
PAGES = (_ROOT / "docs" / "performance.md", _ROOT / "docs" / "scaling.md")
PICTURES = _ROOT / "docs" / "pictures"
Results = dict[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _rows(results: Results, part: str) -> Any:
    found = results.get(part, {}).get("rows", {})
    return {} if isinstance(found, dict) and "error" in found else found


def machine(results: Results) -> str:
    about = results["machine"]
    note = f" {about['note']}" if "note" in about else ""
    return (
        f"{about['at']} UTC, {about['cores']} cores ({about['processor']}), Linux "
        f"{about['kernel']}, Python {about['python']}; load {about['load'][0]:g} before, "
        f"{about['load_after'][0]:g} after; {about['took_s']} s in all.{note}"
    )


def floor(results: Results) -> str:
    rows = _rows(results, "floors")
    ways = list(next(iter(rows.values()), {}))
    return table(
        ["starts/s, 4 at a time", *rows],
        [[way, *(rows[what][way] for what in rows)] for way in ways],
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _late(name: str, row: Results) -> list[Any]:
    return [
        name,
        row["number"],
        *(row[f"{at}_ms"] for at in ("p50", "p99", "max")),
        _mean(row.get("per_s") or []) or "",
        row.get("missing", 0),
        row.get("doubled", 0),
    ]


def _floor_rows(row: Results) -> list[list[Any]]:
    made = []
    for name, pick in (
        ("*floor: the same commands*", lambda one: one),
        ("*floor: in a shell, as peers do*", lambda one: one["in_shell"]),
    ):
        some = [pick(one) for one in row.get("floor", [])]
        if some:
            ms = {f"{at}_ms": _mean([x[f"{at}_ms"] for x in some]) for at in ("p50", "p99", "max")}
            made.append(
                _late(name, {"number": row["number"], "per_s": [x["per_s"] for x in some], **ms})
            )
    return made


def instant(results: Results) -> str:
    rows = []
    peers = _rows(results, "peers").get("instant", [])
    for row in _rows(results, "instant") or []:
        rows.append(_late("**cronstream**", row))
        rows += _floor_rows(row)
        rows += [_late(peer["peer"], peer) for peer in peers if peer["number"] == row["number"]]
    for part, name in (
        ("idle_jobs", "cronstream, 100,000 idle jobs"),
        ("rebalance", "cronstream, during a rebalance"),
        ("scheduler_killed", "cronstream, a scheduler killed"),
    ):
        row = _rows(results, part)
        if row:
            rows.append(_late(name, row))
    head = ["", "due at once", "p50 ms", "p99 ms", "max ms", "drained/s", "missing", "doubled"]
    return table(head, rows)


def shell(results: Results) -> str:
    rows = []
    for row in _rows(results, "shell") or []:
        rows.append(_late("**cronstream**", row))
        floors = row["floor"]
        ms = {at: _mean([one[at] for one in floors]) for at in ("p50_ms", "p99_ms", "max_ms")}
        of_floor = {"number": row["number"], "per_s": [one["per_s"] for one in floors], **ms}
        rows.append(_late("*floor: a loop in C*", of_floor))
        rows += [_late(peer["peer"], peer) for peer in row.get("peers", [])]
    head = ["", "due at once", "p50 ms", "p99 ms", "max ms", "drained/s", "missing", "doubled"]
    return table(head, rows)


def deliveries(results: Results) -> str:
    rows = []
    for row in _rows(results, "deliveries"):
        for name in ("at_least_once", "at_most_once"):
            late = row[name]
            of_it = [row[f"{at}_ms_ratio"] if name == "at_most_once" else "" for at in _SHARES]
            starts, ms = late["starts"], [late[f"{at}_ms"] for at in _SHARES]
            rows.append([f"`{name}`", row["number"], starts, *ms, *of_it])
    head = ["", "due at once", "starts", "p50 ms", "p99 ms", "p50 beside", "p99 beside"]
    return table(head, rows)


def scraped(results: Results) -> str:
    found, rows = _rows(results, "scraped"), []
    for name in ("without", "with") if found else ():
        of_it = [found[f"{at}_ms_ratio"] if name == "with" else "" for at in _SHARES]
        one = found[name]
        ms = [one[f"{at}_ms"] for at in _SHARES]
        rows.append([f"{name} scrapes", one["starts"], *ms, *of_it, one["cpu_pct"]])
    head = ["", "starts", "p50 ms", "p99 ms", "p50 beside", "p99 beside", "CPU % of a core"]
    return table(head, rows)


_SHARES = ("p50", "p99")


def rolling(results: Results) -> str:
    restarts = _rows(results, "rolling").get("restarts", {})
    rows = [
        [what, row["due"], row["starts"], *(row[f"{at}_ms"] for at in ("p50", "p99", "max"))]
        for what, row in restarts.items()
    ]
    return table(["restarted", "due", "starts", "p50 ms", "p99 ms", "max ms"], rows)


def backlog(results: Results) -> str:
    found, rows = _rows(results, "backlog"), []
    for row in found if isinstance(found, list) else []:
        cpu = row["cpu_ms"]
        parts = ", ".join(f"{name} {cpu[name]:.2f}" for name in ("worker", "executor", "commands"))
        rows.append(
            [
                f"**cronstream**, {row['workers']} worker(s)",
                row["number"],
                row["per_s"],
                cpu["worker"] + cpu["executor"] + cpu["commands"],
                f"{parts}; Kafka beside {cpu['kafka']:.2f}",
            ]
        )
    names = ("peer", "number", "per_s", "cpu_ms_with_commands")
    peers = _rows(results, "peers").get("backlog", [])
    rows += [[*(row.get(name, "") for name in names), ""] for row in peers]
    floors = _rows(results, "floors")
    for what, ways in floors.items():
        rows.append(
            [f"*floor: {what}, Python posix_spawn*", "", ways["Python posix_spawn"], "", ""]
        )
    return table(["", "commands", "commands/s", "CPU ms each", "of which"], rows)


def executors(results: Results) -> str:
    rows = _rows(results, "executor")
    head = ["executors", "starts/s", "of the floor", "CPU µs each", "first start late, ms"]
    names = ("executors", "started_per_s", "ratio", "cpu_us", "first_ms")
    return table(head, [[row[name] for name in names] for row in rows])


def publishing(results: Results) -> str:
    rows = [_rows(results, f"publishing_{shards}") for shards in (1, 2)]
    head = ["shards", "runs", "CPU µs per run", "runs/s that a core allows", "all on the log, s"]
    head += ["runs in a message", "bytes per run"]
    return table(
        head,
        [
            [
                row["schedulers"],
                row["runs"],
                row["cpu_us_per_run"],
                round(1e6 / row["cpu_us_per_run"] * row["schedulers"]),
                row["late_s"],
                row["runs_per_message"],
                row["bytes_per_run"],
            ]
            for row in rows
            if row and row["cpu_us_per_run"]
        ],
    )


def ledger(results: Results) -> str:
    found = _rows(results, "backlog")
    if not found:
        return ""
    cost = found[0]["ledger"]
    return table(["for each run", ""], [[name.replace("_", " "), cost[name]] for name in cost])


def idle(results: Results) -> str:
    rows = _rows(results, "idle")
    return table(
        ["process", "CPU % of a core", "resident MiB"],
        [[name, row["cpu_pct"], row["rss_mib"]] for name, row in rows.items()],
    )


def cold(results: Results) -> str:
    row = _rows(results, "cold")
    if not row:
        return ""
    rows = [["`cronstream --help`", row["help_s"], "0.3"]]
    again = row["again"]
    rows += [
        [f"`cronstream {name}`", again[f"{name}_s"], "1"]
        for name in ("runs", "show")
        if f"{name}_s" in again
    ]
    rows.append(["`cronstream up` to its first run, warm", again.get("first_run_s", "?"), "10"])
    rows.append(["a worker to ready", results.get("worker_ready_s", "?"), "3"])
    return table(["", "seconds", "target"], rows)


def core(results: Results) -> str:
    row = _rows(results, "core")
    return table(["", "per second"], [[name.replace("_", " "), row[name]] for name in row])


def targets_met(results: Results) -> str:
    met = {True: "yes", False: "**no**"}
    rows = [[one.what, one.value, one.bound, met[one.is_met]] for one in targets.all_of(results)]
    return table(["target", "measured", "asked", "met"], rows)


def loads(results: Results) -> str:
    rows = scaling.loads(scaling.costs_of(results))
    return table(list(rows[0]), [list(row.values()) for row in rows])


PARTS: dict[str, Callable[[Results], str]] = {
    "machine": machine,
    "floors": floor,
    "instant": instant,
    "shell": shell,
    "deliveries": deliveries,
    "scraped": scraped,
    "rolling": rolling,
    "backlog": backlog,
    "publishing": publishing,
    "ledger": ledger,
    "idle": idle,
    "cold": cold,
    "core": core,
    "executors": executors,
    "loads": loads,
    "targets": targets_met,
}


def bars(title: str, unit: str, values: dict[str, float]) -> str:
    """A picture of bars, as SVG."""
    most, high = max(values.values(), default=1.0) or 1.0, 26
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="13"',
        f'width="760" height="{len(values) * high + 44}">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="20" font-weight="bold">{title}</text>',
    ]
    for place, (name, value) in enumerate(values.items()):
        y, width = 34 + place * high, max(1.0, value / most * 400)
        colour = "#2a7f62" if "cronstream" in name else "#b9c4cc"
        lines += [
            f'<text x="250" y="{y + 15}" text-anchor="end">{name}</text>',
            f'<rect x="258" y="{y + 2}" width="{width:.1f}" height="18" fill="{colour}"/>',
            f'<text x="{264 + width:.1f}" y="{y + 15}">{_text(float(value))} {unit}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def pictures(results: Results) -> dict[str, str]:
    late: dict[str, float] = {}
    rows = [*(_rows(results, "instant") or []), *_rows(results, "peers").get("instant", [])]
    most = max((row["number"] for row in rows), default=0)
    for row in rows:
        if row["number"] == most:
            for at in ("p50", "p99"):
                late[f"{row.get('peer', 'cronstream')}, {at}"] = row[f"{at}_ms"]
    done: dict[str, float] = {}
    for row in _rows(results, "backlog") or []:
        done[f"cronstream, {row['workers']} worker(s)"] = row["per_s"]
    for row in _rows(results, "peers").get("backlog", []):
        done[row["peer"]] = row.get("per_s", 0.0)
    for what, ways in _rows(results, "floors").items():
        done[f"floor: {what}"] = ways["Python posix_spawn"]
    return {
        "instant.svg": bars(
            f"{most:,} commands due at one instant: how late they start", "ms", late
        ),
        "backlog.svg": bars("A backlog of trivial commands", "commands/s", done),
    }


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT / "bench" / "results" / "latest.json"
    results = json.loads(source.read_text())
    for page in PAGES:
        page.write_text(_filled(page.read_text(), results))
    PICTURES.mkdir(exist_ok=True)
    for name, picture in pictures(results).items():
        (PICTURES / name).write_text(picture)
    for flame in PICTURES.glob("flame-*.svg"):
        what = flame.stem.removeprefix("flame-")
        doing = "publishing" if what == "scheduler" else "a backlog"
        flame.write_text(_titled(flame.read_text(), f"{what}, {doing}"))


def _titled(picture: str, title: str) -> str:
    """Put a title where py-spy writes its command line, which names folders of this machine."""
    return re.sub(r'(<text id="title"[^>]*>)[^<]*', rf"\g<1>{title}", picture)


def _filled(page: str, results: Results) -> str:
    for name, draw in PARTS.items():
        if f"<!-- {name} -->" in page:
            block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
            page = block.sub(rf"\g<1>{draw(results)}\n\g<2>", page)
    return page


if __name__ == "__main__":
    main()
