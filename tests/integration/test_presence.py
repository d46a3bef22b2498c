"""Real processes with settings that differ: who is there, what holds, and who is refused."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name
from tests.integration.watched import start_watched

pytestmark = pytest.mark.integration


#: cronstream, whose clock is ten minutes ahead until there is a file named ``right``.
AHEAD = """
import os
from datetime import timedelta
from cronstream import clock
now = clock.now
clock.now = lambda: now() + timedelta(seconds=0 if os.path.exists("right") else 600)
from cronstream.application import app
"""
#: It does not name the test's cluster: that was taken out, and Kafka has its logs.
CRONTAB = "version: 1\nclusters: [another]\njobs: []\n"


async def _workers(broker: str, cluster: str) -> tuple[list[dict[str, Any]], str]:
    """Return who is there, once what they have found of their clocks has been announced."""
    async with asyncio.timeout(60):
        while True:
            status, out, err = await run_command(broker, "workers", "--cluster", cluster, "--json")
            assert status == 0, err
            found = [json.loads(line) for line in out.splitlines()]
            if len(found) == 4 and any((x["clock_s"] or 0) > 1 for x in found):
                return found, err
            await asyncio.sleep(0.5)


async def test_who_differs_is_seen_and_the_longest_lease_and_shortest_fence_hold(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster = a_name("who")
    longer = {"CRONSTREAM_LEASE_S": "20", "CRONSTREAM_FENCE_S": "15"}
    good = await start_watched(start_worker, "--cluster", cluster)
    (tmp_path / "ahead.py").write_text(AHEAD)
    (tmp_path / "crontab.yaml").write_text(CRONTAB)

    other, ahead, odd = await asyncio.gather(
        start_worker("--cluster", cluster, variables=longer),
        start_worker("--cluster", cluster, "--retry", app="ahead", waits=False),
        start_worker("--cluster", cluster, variables={"CRONSTREAM_PARTITIONS": "6"}, waits=False),
    )

    line = await odd.said("CRONSTREAM_PARTITIONS is 6 here, and 12 in ")
    assert "this process ends" in line
    assert await odd.child.wait() == 1
    assert not any("owns " in line for line in odd.lines)
    holds = "a lease of 20 s and a fence of 4.5 s hold from now on"
    await asyncio.gather(good.worker.said(holds), other.said(holds))
    first = next(line for line in other.lines if holds in line or "owns " in line)
    assert holds in first, "it has joined before it knew"
    await good.warns("CRONSTREAM_LEASE_S is not the same everywhere: 20 in")

    await ahead.said(" s ahead: it claims nothing until that is right")
    found, told = await _workers(broker, cluster)
    states = sorted((x["state"], x["lease_s"], x["partitions"], x["role"]) for x in found)
    assert states == [
        ("here", 6.0, 12, "retry-worker"),
        ("here", 6.0, 12, "worker"),
        ("here", 20.0, 12, "worker"),
        ("stopped", 6.0, 6, "worker"),
    ]
    clocks = {x["role"]: round(x["clock_s"]) for x in found if x["state"] == "here"}
    assert clocks == {"worker": 0, "retry-worker": 600}
    assert "CRONSTREAM_LEASE_S is not the same everywhere" in told
    assert re.search(r"(600|599)\.\d s ahead: set it by NTP", told)
    assert not any("owns " in line for line in ahead.lines)

    (tmp_path / "right").touch()
    await asyncio.gather(other.stop(), ahead.said("owns "))
    await good.worker.said("a lease of 6 s and a fence of 4.5 s hold from now on")
