"""An hour of chaos on three brokers: half of it one fault at a time, half of it a storm.

    python -m chaos.hour [FOLDER] [--minutes 60]

Prints the table of docs/chaos.md, in Markdown; the reports and, of what went wrong, all logs and
data are kept in FOLDER. Exit status 1 if a target was missed. Nothing else should run meanwhile.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HALVES = {
    "one at a time": ("--every", "30s", "--seed", "1"),
    "storm": ("--every", "7s", "--seed", "2"),
}


def run(options: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Run chaos once and return its report."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "chaos",
            "--brokers",
            "3",
            "--json",
            "--keep",
            str(folder),
            *options,
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    return report


def table(name: str, report: dict[str, Any]) -> str:
    """Return the figures of one half as Markdown."""
    counts, delay = report["counts"], report["delay_s"]
    lines = [
        (
            f"**{name}**: {report['faults']} faults in {report['duration_s'] / 60:.0f} min; "
            f"{report['due']:,} runs due, {report['started']:,} starts, "
            f"{report['borrowed']:,} of them lent; "
            f"lost {counts.get('lost', 0)}, doubled {counts.get('doubled', 0)}, "
            f"at_most_once doubled {counts.get('doubled, at_most_once', 0)}; "
            f"start delay p50 {delay['p50'] * 1000:.0f} ms, p99 {delay['p99']:.1f} s, "
            f"max {delay['max']:.1f} s"
        ),
        "",
        "| fault | times | runs late > 1 s | worst | made elsewhere | slowest |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        slowest = row["worst_takeover_s"]
        lines.append(
            f"| {row['label']} | {row['faults'] or ''} | {row['late']} | "
            f"{row['worst_delay_s']:.1f} s | {row['takeovers'] or ''} | "
            f"{'' if slowest is None else f'{slowest:.1f} s'} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Run both halves, and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="kept; a temporary one if not given")
    parser.add_argument("--minutes", type=float, default=60, help="of faults, both halves together")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    missed = []
    for name, how in HALVES.items():
        duration = ("--duration", f"{options.minutes * 30:.0f}s")
        report = run((*duration, *how), folder / name.replace(" ", "-"))
        print(table(name, report), flush=True)
        missed += [f"{name}: {sentence}" for sentence in report["missed"]]
    print("\n".join(missed) or "all targets met")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
