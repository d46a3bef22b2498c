"""What processes do while nothing is due: they rest."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name
from tests.integration.watched import start_watched

pytestmark = pytest.mark.integration

_FOR_S = 10
#: How often in a second a process waits for something. It was 75 for a scheduler and 51 for a
#: worker, and is 30 and 27: loops that look what is new, ten times a second, are not here any more.
_MOST = 45


def _waits(pid: int) -> int:
    """How often the threads of a process have waited for something."""
    found = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                found += int(line.split()[1])
    return found


async def test_a_scheduler_and_a_worker_rest_while_nothing_is_due(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("idle")
    crontab = f"version: 1\nclusters: [{cluster}]\njobs: []\n"
    (tmp_path / "crontab.yaml").write_text(crontab)
    scheduler = await start_watched(start_worker)
    worker = await start_watched(start_worker, "--cluster", cluster)
    await asyncio.gather(scheduler.settles(60), worker.settles(60))
    await asyncio.sleep(5)  # What is done once, at the start, is over.

    pids = scheduler.worker.pid, worker.worker.pid
    before = [_waits(pid) for pid in pids]
    await asyncio.sleep(_FOR_S)
    waits = [(_waits(pid) - was) / _FOR_S for pid, was in zip(pids, before, strict=True)]

    assert max(waits) < _MOST, waits
