"""An installation moves, twice, with a live stream of jobs: nothing is lost or doubled."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role
from cronstream.core.wire.times import format_time
from cronstream.settings import Settings
from cronstream.topology.reading import Reader
from cronstream.topology.topics import ensure_topics, topics_of
from tests.builders import NAMES
from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker, a_broker
from tests.integration.hands import admin
from tests.integration.truth import Truth

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

#: How often each job is due, in seconds.
_EVERY = {"steady": 1, "once": 1, "failing": 2, "doomed": 3, "alone": 1, "long": 6, "patient": 9}
_ROLES = ((), ("--cluster", "house"), ("--cluster", "house", "--retry"))
_VERDICTS = ("succeeded", "discarded", "skipped")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Kafka that is moved from: nobody works there any more after that."""
    with a_broker(tmp_path_factory.mktemp("former")) as address:
        yield address


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Kafka that is moved to."""
    with a_broker(tmp_path_factory.mktemp("other")) as address:
        yield address


def _crontab(truth: Truth) -> str:
    told = truth.command
    jobs = {
        "steady": told,
        "once": told,
        "failing": f"{told}; test $CRONSTREAM_ATTEMPT -ge 3",
        "doomed": f"{told}; exit 3",
        "alone": f"{told}; sleep 1.5",
        "long": f"{told}; sleep 5",
        "patient": f"{told}; test $CRONSTREAM_ATTEMPT -ge 2",
    }
    more = {
        "once": "delivery: at_most_once",
        "failing": "max_attempts: 3, backoff: {first: 2s, jitter: 0}",
        "doomed": "max_attempts: 2, backoff: {first: 1s}",
        "alone": "overlap: skip",
        "patient": "max_attempts: 2, backoff: {first: 25s}",
    }
    lines = [
        f"  - {{name: {name}, schedule: '@every {_EVERY[name]}s', "
        f"command: '{command}'{', ' + more[name] if name in more else ''}}}\n"
        for name, command in jobs.items()
    ]
    return "version: 1\nclusters: {house: }\ndefaults: {cluster: house}\njobs:\n" + "".join(lines)


class House:
    """The processes of one installation on one Kafka, with its numbers."""

    def __init__(self, start: StartWorker, broker: str, partitions: int, shards: int) -> None:
        self.address, self.url = broker, f"kafka://{broker}"
        self._start = start
        self._variables = {
            "CRONSTREAM_BROKER": self.url,
            "CRONSTREAM_PARTITIONS": str(partitions),
            "CRONSTREAM_SHARDS": str(shards),
            "CRONSTREAM_DRAIN_S": "1",
            "CRONSTREAM_ADOPT": "0",
        }
        self.all: list[StartedWorker] = []

    async def open(self, crontab: str | None = None) -> None:
        self.all = await asyncio.gather(
            *(self._start(*r, crontab=crontab, variables=self._variables) for r in _ROLES)
        )

    async def stop(self) -> None:
        await asyncio.gather(*(process.stop() for process in self.all))

    async def refuses(self, why: str) -> bool:
        """Whether a scheduler and a worker end by themselves, with a sentence."""
        processes = await asyncio.gather(
            *(self._start(*r, variables=self._variables, waits=False) for r in _ROLES[:2])
        )
        await asyncio.gather(*(process.said(why) for process in processes))
        return all(await asyncio.gather(*(process.child.wait() for process in processes)))

    async def command(self, *arguments: str) -> str:
        """Return what a command prints that succeeds."""
        status, out, err = await run_command(self.url, *arguments, variables=self._variables)
        assert status == 0, out + err
        return out

    async def says(self, *arguments: str) -> str:
        """Return what a command says that succeeds."""
        status, out, err = await run_command(self.url, *arguments, variables=self._variables)
        assert status == 0, out + err
        return err

    async def fails(self, *arguments: str) -> str:
        """Return what a command says that fails."""
        status, out, err = await run_command(self.url, *arguments, variables=self._variables)
        assert status == 1, out + err
        return err

    async def settled(self) -> dict[str, str]:
        """Return the runs that have their verdict here, and which; no due times of one skip.

        What was imported begins on another Kafka: of that, no entry names a success.
        """
        out = await self.command("runs", "--since", "1h", "--json", "--limit", "100000")
        told = [json.loads(line) for line in out.splitlines()]
        assert not [one for one in told if one["to_at"] is not None]
        states = {one["run"]: one["state"] for one in told}
        succeeded = [r["run"] for r in told if r["partial"] and r["outcome"] == "succeeded"]
        states |= {run: "succeeded" for run in succeeded if states[run] == "unknown"}
        return {run: state for run, state in states.items() if state in _VERDICTS}

    async def delete_topics(self) -> None:
        async with admin(self.address) as client:
            topics = await _topics(client)
            await client.delete_topics(topics)
            while await _topics(client):  # noqa: ASYNC110 - the broker deletes them
                await asyncio.sleep(0.1)


async def _topics(admin: Any) -> list[str]:
    return [topic for topic in await admin.list_topics() if topic.startswith("cronstream")]


async def _mirror(former: House, latter: House) -> None:
    """Copy all topics as others would: with what was sent first there twice."""
    settings = Settings(broker=latter.url, partitions=4)
    for role in (Role.of(None, retry=False), *(Role.of("house", retry=r) for r in (False, True))):
        tables = {naming.LEDGERS: 4} if role.cluster else {naming.CURSORS: 1}
        await ensure_topics(topics_of(role, settings, tables), settings)
    async with Reader(settings) as reader:
        copied = set(await reader.topics())
    async with Reader(Settings(broker=former.url)) as reader:
        layout = {t: p for t, p in (await reader.layout()).items() if t in copied}
        places = [TopicPartition(topic, p) for topic, there in layout.items() for p in there]
        spans = await reader.spans(places, None)
        async with AIOKafkaProducer(bootstrap_servers=latter.address) as producer:
            async for m in reader.read_all(spans):
                is_first = m.offset == spans[TopicPartition(m.topic, m.partition)][0]
                times = 2 if is_first and m.topic in (NAMES.jobs, NAMES.log("house")) else 1
                for _ in range(times):
                    await producer.send(m.topic, m.value, key=m.key, partition=m.partition)


async def _until_over(house: House, due: set[str]) -> dict[str, str]:
    """Return the verdicts once there is one of each of these runs."""
    deadline = clock.monotonic() + 90
    while missing := due - (settled := await house.settled()).keys():
        if clock.monotonic() > deadline:
            pytest.fail(f"without a verdict: {sorted(missing)}")
        await asyncio.sleep(2)
    return settled


def _due(run: str) -> datetime:
    return datetime.fromisoformat(run.partition("@")[2])


def _asked(seen: set[str], until: datetime) -> set[str]:
    """Return every run that was asked for, from the first due time of each job on."""
    asked = set[str]()
    for job, seconds in _EVERY.items():
        due = min(_due(run) for run in seen if run.startswith(f"{job}@"))
        while due <= until:
            asked.add(f"{job}@{format_time(due)}")
            due += timedelta(seconds=seconds)
    return asked


def _see_that_nothing_is_doubled(truth: Truth, settled: list[dict[str, str]]) -> None:
    """Each attempt was started once, in order; each run has one verdict."""
    attempts = defaultdict[str, list[int]](list)
    for line in truth.lines():
        attempts[line.run].append(line.attempt)
    for run, made in attempts.items():
        assert made == sorted(set(made)), (run, made)
        assert len(made) == 1 or not run.startswith("once@"), (run, made)
    for one, another in combinations(settled, 2):
        # The discarded runs that nobody has replayed come along, and are listed in each house.
        twice = {run: (one[run], another[run]) for run in one.keys() & another}
        assert set(twice.values()) <= {("discarded", "discarded")}, twice


async def test_an_installation_moves_to_another_kafka_and_from_a_copy_to_more_partitions(
    broker: str, other: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    truth = Truth(tmp_path)
    first, second, third = (
        House(start_worker, where, partitions, shards)
        for where, partitions, shards in ((broker, 4, 1), (other, 4, 1), (broker, 7, 2))
    )
    files = [str(tmp_path / f"{number}.export") for number in range(3)]
    await first.open(_crontab(truth))
    await truth.wait(2, "long")
    scheduler, worker, retry_worker = first.all
    # What it holds is left as it stands: of some nobody can tell whether it has started.
    await asyncio.gather(scheduler.stop(), worker.kill(), retry_worker.stop())
    await first.command("move-out", files[0])
    await second.command("move-in", files[0])
    await second.open()
    settled = [await first.settled()]
    assert await first.refuses("this installation has moved")
    assert "Clean" in await first.command("audit", "--since", "1h")
    await truth.wait(len(truth.lines("long")) + 2, "long")
    assert "still there" in await second.fails("move-out", files[1])
    await second.stop()

    await first.delete_topics()
    await _mirror(second, first)
    assert await first.refuses("these topics were copied from another Kafka")
    await asyncio.gather(first.command("move-out", files[1]), second.command("move-out", files[2]))
    assert "Clean" in await second.command("audit", "--since", "1h")
    settled.append(await second.settled())

    await first.delete_topics()
    await third.command("move-in", files[1])
    assert "imported before" in await third.says("move-in", files[1])
    assert "lives here now" in await third.fails("move-in", files[0])
    await third.open()
    seen = {*settled[0], *settled[1], *(line.run for line in truth.lines())}
    asked = _asked(seen, clock.now())
    settled.append(await _until_over(third, asked - settled[0].keys() - settled[1].keys()))

    assert asked <= {run for there in settled for run in there}
    _see_that_nothing_is_doubled(truth, settled)
    assert "Clean" in await third.command("audit", "--since", "1h")
