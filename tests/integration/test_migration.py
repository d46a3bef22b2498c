"""Moving a running installation from the old layout, on a real Kafka.

The scheduler's process moves, is killed, and is started again.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
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
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Run
from cronstream.legacy import LegacyMover
from cronstream.legacy.groups import Groups
from cronstream.settings import Settings
from cronstream.topology.publish import Ack, Publisher
from cronstream.topology.quarantine import Quarantine
from cronstream.topology.reading import Reader
from cronstream.topology.topics import cluster_topics, ensure_topics, installation_topics
from tests.builders import NAMES
from tests.integration.conftest import StartedWorker, StartWorker, a_broker

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Kafka of its own: an installation keeps the number of partitions that it has begun with."""
    with a_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


PARTITIONS = 3


@dataclass
class World:
    """An old installation and a new one beside it, on one broker."""

    settings: Settings
    start_worker: StartWorker
    topic: str
    old_group: str
    cluster: str
    producer: AIOKafkaProducer
    written: list[dict[str, Any]] = field(default_factory=list)

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
        await self.producer.send_and_wait(self.topic, value, key=b"old", partition=partition)

    def crontab(self, *jobs: str) -> str:
        """Return a crontab with this world's one cluster."""
        lines = [
            "version: 1",
            f"clusters: {{{self.cluster}: {{}}}}",
            "jobs:" if jobs else "jobs: []",
        ]
        return "\n".join([*lines, *(f"  - {job}" for job in jobs), ""])

    async def start_scheduler(self, *, group: bool = True, waits: bool = True) -> StartedWorker:
        """Start a scheduler that moves the old topic."""
        return await self.start_worker(
            *("--legacy-topic", self.topic),
            *(("--legacy-group", self.old_group) if group else ()),
            variables={"CRONSTREAM_PARTITIONS": str(self.settings.partitions)},
            waits=waits,
        )

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

    async def runs(self) -> list[Run]:
        """Return all runs that stand on the cluster's log."""
        topic, found = NAMES.log(self.cluster), []
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
            ends = await reader.ends(NAMES.quarantine, [0])
            async for message in reader.read(NAMES.quarantine, {0: 0}, ends):
                headers = {name: text.decode() for name, text in message.headers}
                if headers["topic"] == self.topic:
                    found.append((message.value, headers["reason"]))
        return found

    async def set_back(self, offset: int) -> None:
        """Let the mover's group have committed less than it has moved, as after a crash."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self.settings.bootstrap,
            group_id=NAMES.legacy_group,
            enable_auto_commit=False,
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
async def world(broker: str, start_worker: StartWorker, tmp_path: Path) -> AsyncIterator[World]:
    name = uuid.uuid4().hex[:8]
    cluster = f"test-{name}"
    settings = Settings(broker=f"kafka://{broker}", partitions=4)
    await ensure_topics(
        [*installation_topics(settings), *cluster_topics(cluster, settings)], settings
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(f"old-{name}", PARTITIONS, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        world = World(
            settings, start_worker, f"old-{name}", f"old-{name}-workers", cluster, producer
        )
        (tmp_path / "crontab.yaml").write_text(world.crontab())
        yield world


async def write_live(world: World, job: str, until: asyncio.Event) -> None:
    """Be the old scheduler: a run of `job` at each second, and others every 50 ms between."""
    second = clock.now().replace(microsecond=0)
    while not until.is_set():
        now = clock.now()
        while second <= now:
            await world.write(job, second)
            second += timedelta(seconds=1)
        await world.write(f"other-{len(world.written) % 7}", now)
        await asyncio.sleep(0.05)


async def test_a_live_stream_is_moved_through_a_kill_and_a_cut_over_each_due_time_once(
    world: World, tmp_path: Path
) -> None:
    for _ in range(12):
        await world.write("before", clock.now())
    run_by_the_old = set(await world.old_worker_reads(6))
    done = asyncio.Event()
    writing = asyncio.create_task(write_live(world, "each-second", done))

    first = await world.start_scheduler()
    await first.said("moving partitions")
    await asyncio.sleep(2.5)
    added = world.crontab('{name: each-second, schedule: "@every 1s", command: "new"}')
    (tmp_path / "crontab.yaml").write_text(
        added.replace("command:", f"cluster: {world.cluster}, command:")
    )
    await first.said("1 added")
    await asyncio.sleep(3.5)
    await first.kill()
    second = await world.start_scheduler()
    await second.said("moving partitions")
    await asyncio.sleep(4)
    done.set()
    await writing

    others = {m["command"] for m in world.written if m["job"] != "each-second"} - run_by_the_old
    moved = await world.moved(others)
    await second.said("lag 0")
    times = Counter(str(run.command) for run in await world.moved(others))
    assert others <= set(times)
    assert set(times.values()) == {1}
    assert not run_by_the_old & set(times)
    assert len(moved) > 150

    of_old = [run.scheduled_at for run in moved if run.job == "each-second"]
    of_new = {run.scheduled_at for run in await world.runs() if run.cause is None}
    written = {
        datetime.fromisoformat(m["scheduled_at"])
        for m in world.written
        if m["job"] == "each-second"
    }
    assert not of_new & set(of_old)
    assert written <= of_new | set(of_old)
    assert len(of_old) >= 3
    assert len(written & of_new) >= 5


async def test_what_was_published_but_not_committed_is_not_published_again(world: World) -> None:
    for _ in range(30):
        await world.write("backup", clock.now())
    old = await world.old_worker_reads(1)
    commands = {message["command"] for message in world.written} - set(old)
    first = await world.start_scheduler()
    await world.moved(commands)
    await first.stop()
    await world.set_back(1)

    second = await world.start_scheduler()
    assert "0 moved" in await second.said("27 moved before")
    last = await world.write("backup", clock.now())
    runs = await world.moved(commands | {last})

    assert set(Counter(str(run.command) for run in runs).values()) == {1}


class SlowPublisher(Publisher):
    """Hears of what the broker has acknowledged a second later, as over a slow network."""

    def publish(
        self, topic: str, key: str, record: Message, *, partitions: int | None = None
    ) -> asyncio.Future[Ack]:
        sent = super().publish(topic, key, record, partitions=partitions)

        async def later() -> Ack:
            await asyncio.sleep(1)
            return await sent

        return asyncio.ensure_future(later())


async def test_a_mover_that_is_stopped_has_committed_all_that_it_has_published(
    world: World, tmp_path: Path
) -> None:
    await world.write("backup", clock.now(), partition=0)
    await world.old_worker_reads(1)
    command = await world.write("backup", clock.now(), partition=0)
    world.settings.legacy_topic, world.settings.legacy_group = world.topic, world.old_group
    world.settings.crontab = tmp_path / "crontab.yaml"
    publisher = SlowPublisher(world.settings)
    await publisher.start()
    mover = LegacyMover(world.settings, publisher, Quarantine(publisher), pytest.fail)
    await mover.start()
    try:
        assert len(await world.moved({command})) == 1
    finally:
        await mover.stop()
        await publisher.stop()

    async with Groups(world.settings) as groups:
        committed = await groups.committed(NAMES.legacy_group, world.topic)
    assert committed[0].offset == 2


async def test_a_scheduler_without_a_partition_of_the_old_topic_stands_by_and_takes_over(
    world: World, tmp_path: Path
) -> None:
    world.topic += "-one"
    admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(world.topic, 1, 1)])
    await admin.close()
    await world.write("backup", clock.now(), partition=0)
    await world.old_worker_reads(1)
    world.settings.legacy_topic, world.settings.legacy_group = world.topic, world.old_group
    world.settings.crontab = tmp_path / "crontab.yaml"
    faults: list[str] = []
    publisher = Publisher(world.settings)
    await publisher.start()
    aside = Quarantine(publisher)
    movers = [LegacyMover(world.settings, publisher, aside, faults.append) for _ in range(2)]
    async with Groups(world.settings) as groups:
        for mover in movers:
            await mover.start()
        async with asyncio.timeout(20):
            while await groups.members(NAMES.legacy_group) < 2:  # noqa: ASYNC110 - a broker says it
                await asyncio.sleep(0.1)
        before = await world.write("backup", clock.now(), partition=0)
        await world.moved({before})
        for mover in movers:
            after = await world.write("backup", clock.now(), partition=0)
            await world.moved({after})
            await mover.stop()
    await publisher.stop()
    assert faults == []


async def test_it_waits_until_the_old_workers_have_gone(world: World) -> None:
    async with world.old_worker() as worker:
        command = await world.write("backup", clock.now())
        await worker.getone()
        await worker.commit({TopicPartition(world.topic, 0): 0})
        mover = await world.start_scheduler()
        await mover.said("stop the old workers")
        await asyncio.sleep(3)
        assert await world.runs() == []
    assert [run.command for run in await world.moved({command})] == [command]


async def test_when_old_workers_come_back_it_waits_and_goes_on_behind_them(world: World) -> None:
    await world.write("backup", clock.now(), partition=0)
    await world.old_worker_reads(1)
    second = await world.write("backup", clock.now(), partition=0)
    mover = await world.start_scheduler()
    await world.moved({second})
    async with world.old_worker() as worker:
        await worker.getone()
        await mover.said("stop the old workers")
        await world.write("backup", clock.now(), partition=0)
        fourth = await world.write("backup", clock.now(), partition=0)
        await worker.commit({TopicPartition(world.topic, 0): 3})  # as if it had run the third
    runs = await world.moved({fourth})
    assert {run.command for run in runs} == {second, fourth}


async def test_a_crontab_that_is_broken_holds_up_no_job_that_is_in_force(
    world: World, tmp_path: Path
) -> None:
    job = f'{{name: known, cluster: {world.cluster}, schedule: "0 0 1 1 *", command: "new"}}'
    await world.write("known", clock.now(), partition=0)
    await world.old_worker_reads(1)
    (tmp_path / "crontab.yaml").write_text(world.crontab(job))
    before = await world.start_scheduler()
    await before.said("1 added")
    await before.stop()
    (tmp_path / "crontab.yaml").write_text("version: [")
    unknown = await world.write("unknown", clock.now(), partition=1)
    known = await world.write("known", clock.now(), partition=2)

    mover = await world.start_scheduler(waits=False)
    await mover.said("old topic", "waiting: ")
    assert {run.command for run in await world.moved({known})} == {known}
    (tmp_path / "crontab.yaml").write_text(world.crontab(job))
    await world.moved({known, unknown})


async def test_malformed_messages_go_to_quarantine_and_stop_nobody(world: World) -> None:
    await world.write("backup", clock.now())
    await world.old_worker_reads(1)
    for value in (b"\xff", None, b"[]", b'{"job":"x"}'):
        await world.write_raw(value, partition=1)
    command = await world.write("backup", clock.now(), partition=1)

    mover = await world.start_scheduler()
    await world.moved({command})

    line = await mover.said("lag 0")
    assert "1 moved, 0 left to the new schedule, 3 refused" in line
    assert "1 tombstones skipped" in line
    assert [value for value, _ in await world.quarantined()] == [b"\xff", b"[]", b'{"job":"x"}']
    assert "command None" in (await world.quarantined())[-1][1]


async def test_without_any_offset_it_refuses_to_run_everything_again(world: World) -> None:
    await world.write("backup", datetime(2026, 1, 1, tzinfo=UTC))
    for group, remedy in ((False, "with --legacy-group"), (True, "check its name")):
        mover = await world.start_scheduler(group=group, waits=False)
        await mover.said(remedy)
        assert await mover.child.wait() == 1
    assert await world.runs() == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--cluster", "cluster-a", "--legacy-topic", "old"), "is for a scheduler"),
        (("--legacy-group", "old"), "needs --legacy-topic"),
    ],
)
async def test_options_that_mean_nothing_together_are_refused(
    start_worker: StartWorker, options: tuple[str, ...], reason: str
) -> None:
    worker = await start_worker(*options, waits=False)
    await worker.said(reason)
    assert await worker.child.wait() == 2
