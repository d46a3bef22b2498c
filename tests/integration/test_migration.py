"""Moving a running installation from the old layout, on a real Kafka.

The mover runs in a process of its own, which is killed and started again.
"""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core import naming
from cronstream.core.codec import decode_entries
from cronstream.core.legacy import LEGACY_GROUP
from cronstream.core.records import Cause, Job, Run
from cronstream.settings import Settings, child_environment
from cronstream.topology.publish import Publisher
from cronstream.topology.reading import Reader
from cronstream.topology.topics import cluster_topics, ensure_topics, installation_topics

pytestmark = pytest.mark.integration

PARTITIONS = 3

#: What a scheduler's process does for the mover, and nothing else.
MOVER = """
import asyncio, logging, sys
from cronstream.errors import CronstreamError
from cronstream.legacy import LegacyMover
from cronstream.settings import settings
from cronstream.topology.publish import Publisher
from cronstream.topology.quarantine import Quarantine

async def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    publisher = Publisher(settings())
    await publisher.start()
    failed = asyncio.get_running_loop().create_future()
    mover = LegacyMover(settings(), publisher, Quarantine(publisher), failed.set_result)
    try:
        await mover.start()
        print("fail:", await failed)
    except CronstreamError as error:
        print("fail:", error)
    await mover.stop()
    await publisher.stop()
    return 1

sys.exit(asyncio.run(main()))
"""


class Mover:
    """A process that moves the old topic, with the lines that it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    async def says(self, text: str, timeout_s: float = 30) -> str:
        """Wait for a line with `text` in it, and return it."""
        async with asyncio.timeout(timeout_s):
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                assert not self._reading.done(), self.lines
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await self._reading


@dataclass
class World:
    """An old installation and a new one beside it, on one broker."""

    settings: Settings
    folder: Path
    topic: str
    old_group: str
    cluster: str
    producer: AIOKafkaProducer
    written: list[dict[str, Any]] = field(default_factory=list)
    movers: list[Mover] = field(default_factory=list)

    async def write(self, job: str, scheduled_at: datetime, partition: int | None = None) -> str:
        """Write a message as the old scheduler does; return its command, which no other has."""
        command = f"echo {uuid.uuid4().hex}"
        stamp = scheduled_at.isoformat()
        message = {"job": job, "command": command, "scheduled_at": stamp, "owner": "ops"}
        await self.write_raw(orjson.dumps(message), partition)
        self.written.append(message)
        return command

    async def write_raw(self, value: bytes | None, partition: int | None = None) -> None:
        if partition is None:
            partition = len(self.written) % PARTITIONS
        await self.producer.send_and_wait(self.topic, value, partition=partition)

    async def start_mover(self, *, group: bool = True) -> Mover:
        environment = child_environment(
            CRONSTREAM_BROKER=self.settings.broker,
            CRONSTREAM_CRONTAB=str(self.folder / "crontab.yaml"),
            CRONSTREAM_PARTITIONS=str(self.settings.partitions),
            CRONSTREAM_LEGACY_TOPIC=self.topic,
            **({"CRONSTREAM_LEGACY_GROUP": self.old_group} if group else {}),
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            MOVER,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.movers.append(Mover(process))
        return self.movers[-1]

    def old_worker(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            self.topic,
            bootstrap_servers=self.settings.bootstrap,
            group_id=self.old_group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def old_worker_reads(self, count: int) -> list[str]:
        """Let an old worker run so many messages and go; return their commands."""
        commands: list[str] = []
        async with self.old_worker() as consumer:
            while len(commands) < count:
                message = await consumer.getone()
                commands.append(orjson.loads(message.value)["command"])
                await consumer.commit(
                    {TopicPartition(self.topic, message.partition): message.offset + 1}
                )
        return commands

    async def put_in_force(self, job: str, schedule: str) -> datetime:
        """Publish a job as the new scheduler does; return from when it holds."""
        now = clock.now()
        publisher = Publisher(self.settings)
        await publisher.start()
        definition = Job(
            name=job,
            cluster=self.cluster,
            schedule=schedule,
            timezone="UTC",
            command="new",
            max_attempts=3,
            effective_from=now,
        )
        await publisher.publish(naming.JOBS, job, definition, partitions=self.settings.shards)
        await publisher.stop()
        return now

    async def runs(self) -> list[Run]:
        """Return all runs that stand on the cluster's log."""
        topic, found = naming.log(self.cluster), []
        async with Reader(self.settings) as reader:
            start = dict.fromkeys(range(self.settings.partitions), 0)
            async for message in reader.read(topic, start, await reader.ends(topic, start)):
                entries, refused = decode_entries(message.value)
                assert not refused
                found += [entry for entry in entries if isinstance(entry, Run)]
        return found

    async def moved(self, commands: set[str], timeout_s: float = 40) -> list[Run]:
        """Wait until each of the commands has a run, and return all runs with a cause."""
        async with asyncio.timeout(timeout_s):
            while True:
                runs = [run for run in await self.runs() if run.cause is Cause.LEGACY]
                if commands <= {str(run.command) for run in runs}:
                    return runs
                await asyncio.sleep(0.3)

    async def quarantined(self) -> list[tuple[bytes | None, str]]:
        """Return what was put aside of the old topic, with the reasons."""
        found = []
        async with Reader(self.settings) as reader:
            ends = await reader.ends(naming.QUARANTINE, [0])
            async for message in reader.read(naming.QUARANTINE, {0: 0}, ends):
                headers = {name: text.decode() for name, text in message.headers}
                if headers["topic"] == self.topic:
                    found.append((message.value, headers["reason"]))
        return found

    async def set_back(self, offset: int) -> None:
        """Let the mover's group have committed less than it has moved, as after a crash."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self.settings.bootstrap, group_id=LEGACY_GROUP
        ) as consumer:
            places = [TopicPartition(self.topic, p) for p in range(PARTITIONS)]
            consumer.assign(places)
            async with asyncio.timeout(20):
                while True:
                    try:
                        await consumer.commit(dict.fromkeys(places, offset))
                    except Exception:  # noqa: BLE001 - the killed mover is still a member
                        await asyncio.sleep(0.5)
                    else:
                        return


@pytest.fixture
async def world(broker: str, tmp_path: Path) -> AsyncIterator[World]:
    name = uuid.uuid4().hex[:8]
    cluster = f"test-{name}"
    (tmp_path / "crontab.yaml").write_text(f"version: 1\nclusters: {{{cluster}: {{}}}}\njobs: []\n")
    settings = Settings(broker=f"kafka://{broker}", partitions=4)
    await ensure_topics(
        [*installation_topics(settings), *cluster_topics(cluster, settings)], settings
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(f"old-{name}", PARTITIONS, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        world = World(settings, tmp_path, f"old-{name}", f"old-{name}-workers", cluster, producer)
        yield world
        for mover in world.movers:
            await mover.kill()
            print(*mover.lines, sep="\n")  # shown when a test fails


async def write_live(world: World, job: str, until: asyncio.Event) -> None:
    """Be the old scheduler: a run of `job` at each second, and many others between."""
    number, second = 0, clock.now().replace(microsecond=0)
    while not until.is_set():
        number += 1
        now = clock.now()
        if now >= second + timedelta(seconds=1):
            second = now.replace(microsecond=0)
            await world.write(job, second)
        await world.write(f"other-{number % 7}", now)
        await asyncio.sleep(0.05)


async def test_a_live_stream_is_moved_through_a_kill_with_each_message_run_exactly_once(
    world: World,
) -> None:
    job = f"each-second-{world.cluster}"
    for _ in range(12):
        await world.write("before", clock.now())
    run_by_the_old = set(await world.old_worker_reads(6))
    done = asyncio.Event()
    writing = asyncio.create_task(write_live(world, job, done))

    first = await world.start_mover()
    await first.says("moving partitions")
    await asyncio.sleep(3)
    in_force_from = await world.put_in_force(job, "@every 1s")
    await asyncio.sleep(3)
    await first.kill()
    second = await world.start_mover()
    await second.says("moving partitions")
    await asyncio.sleep(4)
    done.set()
    await writing

    left = {
        message["command"]
        for message in world.written
        if message["job"] == job
        and datetime.fromisoformat(message["scheduled_at"]) >= in_force_from
    }
    everything = {message["command"] for message in world.written}
    runs = await world.moved(everything - left - run_by_the_old)
    times = Counter(str(run.command) for run in runs)
    assert set(times) == everything - left - run_by_the_old
    assert set(times.values()) == {1}
    assert len(left) >= 5
    assert {run.max_attempts for run in runs if run.job != job} == {1}


async def test_what_was_published_but_not_committed_is_not_published_again(world: World) -> None:
    for _ in range(30):
        await world.write("backup", clock.now())
    old = await world.old_worker_reads(1)
    commands = {message["command"] for message in world.written} - set(old)
    first = await world.start_mover()
    await world.moved(commands)
    await first.kill()
    await world.set_back(1)

    second = await world.start_mover()
    await second.says("lag 0")
    last = await world.write("backup", clock.now())
    runs = await world.moved(commands | {last})

    assert "27 runs from there on were moved before" in await second.says("moving partitions")
    assert set(Counter(str(run.command) for run in runs).values()) == {1}


async def test_it_waits_until_the_old_workers_have_gone(world: World) -> None:
    async with world.old_worker() as worker:
        command = await world.write("backup", clock.now())
        await worker.getone()
        await worker.commit({TopicPartition(world.topic, 0): 0})
        mover = await world.start_mover()
        await mover.says("stop the old workers")
        await asyncio.sleep(3)
        assert await world.runs() == []
    assert [run.command for run in await world.moved({command})] == [command]


async def test_malformed_messages_go_to_quarantine_and_stop_nobody(world: World) -> None:
    await world.write("backup", clock.now())
    await world.old_worker_reads(1)
    for value in (b"\xff", None, b"[]", b'{"job":"x"}'):
        await world.write_raw(value, partition=1)
    command = await world.write("backup", clock.now(), partition=1)

    mover = await world.start_mover()
    await world.moved({command})

    line = await mover.says("lag 0")
    assert "1 moved, 0 left to the new schedule, 3 refused" in line
    assert "1 tombstones skipped (tombstoned old topic)" in line
    assert [value for value, _ in await world.quarantined()] == [b"\xff", b"[]", b'{"job":"x"}']
    assert "command None" in (await world.quarantined())[-1][1]


async def test_without_any_offset_it_refuses_to_run_everything_again(world: World) -> None:
    await world.write("backup", datetime(2026, 1, 1, tzinfo=UTC))
    for group, remedy in ((False, "with --legacy-group"), (True, "check its name")):
        mover = await world.start_mover(group=group)
        assert remedy in await mover.says("fail:")
        assert await mover.process.wait() == 1
    assert await world.runs() == []
