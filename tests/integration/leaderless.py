"""A Kafka of three brokers, of which one is stopped that alone has a partition of a log."""

import asyncio
import json
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from aiokafka.admin import NewTopic

from cronstream.broker.cluster import EmbeddedCluster
from cronstream.broker.guard import Guard
from cronstream.settings import Settings, settings
from cronstream.topology.publish import partition_of
from cronstream.topology.topics import cluster_topics
from tests.builders import NAMES
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.hands import AHEAD, LOOK_AHEAD_S, admin, until
from tests.integration.truth import a_name
from tests.integration.watched import Watched, start_watched


class Starts:
    """When each run of each job was started, as the commands say."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "starts"

    @property
    def command(self) -> str:
        return f"echo $CRONSTREAM_RUN_ID $(date +%s.%N) >> {self._file}"

    def of(self, job: str) -> dict[float, list[float]]:
        """Return the starts of a job's runs, by due time."""
        found: dict[float, list[float]] = {}
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            run, at = line.split(" ")
            name, _, due = run.rpartition("@")
            if name == job:
                found.setdefault(datetime.fromisoformat(due).timestamp(), []).append(float(at))
        return found

    async def due_at(self, job: str, moment: float) -> None:
        """Wait until a run of a job that was due at a moment, or later, has been started."""
        await until(lambda: any(due >= moment for due in self.of(job)))


async def without_a_leader(start: StartWorker, folder: Path) -> None:
    """One partition of a log is on one broker only, and that is stopped."""
    await asyncio.to_thread(folder.mkdir)
    with closing(Guard()) as guard:
        cache = settings().jars
        kafka = EmbeddedCluster(folder, 3, guard=guard, say=print, jar_cache=cache)
        await kafka.start()
        try:
            await _stop_one_of(kafka, start, folder)
        finally:
            await kafka.kill()


async def _stop_one_of(kafka: EmbeddedCluster, start: StartWorker, folder: Path) -> None:
    starts, [frail, sound] = Starts(folder), [a_name("frail"), a_name("sound")]
    # Not the one that leads the quorum: how long a new one takes is another case.
    stopped = next(iter(set(kafka.brokers) - {await kafka.controller()}))
    jobs = _jobs_on_both_partitions(frail)
    variables = {
        "CRONSTREAM_BROKER": kafka.url,
        "CRONSTREAM_CRONTAB": str(folder / "crontab.yaml"),
        "CRONSTREAM_DATA_DIR": str(folder / "data"),
        "CRONSTREAM_REPLICATION_FACTOR": "3",
        "CRONSTREAM_MIN_INSYNC_REPLICAS": "2",
        "CRONSTREAM_PARTITIONS": "2",
        **AHEAD,
    }
    where = {
        jobs[0]: f"{frail}",
        jobs[1]: f"{frail}",
        jobs[2]: f"{frail}, missed_grace: 3s",
        sound: f"{sound}",
    }
    (folder / "crontab.yaml").write_text(
        f"version: 1\nclusters: {{{frail}: , {sound}: }}\njobs:\n"
        + "".join(
            f"  - {{name: {job}, cluster: {more}, schedule: '@every 1s', "
            f"command: '{starts.command}'}}\n"
            for job, more in where.items()
        )
    )
    await _create_with_one_copy(kafka, frail, stopped)
    scheduler, *workers = await asyncio.gather(
        start_watched(start, variables=variables),
        start_watched(start, "--cluster", frail, variables=variables),
        start_watched(start, "--cluster", sound, variables=variables),
    )
    await asyncio.gather(*(starts.due_at(job, 0) for job in (*jobs, sound)))

    await kafka.brokers[stopped].stop()
    at = time.time()
    told = await _warning(scheduler, NAMES.log(frail))
    # Beyond what had been published before.
    others = (jobs[1], sound)
    await asyncio.gather(*(starts.due_at(job, at + LOOK_AHEAD_S + 3) for job in others))
    assert "takes nothing on partition 0 (it has no leader)" in told
    assert max(starts.of(jobs[0])) < at + LOOK_AHEAD_S

    await kafka.brokers[stopped].start()
    back = time.time()
    await scheduler.worker.said("all that was set aside has been published")
    await asyncio.gather(*(starts.due_at(job, back + 5) for job in (*jobs, sound)))
    for job in (jobs[0], *others):
        due = sorted(starts.of(job))
        assert due == [due[0] + n for n in range(len(due))], f"one of {job} is missing"
    late = {job: max(min(s) - due for due, s in starts.of(job).items()) for job in others}
    assert max(late.values()) < 10, late
    await _audit_three(kafka, jobs, starts)
    # Not without a Kafka, for which they would wait.
    await asyncio.gather(*(each.worker.kill() for each in (scheduler, *workers)))


def _jobs_on_both_partitions(name: str) -> tuple[str, str, str]:
    """Return names of jobs that go to partition 0, 1, and 0 again."""
    names = [f"{name}-{n}" for n in range(40)]
    off, strict, *_ = [each for each in names if partition_of(each, 2) == 0]
    return off, next(each for each in names if partition_of(each, 2) == 1), strict


async def _create_with_one_copy(kafka: EmbeddedCluster, cluster: str, broker: int) -> None:
    """Create a log of which partition 0 is on one broker, and partition 1 on another."""
    other = next(iter(set(kafka.brokers) - {broker}))
    [spec] = [s for s in cluster_topics(cluster, Settings()) if s.name == NAMES.log(cluster)]
    config = {**spec.full_config(Settings()), "min.insync.replicas": "1"}
    topic = NewTopic(spec.name, -1, -1, {0: [broker], 1: [other]}, config)
    async with admin(kafka.brokers[other].address) as client:
        answer: Any = await client.create_topics([topic])
    assert [code for _, code, *_ in answer.topic_errors] == [0], answer


async def _warning(scheduler: Watched, topic: str) -> str:
    """Wait until the scheduler warns of a topic on ``/health``, where its status stays 200."""
    found = list[str]()

    async def look() -> None:
        while not found:
            status, health = await scheduler.ask()
            found.extend(each for each in health.get("warnings", ()) if topic in each)
            assert status == 200 or not found, health
            await asyncio.sleep(0.3)

    async with asyncio.timeout(60):
        await look()
    return found[0]


async def _audit_three(kafka: EmbeddedCluster, jobs: Iterable[str], starts: Starts) -> None:
    off, _, strict = jobs
    status, out, err = await run_command(kafka.url, "audit", "--json", "--since", "10m")
    assert status == 0, f"{out}\n{err}"
    summary = json.loads(out.splitlines()[-1])
    missed = max(starts.of(off)) - min(starts.of(off)) + 1 - len(starts.of(strict))
    assert summary["skipped_by"].keys() == {"missed"}
    assert abs(summary["skipped_by"]["missed"] - missed) <= 2, (summary, missed)
    assert missed > 0
