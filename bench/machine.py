"""Programs in C, what processes cost, and the stamps that commands leave."""

import math
import os
import shlex
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_HERE = Path(__file__).parent
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs in C, built for this run."""

    folder: Path

    @property
    def spawn(self) -> str:
        return str(self.folder / "spawn")

    @property
    def nothing(self) -> str:
        """A static program that ends at once."""
        return str(self.folder / "nothing")

    def stamp(self, file: Path, name: str) -> str:
        """The command, as text for a shell, that notes when it began."""
        return f"{self.folder / 'stamp'} {shlex.quote(str(file))} {name}"

    def stamp_of(self, file: Path, number: int) -> str:
        """The same for the job of a number."""
        return self.stamp(file, f"d{number}")

    def stamp_in_shell(self, file: Path, number: int) -> str:
        """The same with what makes a command need a shell, in turns."""
        plain = self.stamp_of(file, number)
        return (f"{plain} | cat", f"true && {plain}", f"{plain} > /dev/null 2>&1")[number % 3]


def build(folder: Path) -> Programs:
    """Compile them; gcc has to be there."""
    folder.mkdir(parents=True, exist_ok=True)
    nothing = folder / "nothing.c"
    nothing.write_text("int main(void) { return 0; }\n")
    for source in (_HERE / "stamp.c", _HERE / "spawn.c", nothing):
        target = folder / source.stem
        subprocess.run(["gcc", "-O2", "-static", "-o", target, source], check=True)
    return Programs(folder)


@dataclass(frozen=True, slots=True)
class Cost:
    """What processes have used: CPU seconds of their own, of reaped children, resident MiB."""

    own: float = 0.0
    children: float = 0.0
    rss: float = 0.0

    def since(self, before: "Cost") -> "Cost":
        return Cost(self.own - before.own, self.children - before.children, self.rss)


def cost(pids: Iterable[int]) -> Cost:
    own = children = rss = 0.0
    for pid in pids:
        try:
            line = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        fields = line[line.rfind(")") + 2 :].split()
        own += (int(fields[11]) + int(fields[12])) / _TICK
        children += (int(fields[13]) + int(fields[14])) / _TICK
        rss += int(fields[21]) * _PAGE / 2**20
    return Cost(own, children, rss)


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    try:
        root = psutil.Process(pid)
        return [pid, *(child.pid for child in root.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def stamps(file: Path) -> list[tuple[str, float]]:
    """Name and time of each command that began; a line that is half written is left out."""
    if not file.exists():
        return []
    rows = (line.split() for line in file.read_text().splitlines())
    return [(row[0], int(row[1]) / 1e9) for row in rows if len(row) == 2 and len(row[1]) == 19]


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def spread(delays: Sequence[float]) -> dict[str, float]:
    """How late, in milliseconds."""
    ms = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {f"{name}_ms": round(percentile(delays, at) * 1000, 2) for name, at in ms.items()}


def against(due: Sequence[float], names: Sequence[str], got: list[tuple[str, float]]) -> dict:
    """Compare stamps with the instants at which every name was due."""
    ordered = sorted(due)
    expected = {(name, instant) for name in names for instant in ordered}
    seen: list[tuple[str, float]] = []
    delays: list[float] = []
    for name, at in got:
        before = [instant for instant in ordered if instant <= at]
        if before and name in set(names):
            seen.append((name, before[-1]))
            delays.append(at - before[-1])
    return {
        "expected": len(expected),
        "missing": len(expected - set(seen)),
        "doubled": len(seen) - len(set(seen)),
        **spread(delays),
    }


def wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))
