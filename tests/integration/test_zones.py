"""Real schedulers, of which one has older time zones than a job needs."""

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.builders import NAMES
from tests.integration.conftest import StartWorker
from tests.integration.truth import Line, Truth, a_name

pytestmark = pytest.mark.integration

#: cronstream on a machine whose time zones are of the year 2000.
ANCIENT = """\
from cronstream import system
system.tzdata_version = lambda: "2000a"
from cronstream.core.schedule import schedule
from cronstream.errors import ZoneError
find_zone = schedule.find_zone
def find(name):
    if name == "Antarctica/Troll":
        raise ZoneError("not before 2005")
    return find_zone(name)
schedule.find_zone = find
from cronstream.application import app
"""
NOT_KNOWN = "time zone 'Antarctica/Troll' of job "


async def test_a_scheduler_with_older_time_zones_leaves_a_job_to_one_that_knows_its_zone(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth = a_name("zone"), Truth(tmp_path)
    (tmp_path / "ancient.py").write_text(ANCIENT)
    polar, other = f"polar-{cluster}", f"other-{cluster}"
    common = f"cluster: {cluster}, schedule: '@every 1s', command: '{truth.command}'"
    crontab = (
        f"version: 1\nclusters: {{{cluster}: }}\njobs:\n"
        f"  - {{name: {polar}, timezone: Antarctica/Troll, {common}}}\n"
        + "".join(f"  - {{name: {other}-{n}, {common}}}\n" for n in range(5))
    )
    new, _ = await asyncio.gather(
        start_worker(crontab=crontab),
        start_worker("--cluster", cluster, variables={"WORKER": "w"}),
    )
    await truth.wait(1, polar)

    refused = await start_worker(app="ancient", waits=False)
    await refused.said(NOT_KNOWN)
    assert await refused.child.wait() == 1
    assert not any("taken over" in line for line in refused.lines)

    await new.stop()
    made = len(truth.lines(polar))
    ancient = await start_worker(app="ancient")
    line = await ancient.said(f"of {NAMES.log(cluster)} ({NOT_KNOWN}")
    assert "is set aside until that is read, and all else goes on" in line
    since = len(truth.lines())
    await truth.wait(since + 5)

    await start_worker(waits=False)
    line = await ancient.said("has newer time zones: upgrade them here")
    assert NOT_KNOWN in line
    assert await ancient.child.wait() == 1
    async with asyncio.timeout(60):
        while _is_lacking(truth.lines(polar), made + 10):  # noqa: ASYNC110 - other processes write it
            await asyncio.sleep(0.1)
    assert set(Counter(line.run for line in truth.lines(polar)).values()) == {1}


def _is_lacking(lines: list[Line], count: int) -> bool:
    """Whether there are not yet so many runs, or seconds between them without one."""
    due = sorted(datetime.fromisoformat(line.run.rpartition("@")[2]) for line in lines)
    return len(due) < count or (due[-1] - due[0]).total_seconds() + 1 > len(due)
