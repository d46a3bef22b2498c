"""What a message says cannot hurt a worker."""

import asyncio
import random
from pathlib import Path

import pytest

from cronstream.core.wire.codec import encode
from cronstream.core.wire.enumerations import Cause
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import Publisher, partition_of
from cronstream.topology.reading import Reader
from tests.builders import NAMES, a_run
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

GOOD, BAD = 100, 1000


def _malformed(dice: random.Random, cluster: str) -> bytes | None:
    """Return a message of one of many kinds that no worker can use."""
    good = encode(a_run(cluster=cluster, revision=None))
    kinds: list[bytes | None] = [
        None,
        b"",
        b"\xff\xfe\x00",
        dice.randbytes(200),
        b"null",
        b"[]",
        b"[[[[1]]]]",
        b"[" * 5000,
        b'{"job": "x", "command": "true"}',
        b'{"__faust": {"ns": "cronstream.Nonsense"}}',
        b'{"__faust": {"ns": "cronstream.Run"}}',
        b'{"__faust": {"ns": "cronstream.Claimed"}, "run": 7, "version": "x"}',
        b'{"__faust": {"ns": "cronstream.Lost"}, "worker": null, "number": 1e400}',
        good[: dice.randrange(1, len(good) - 1)],
        good.replace(b'"true"', b'"\\u0000"'),
        good.replace(b'"run-now"', b'"no-cause"'),
        good.replace(b'"command"', b'"attempts_left": 9, "command"'),
        good.replace(b"2026-01-01", b"2026-13-41"),
        good.replace(cluster.encode(), b"another-cluster"),
        good.replace(b'"backup"', b'"%d"' % dice.randrange(10**9)) + b"}",
        b'{"__faust": {"ns": "cronstream.Run"}, "job": "' + b"x" * 100_000 + b'"}',
    ]
    return dice.choice(kinds)


async def test_a_thousand_malformed_messages_stop_none_of_a_hundred_good_runs(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth = a_name("poison"), Truth(tmp_path)
    config = Settings(broker=f"kafka://{broker}")
    crontab = f"version: 1\nclusters: {{{cluster}: }}\njobs: []\n"
    worker = await start_worker("--cluster", cluster, crontab=crontab)
    async with Reader(config) as reader:
        before = (await reader.ends(NAMES.quarantine, [0]))[0]
        await _mix(config, cluster, truth.command)

        await truth.wait(GOOD)

        aside = [m for m in await _quarantined(reader, before) if _topic(m) == NAMES.log(cluster)]
    assert len({line.run for line in truth.lines()}) == len(truth.lines()) == GOOD
    assert len({_place(message) for message in aside}) == len(aside) == BAD
    assert all(dict(message.headers)["reason"] for message in aside)
    assert not any("Traceback" in line or "Crashed" in line for line in worker.lines)


async def _mix(config: Settings, cluster: str, command: str) -> None:
    dice = random.Random(20260101)
    publisher = Publisher(config)
    await publisher.start()
    bad = [_malformed(dice, cluster) for _ in range(BAD)]
    sent = []
    for number in range(GOOD):
        run = a_run(
            job=f"good-{number}",
            cluster=cluster,
            command=command,
            revision=None,
            cause=Cause.RUN_NOW,
            number=number,
        )
        sent.append(publisher.publish(NAMES.log(cluster), run.job, run))
        for raw in bad[number::GOOD]:
            partition = dice.randrange(config.partitions)
            sent.append(publisher.put_raw(NAMES.log(cluster), partition, raw, {}))
    await asyncio.gather(*sent)
    await publisher.stop()


async def _quarantined(reader: Reader, start: int) -> list[LogMessage]:
    async with asyncio.timeout(30):
        while True:
            end = await reader.ends(NAMES.quarantine, [0])
            found = [m async for m in reader.read(NAMES.quarantine, {0: start}, end)]
            if len(found) >= BAD:
                return found
            await asyncio.sleep(0.2)


def _topic(message: LogMessage) -> str:
    return dict(message.headers)["topic"].decode()


def _place(message: LogMessage) -> tuple[bytes, bytes]:
    headers = dict(message.headers)
    return headers["partition"], headers["offset"]


def test_every_kind_of_malformed_message_is_in_the_mix() -> None:
    dice = random.Random(20260101)
    assert len({_malformed(dice, "c") for _ in range(BAD)}) > 20
    assert partition_of("backup", 12) in range(12)
