"""What cronstream costs while nothing happens, and how long its starts take."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.machine import Cost
from bench.rig import Rig, say

_BIN = Path(sys.executable).parent


async def idle(rig: Rig, seconds: float = 10.0) -> dict[str, object]:
    """CPU in percent of one core, and resident MiB, of every process."""
    before = rig.costs()
    await asyncio.sleep(seconds)
    out: dict[str, object] = {}
    for name, end in rig.costs().items():
        used = end.since(before.get(name, Cost())).own
        out[name] = {"cpu_pct": round(used / seconds * 100, 2), "rss_mib": round(end.rss, 1)}
    say(f"idle: {out}")
    return out


def cold(folder: Path) -> dict[str, object]:
    """Seconds until commands have answered, and from ``cronstream up`` to its first run."""
    cache = os.environ.get("CRONSTREAM_JAR_CACHE")
    folder.mkdir(parents=True, exist_ok=True)
    helps = [_timed([str(_BIN / "cronstream"), "--help"]) for _ in range(5)]
    table = folder / "crontab.yaml"
    table.write_text(
        "version: 1\nclusters:\n  a:\njobs:\n"
        '  - {name: each-second, cluster: a, schedule: "* * * * * *", command: /bin/true}\n'
    )
    variables = {"CRONSTREAM_DATA_DIR": str(folder / "data"), "NO_COLOR": "1"}
    if cache is None:
        variables["CRONSTREAM_JAR_CACHE"] = str(
            Path.home() / ".local" / "share" / "cronstream" / "jars"
        )
    ups = [_up(table, variables) for _ in range(2)]
    row: dict[str, object] = {"help_s": round(min(helps), 3), "first": ups[0], "again": ups[1]}
    say(f"cold: {row}")
    return row


def _timed(words: list[str], environment: dict[str, str] | None = None) -> float:
    began = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.monotonic() - began


def _answers(environment: dict[str, str]) -> dict[str, float]:
    """Seconds until what asks the ledgers has been answered, while the installation runs."""
    asked = {"runs_s": ["runs"], "show_s": ["show", "each-second@latest"]}
    return {
        name: round(min(_timed([str(_BIN / "cronstream"), *w], environment) for _ in range(5)), 2)
        for name, w in asked.items()
    }


def _up(table: Path, variables: dict[str, str]) -> dict[str, float]:
    """Seconds from the command to Kafka, to a ready worker, to the first run; and `_answers`."""
    began = time.monotonic()
    environment = {**os.environ, **variables, "CRONSTREAM_CRONTAB": str(table)}
    process = subprocess.Popen(
        [str(_BIN / "cronstream"), "up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    seen: dict[str, float] = {}
    wanted = {
        "kafka_s": r"Kafka .*(is ready|ready in)",
        "worker_s": r"owns \d+ of",
        "first_run_s": r"attempt 1 started",
    }
    try:
        for line in process.stdout or ():
            for name, pattern in wanted.items():
                if name not in seen and re.search(pattern, line):
                    seen[name] = round(time.monotonic() - began, 2)
            if "first_run_s" in seen:
                seen.update(_answers(environment))
            if "first_run_s" in seen or time.monotonic() - began > 60:
                break
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return seen
