"""What becomes of runs is counted, logged and sent once in a cluster, while workers come and go."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from cronstream.broker.ports import free_port
from cronstream.core.wire.entries import Cancelled
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.times import format_time
from cronstream.settings import Settings
from cronstream.topology.publish import partition_of
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.hands import AHEAD, LOOK_AHEAD_S, await_names, publisher, until
from tests.integration.scraped import Series, read, total
from tests.integration.truth import Truth, a_name
from tests.notices.server import Server, serving

pytestmark = pytest.mark.integration

#: Each job runs each second, and for half of it, so that some run at every moment.
JOBS = 6
#: What is due by the time that one worker has gone, or another come, is so many runs.
MORE = JOBS * 4


def _crontab(cluster: str, truth: Truth) -> str:
    jobs = "\n".join(
        f'  - {{name: {cluster}-{number}, schedule: "@every 1s", command: "{command}"}}'
        for number in range(JOBS)
        for command in [f"sleep 0.5; {truth.command}".replace('"', '\\"')]
    )
    defaults = f"{{cluster: {cluster}, on_success: {{from: DONE}}}}"
    return f"version: 1\nclusters: {{{cluster}: }}\ndefaults: {defaults}\njobs:\n{jobs}\n"


class Counted:
    """A worker, and what it has counted: asked until it is gone."""

    def __init__(self, worker: StartedWorker, port: int) -> None:
        self.worker, self.series = worker, Series()
        self._url = f"http://127.0.0.1:{port}/metrics"
        self.asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(self._url) as answer:
                        self.series = read(await answer.text())
                await asyncio.sleep(0.03)

    def count(self, name: str, **labels: str) -> float:
        return total(self.series, f"cronstream_{name}_total", **labels)

    def logged(self, action: str) -> list[str]:
        """Return the runs of which it has a line with an action."""
        objects = [json.loads(line) for line in self.worker.lines if line.startswith("{")]
        return [each["run"] for each in objects if each.get("action") == action]


class Cluster:
    """A cluster whose workers are asked what they count."""

    def __init__(self, start: StartWorker, folder: Path, server: Server) -> None:
        self.name, self.truth = a_name("counted"), Truth(folder)
        self._start, self._server = start, server
        self.workers: list[Counted] = []

    async def a_scheduler(self) -> StartedWorker:
        return await self._start(crontab=_crontab(self.name, self.truth), variables=AHEAD)

    async def a_worker(self, name: str) -> Counted:
        port = free_port()
        variables = {
            **AHEAD,
            "CRONSTREAM_METRICS_BIND": f"127.0.0.1:{port}",
            "CRONSTREAM_LOG_FORMAT": "json",
            "DONE": self._server.url,
            "WORKER": name,
        }
        started = await self._start("--cluster", self.name, variables=variables)
        self.workers.append(Counted(started, port))
        return self.workers[-1]

    async def more(self) -> None:
        """Wait until so many more runs have been made."""
        await self.truth.wait(len(self.truth.lines()) + MORE)

    @property
    def made(self) -> set[str]:
        return {line.run for line in self.truth.lines()}

    def sent(self) -> Counter[str]:
        return Counter(json.loads(one.body)["run"] for one in self._server.asked)

    def logged(self, action: str) -> Counter[str]:
        return Counter(run for one in self.workers for run in one.logged(action))


@pytest.fixture
async def cluster(start_worker: StartWorker, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with serving() as server:
        cluster = Cluster(start_worker, tmp_path, server)
        yield cluster
        for one in cluster.workers:
            one.asking.cancel()


async def test_each_success_is_counted_logged_and_sent_once_while_workers_join_and_leave(
    cluster: Cluster,
) -> None:
    scheduler, first = await asyncio.gather(cluster.a_scheduler(), cluster.a_worker("first"))
    await cluster.truth.wait(MORE)
    second = await cluster.a_worker("second")
    await cluster.more()
    assert await first.worker.stop() == 0
    third = await cluster.a_worker("third")
    await cluster.more()
    await scheduler.stop()
    await asyncio.sleep(LOOK_AHEAD_S)

    def successes() -> float:
        return sum(one.count("runs_succeeded") for one in cluster.workers)

    with contextlib.suppress(TimeoutError):
        await until(lambda: successes() >= len(cluster.made) and sum(cluster.sent().values()), 15)
    await asyncio.sleep(1)
    once = dict.fromkeys(cluster.made, 1)
    assert all(one.count("runs_succeeded") for one in (first, second, third))
    assert successes() == len(once)
    assert cluster.logged("succeeded") == once
    assert cluster.sent() == once


async def test_what_happens_while_a_cluster_has_no_worker_is_noted_by_the_next(
    broker: str, cluster: Cluster
) -> None:
    _, first = await asyncio.gather(cluster.a_scheduler(), cluster.a_worker("first"))
    await cluster.truth.wait(JOBS)
    await first.worker.kill()
    job = f"{cluster.name}-0"
    # What nobody has claimed: it is published when nobody is there any more.
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LOOK_AHEAD_S + 2)
    times = [format_time(due + timedelta(seconds=number)) for number in range(3)]
    gone = [f"{job}@{time}" for time in times]
    settings = Settings(broker=f"kafka://{broker}")
    log, partition = settings.names.log(cluster.name), partition_of(job, settings.partitions)
    await await_names(broker, log, [partition], times)
    async with publisher(broker) as by_hand:
        for run in gone:
            word = Cancelled(run=run, reason=SkipReason.CANCELLED, by="ops")
            await by_hand.append(log, partition, word)

    second = await cluster.a_worker("second")
    await until(lambda: second.count("runs_skipped", reason="cancelled") >= len(gone), 30)
    await asyncio.sleep(1)
    assert second.count("runs_skipped", reason="cancelled") == len(gone)
    assert {run: cluster.logged("skipped")[run] for run in gone} == dict.fromkeys(gone, 1)
