"""Real processes with settings that differ: who is there, what holds, and who is refused."""

import asyncio
import json
from typing import Any

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name
from tests.integration.watched import start_watched

pytestmark = pytest.mark.integration


async def _workers(broker: str, cluster: str) -> tuple[list[dict[str, Any]], str]:
    status, out, err = await run_command(broker, "workers", "--cluster", cluster, "--json")
    assert status == 0, err
    return [json.loads(line) for line in out.splitlines()], err


async def test_who_differs_is_seen_and_the_longest_lease_and_shortest_fence_hold(
    start_worker: StartWorker, broker: str
) -> None:
    cluster = a_name("who")
    longer = {"CRONSTREAM_LEASE_S": "20", "CRONSTREAM_FENCE_S": "15"}
    good = await start_watched(start_worker, "--cluster", cluster)

    other, odd = await asyncio.gather(
        start_worker("--cluster", cluster, variables=longer),
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
    warned = (await good.ask())[1]["warnings"]
    assert any("CRONSTREAM_LEASE_S is not the same everywhere: 20 in" in text for text in warned)

    found, told = await _workers(broker, cluster)
    states = sorted((who["state"], who["lease_s"], who["partitions"]) for who in found)
    assert states == [("here", 6.0, 12), ("here", 20.0, 12), ("stopped", 6.0, 6)]
    assert all(abs(who["clock_s"]) < 1 for who in found if who["state"] == "here")
    assert "CRONSTREAM_LEASE_S is not the same everywhere" in told

    await other.stop()
    await good.worker.said("a lease of 6 s and a fence of 4.5 s hold from now on")
