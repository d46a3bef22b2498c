"""What a clock that all machines shared has left behind when it was hours ahead, and is right."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.times import format_time
from cronstream.history.live import LiveLedger
from cronstream.settings import Settings
from cronstream.topology.changelog import Changelog
from cronstream.topology.publish import partition_of
from cronstream.topology.reading import Reader
from tests.builders import NAMES
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

_AHEAD = timedelta(hours=3)


async def _move_the_cursor(settings: Settings, ahead: datetime) -> None:
    """Write what a scheduler has written whose clock was ahead."""
    topic = NAMES.cursors
    changelog = Changelog(settings)
    await changelog.start()
    [row] = (await changelog.read(topic, [0])).values()
    cursor: dict[str, Any] = orjson.loads(row.lines()[0])
    moved = orjson.dumps({**cursor, "at": format_time(ahead)})
    changelog.put(topic, 0, b'"0"', moved)
    await changelog.stop(30.0)


async def _publish_ahead(settings: Settings, job: str, ahead: datetime) -> None:
    """Have all due times until then count as published, and over."""
    async with Reader(settings) as reader:
        live = await LiveLedger.of_job(reader, job, job)
    assert live is not None
    [*_, (revision, _)] = live.ledger.book.mark(job).revisions
    now = datetime.now(UTC)
    skip = Skip(job, revision, SkipReason.PAUSED, from_at=now, to_at=ahead, count=1)
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        place = job.encode(), live.partition
        await producer.send_and_wait(NAMES.log(job), encode(skip), *place)


async def test_a_clock_that_was_hours_ahead_is_over_at_once_but_for_what_a_person_decides(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    name, truth = a_name("clock"), Truth(tmp_path)
    settings = Settings(broker=f"kafka://{broker}")
    crontab = f"""
version: 1
clusters: {{{name}: }}
jobs: [{{name: "{name}", cluster: {name}, schedule: "@every 1s", command: '{truth.command}'}}]
"""
    scheduler, worker = await asyncio.gather(
        start_worker(crontab=crontab), start_worker("--cluster", name)
    )
    await truth.wait(1)
    await scheduler.stop()
    ahead = datetime.now(UTC) + _AHEAD
    await asyncio.gather(_move_the_cursor(settings, ahead), _publish_ahead(settings, name, ahead))

    scheduler = await start_worker()
    await scheduler.said("the clock was ahead before; it goes on from now")
    await worker.said("they count as made already, by a clock that was ahead")

    place = f"cronstream.{name}/{partition_of(name, settings.partitions)}: due times of job"
    status, told, _ = await run_command(broker, "doctor")
    assert status == 1
    assert place in told

    status, out, err = await run_command(broker, "repair", "--yes", "--json")
    assert status == 0, err
    [row] = [found for found in map(json.loads, out.splitlines()) if name in found["jobs"]]
    assert row["repaired"]
    assert place not in (await run_command(broker, "doctor"))[1]
