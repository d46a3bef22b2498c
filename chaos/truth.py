"""What really happened: each command writes its own start and end, whatever the ledger says.

A line is one write to a file opened with O_APPEND, so lines of many processes do not mix. The time
is read by the shell itself from ``/proc/uptime``, in hundredths of a second: ``date`` would be two
more processes for each command, and costs 2 ms each where the shell costs 2 ms in all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

#: The variable by which a command knows in which process it was started.
PROCESS = "CHAOS_PROCESS"
#: A time is cut off, not rounded, to hundredths of a second.
RESOLUTION = timedelta(milliseconds=10)


def write_note(script: Path, truth: Path) -> str:
    """Write the file that defines ``note``, and return the shell text that reads it.

    The disk of what records the truth is never full, though its executor's worker may have one that
    is, and limits go to children.
    """
    script.write_text(
        "ulimit -S -f unlimited\n"
        "note() { read -r up _ </proc/uptime; "
        f'echo "$CRONSTREAM_RUN_ID $CRONSTREAM_ATTEMPT $1 $up $$ ${PROCESS}" >>"{truth}"; }}\n'
    )
    return f'. "{script}"'


@dataclass(frozen=True, slots=True)
class Execution:
    """One process of a command, as it reported itself.

    Attributes:
        process: The part that had it started, as the fleet calls it.
        ended_at: None if it did not come to its end.
    """

    run: str
    attempt: int
    process: str
    pid: int
    started_at: datetime
    ended_at: datetime | None = None


def executions(lines: Iterable[str], booted_at: datetime) -> list[Execution]:
    """Return the executions that the lines report, in the order of their starts.

    Args:
        lines: Of the truth file, in the order in which they were written.
        booted_at: When the machine's uptime was 0, by its wall clock (UTC).
    """
    found: dict[tuple[str, int, int], Execution] = {}
    for line in lines:
        run, attempt, what, up, pid, process = line.split(" ")
        key = (run, int(attempt), int(pid))
        at = booted_at + timedelta(seconds=float(up))
        if what == "start":
            found[key] = Execution(*key[:2], process, key[2], at)
        elif key in found:
            begun = found[key]
            found[key] = Execution(*key[:2], process, key[2], begun.started_at, at)
    return sorted(found.values(), key=lambda execution: execution.started_at)
