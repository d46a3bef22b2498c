"""Asks ``cronstream audit``, as a person would, what it finds in the ledgers."""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cronstream.core.wire.times import format_time
from cronstream.settings import child_environment

_COMMAND = "from cronstream.cli.main import main; main(prog_name='cronstream')"


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit says.

    Attributes:
        summary: Its last line.
        faults: One sentence for each finding that breaks a promise.
    """

    summary: dict[str, Any]
    faults: tuple[str, ...]


#: Findings of these kinds are reported by the audit, and allowed: the truth judges them here.
_ALLOWED = frozenset({"lost", "overrun", "late"})


async def audit(url: str, since: datetime, until: datetime) -> Audited:
    """Audit the due times of a span on the broker at `url`."""
    span = ("--since", format_time(since), "--until", format_time(until))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _COMMAND, "--broker", url, "audit", *span, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(),
    )
    output, said = await process.communicate()
    return read_audit(output.decode(), said.decode())


def read_audit(output: str, said: str) -> Audited:
    """Return what the audit has printed; without a summary it has failed, which is a fault."""
    lines = [json.loads(line) for line in output.splitlines() if line.strip()]
    summary: dict[str, Any] = next((x for x in lines if x.get("kind") == "summary"), {})
    found = [x for x in lines if x.get("kind") not in {"summary", *_ALLOWED}]
    faults = [f"{x.get('kind')}: {x.get('run') or x.get('job')}: {x.get('text')}" for x in found]
    if not summary:
        faults.append(f"it has failed: {said.strip()[-300:]}")
    elif not summary.get("clean") and not faults:
        faults.append("it is not clean, but names no finding")
    return Audited(summary, tuple(faults))
