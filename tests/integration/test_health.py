"""``/health`` of real processes on a real Kafka."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.settings import Settings, child_environment, settings
from cronstream.topology.publish import Publisher
from tests.builders import NAMES, a_run
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name
from tests.integration.watched import start_watched

pytestmark = pytest.mark.integration

_IMAGE_CHECK = Path(__file__).parents[2] / "ops" / "image" / "health.py"


def _crontab(cluster: str) -> str:
    return f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: {cluster}-job, cluster: {cluster}, schedule: "@every 2s", command: "true"}}
"""


async def test_each_role_is_healthy_within_seconds_of_its_start(start_worker: StartWorker) -> None:
    cluster = a_name("well")
    crontab = _crontab(cluster)
    started = await asyncio.gather(
        start_watched(start_worker, crontab=crontab),
        start_watched(start_worker, "--cluster", cluster, crontab=crontab),
        start_watched(start_worker, "--cluster", cluster, "--retry", crontab=crontab),
    )
    standby = await start_watched(start_worker, waits=False)

    scheduler, worker, retry = [await one.becomes(200, within_s=90) for one in started]
    beside = await standby.becomes(200, within_s=90)

    owned = scheduler["facts"]["shards_published_s"], beside["facts"]["shards_published_s"]
    assert sorted(map(len, owned)) == [0, 1]
    assert worker["facts"]["has_executor"]
    assert retry["facts"]["has_executor"]
    assert all(answer["facts"]["in_group"] for answer in (scheduler, worker, retry, beside))
    looks = await asyncio.gather(*(_looked_at(one.port) for one in (*started, standby)))
    assert looks == [0, 0, 0, 0]


async def _looked_at(port: int) -> int:
    """Return the exit status of the image's own check, as Docker has it run beside a process."""
    where = child_environment(CRONSTREAM_WEB_PORT=str(port))
    check = await asyncio.create_subprocess_exec(sys.executable, _IMAGE_CHECK, env=where)
    return await check.wait()


class Bootstrap:
    """An address behind which the broker moves about; it names the broker's own to clients."""

    def __init__(self) -> None:
        self.port, self.target = free_port(), 0

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        writer.close()


async def _state(address: str, run_id: str) -> str | None:
    out = (await run_command(f"kafka://{address}", "runs", "--since", "10m", "--json"))[1]
    return {one["run"]: one["state"] for one in map(json.loads, out.splitlines())}.get(run_id)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_a_worker_outlives_the_absence_of_its_broker_which_comes_back_elsewhere(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, bootstrap = a_name("alone"), Bootstrap()
    with closing(Guard()) as guard:

        def a_broker() -> EmbeddedBroker:
            bootstrap.target = free_port()
            cache = settings().jars
            folder = tmp_path / "kafka"
            return EmbeddedBroker(folder, bootstrap.target, guard=guard, say=print, jar_cache=cache)

        broker, server = a_broker(), await bootstrap.serve()
        await broker.start()
        try:
            worker = await start_watched(
                start_worker,
                *("--cluster", cluster),
                crontab=_crontab(cluster),
                variables={
                    "CRONSTREAM_BROKER": f"kafka://127.0.0.1:{bootstrap.port}",
                    "CRONSTREAM_HEALTH_PATIENCE_S": "5",
                },
            )
            await worker.becomes(200, within_s=90)
            await broker.stop()
            gone = await worker.becomes(503, within_s=90)
            await asyncio.sleep(8)  # longer than its patience
            still = await worker.ask()
            broker = a_broker()
            await broker.start()
            await worker.becomes(200, within_s=90)
            publisher = Publisher(Settings(broker=broker.address))
            await publisher.start()
            run = a_run(cluster=cluster, revision=None)
            await publisher.publish(NAMES.log(cluster), run.job, run)
            await publisher.stop()
            # It joins its group again about now, and says nothing of what it catches up on.
            async with asyncio.timeout(60):
                while await _state(broker.address, run.id) != "succeeded":  # noqa: ASYNC110 - the log tells nobody of itself
                    await asyncio.sleep(0.2)
            await worker.worker.stop()
        finally:
            server.close()
            await broker.stop()

    assert "no broker has answered" in gone["reason"]
    assert (gone["ends_if_it_lasts"], still[0]) == (False, 503)
    assert not any("this process ends" in line for line in worker.worker.lines)


#: cronstream, which breaks some seconds after its first assignment, as `BREAKS` says.
BROKEN = """
import asyncio, os, time
from cronstream.application import app

broken = []

def leave_group():
    coordinator = app.consumer._thread._consumer._coordinator
    app.consumer._thread.thread_loop.call_soon_threadsafe(coordinator._coordination_task.cancel)

def turn_no_more():
    app.duty.worker.loops[0].cancel()

def block():
    time.sleep(120)

def hold_thread():
    app.consumer._thread.thread_loop.call_soon_threadsafe(time.sleep, 90)

@app.on_rebalance_complete.connect(weak=False)
async def break_it(*_, **__):
    if not broken:
        broken.append(True)
        asyncio.get_running_loop().call_later(8, globals()[os.environ["BREAKS"]])
"""


#: How each way to break ends: exit status, and what is said.
ENDS = {
    "leave_group": (1, "outside its consumer group"),
    "turn_no_more": (1, "a task that should never end has ended"),
    "block": (70, "event loop has been stuck"),
    "hold_thread": (70, "could not stop in good order"),
}


async def test_a_worker_that_cannot_come_back_ends_with_all_it_runs(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    names = {breaks: a_name(breaks.replace("_", "-")) for breaks in ENDS}
    jobs = "".join(
        f"  - {{name: {name}, cluster: {name}, schedule: '@every 2s', "
        f"command: 'echo $$ > {name}.pid; exec sleep 300'}}\n"
        for name in names.values()
    )
    clusters = ", ".join(f"{name}: " for name in names.values())
    crontab = f"version: 1\nclusters: {{{clusters}}}\njobs:\n{jobs}"
    await start_worker(crontab=crontab)

    async with asyncio.TaskGroup() as all_at_once:
        for breaks, name in names.items():
            all_at_once.create_task(_see_end(start_worker, breaks, name, tmp_path))


async def _see_end(start: StartWorker, breaks: str, name: str, folder: Path) -> None:
    status, line = ENDS[breaks]
    worker = await start(
        *("--cluster", name),
        app="broken",
        variables={
            "BREAKS": breaks,
            "CRONSTREAM_HEALTH_PATIENCE_S": "3",
            "CRONSTREAM_DRAIN_S": "1",
        },
    )
    await worker.said("attempt 1 started")
    await worker.said("this process ends", within_s=120)
    async with asyncio.timeout(90):
        found = await worker.child.wait()
    await asyncio.sleep(3)

    assert found == status
    assert any(line in one for one in worker.lines)
    assert not psutil.pid_exists(int((folder / f"{name}.pid").read_text()))


#: cronstream, which tells nobody of itself, so that it may have one partition where others have 12.
QUIET = """
from cronstream.application import app
from cronstream.health import PresenceWatch

async def join(self, tell):
    pass

PresenceWatch.join = join
"""

#: cronstream, where a group's leader shares out all topics but logs, as if no broker knew them.
FORGETFUL = (
    QUIET
    + """
from cronstream.fitted.to_faust import assignment

def leave_out(self, topic, known=assignment.KnownTopics.partitions_for_topic):
    return None if topic == app.settings.names.log_of(app.role) else known(self, topic)

assignment.KnownTopics.partitions_for_topic = leave_out
"""
)

#: cronstream, whose stream brings no more ticks once there is a file named ``deaf``.
DEAF = """
import asyncio, os
from cronstream.application import app
from cronstream.core.wire import naming

@app.task
async def be_deaf():
    while True:
        await asyncio.sleep(0.1)
        if os.path.exists("deaf"):
            ticks = {tp for tp in app.consumer.assignment() if tp.topic == app.settings.names.ticks}
            app.consumer._get_active_partitions().difference_update(ticks)
"""
_AHEAD_S = 18


async def test_the_held_up_come_back_the_deaf_and_the_left_out_end_and_the_spare_stand_by(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    (tmp_path / "quiet.py").write_text(QUIET)
    (tmp_path / "deaf.py").write_text(DEAF)
    held, forgotten, crowded, deaf = map(a_name, ("held", "forgotten", "crowded", "deaf"))
    note = f"echo $CRONSTREAM_RUN_ID $(date +%s.%N) >> {tmp_path / 'truth'}"
    (tmp_path / "crontab.yaml").write_text(f"""
version: 1
clusters: {{{held}: , {deaf}: }}
jobs:
  - {{name: {held}-job, cluster: {held}, schedule: "@every 2s", command: "true"}}
  - {{name: {deaf}-job, cluster: {deaf}, schedule: "@every 1s", command: '{note}'}}
""")
    # No scheduler has this file, for the logs of its clusters have one partition each.
    (tmp_path / "others.yaml").write_text(
        f"version: 1\nclusters: {{{forgotten}: , {crowded}: }}\njobs: []\n"
    )

    async with asyncio.TaskGroup() as all_at_once:  # each waits more than it works
        all_at_once.create_task(_a_worker_is_held_up(start_worker, held))
        all_at_once.create_task(_a_worker_is_left_out(start_worker, forgotten, tmp_path))
        all_at_once.create_task(_are_one_too_many(start_worker, crowded, tmp_path))
        all_at_once.create_task(_a_scheduler_is_deaf(start_worker, deaf, tmp_path))


async def _a_worker_is_held_up(start: StartWorker, cluster: str) -> None:
    patience = {"CRONSTREAM_HEALTH_PATIENCE_S": "10"}
    worker = await start_watched(start, "--cluster", cluster, variables=patience)
    await worker.becomes(200, within_s=90)

    os.kill(worker.worker.pid, signal.SIGSTOP)
    await asyncio.sleep(35)  # longer than the group, its patience, and the watchdog bear
    os.kill(worker.worker.pid, signal.SIGCONT)

    await worker.becomes(200, within_s=90)
    await asyncio.sleep(3)
    assert (await worker.ask())[0] == 200
    assert not any("this process ends" in line for line in worker.worker.lines)


def _one_partition(folder: Path) -> dict[str, str]:
    """Return what makes it an installation of its own, whose numbers are not those of others."""
    return {
        "CRONSTREAM_PREFIX": "narrow",
        "CRONSTREAM_CRONTAB": str(folder / "others.yaml"),
        "CRONSTREAM_PARTITIONS": "1",
        "CRONSTREAM_HEALTH_PATIENCE_S": "3",
    }


async def _a_worker_is_left_out(start: StartWorker, cluster: str, folder: Path) -> None:
    settings = _one_partition(folder)
    forgotten = await start_watched(
        start, "--cluster", cluster, app="forgetful", variables=settings
    )

    await forgotten.worker.said("this process ends", within_s=120)

    [line] = [line for line in forgotten.worker.lines if "this process ends" in line]
    assert "it owns no partition, and nobody has owned 1 of them for" in line


async def _are_one_too_many(start: StartWorker, cluster: str, folder: Path) -> None:
    settings = _one_partition(folder)
    both = await asyncio.gather(
        *(
            start_watched(start, "--cluster", cluster, app="quiet", variables=settings)
            for _ in range(2)
        )
    )
    crowded = [await one.becomes(200, within_s=90) for one in both]
    await asyncio.sleep(25)  # longer than a process may be left out, and its patience

    assert [(await one.ask())[0] for one in both] == [200, 200]
    assert [answer["facts"]["unowned_s"] for answer in crowded] == [{}, {}]
    owned = [line for one in both for line in one.worker.lines if "owns " in line]
    assert any("owns 0 of 1" in line for line in owned)


async def _a_scheduler_is_deaf(start: StartWorker, cluster: str, folder: Path) -> None:
    """It makes way, and no run is late, for what it has published ahead lasts until then."""
    ahead = {"CRONSTREAM_LOOK_AHEAD_S": f"{_AHEAD_S}", "CRONSTREAM_HEALTH_PATIENCE_S": "2"}
    await start("--cluster", cluster, variables=ahead)
    deaf = await start_watched(start, app="deaf", variables=ahead)
    spare = await start_watched(start, variables=ahead, waits=False)
    # Who is deaf in the midst of a rebalance does not come back from it, which is another case.
    await spare.settles(within_s=90)
    await deaf.settles(within_s=90)

    (folder / "deaf").touch()
    until = time.time() + _AHEAD_S + 3
    await deaf.worker.said("ticks of shard 0 have not come back", within_s=40)
    async with asyncio.timeout(30):
        status = await deaf.worker.child.wait()
    await spare.worker.said("taken over")
    while not (lines := _starts(folder / "truth")) or lines[-1][0] < until:
        assert time.time() < until + 30, "no more runs are made"
        await asyncio.sleep(0.5)

    due = sorted({at for at, _ in lines})
    assert status == 1
    assert [b - a for a, b in itertools.pairwise(due)] == [1.0] * (len(due) - 1), "one is missing"
    assert max(started - at for at, started in lines) < 3.0


def _starts(truth: Path) -> list[tuple[float, float]]:
    """Return the due time and the start of each run so far."""
    pairs = [line.split() for line in truth.read_text().splitlines()] if truth.exists() else []
    times = [(datetime.fromisoformat(run.rpartition("@")[2]), at) for run, at in pairs]
    return sorted((due.timestamp(), float(at)) for due, at in times)
