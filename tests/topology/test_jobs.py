"""The ``jobs`` topic is read from what is kept of it on, if that is of this topic."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from cronstream.core.trust.judging import TRUSTED, Judgement, Standing
from cronstream.core.wire.codec import encode
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.pieces import LastRow
from cronstream.errors import CronstreamError
from cronstream.topology import jobs
from cronstream.topology.jobs import JobsLog
from tests.builders import NAMES, at
from tests.scheduler.fakes import FakeBroker, FakeClock, FakeReader, a_job


class Kafka:
    """Two partitions of ``jobs``, and what is kept of them."""

    def __init__(self) -> None:
        self.broker = FakeBroker(FakeClock())
        self.kept: dict[int, dict[str, Any]] = {}
        self.moved: list[int] = []

    def define(self, *numbers: int) -> None:
        for number in numbers:
            job = a_job(f"job-{number % 3}", effective_from=at(number))
            self.broker.put(NAMES.jobs, number % 2, encode(job))

    def log(self) -> tuple[JobsLog, FakeReader]:
        """The topic as a process reads it that has just begun."""
        reader = FakeReader(self.broker)
        log = JobsLog(reader, self._rows, [0, 1])
        log.on_move = self.moved.append
        return log, reader

    async def _rows(self, partitions: Iterable[int]) -> dict[int, LastRow]:
        return {p: LastRow(orjson.dumps(self.kept[p])) for p in partitions if p in self.kept}

    def keep(self, partition: int, row: bytes) -> None:
        self.kept[partition] = orjson.loads(row)

    async def kept_by_another(self) -> None:
        log, _ = self.log()
        await log.read_on()
        await log.keep(self.keep)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    monkeypatch.setattr(jobs, "KEEP_EVERY", 10)
    return Kafka()


def _in_force(log: JobsLog) -> list[str]:
    return sorted(f"{job.name} {job.effective_from:%H:%M:%S}" for job in log.known.jobs)


async def test_it_is_read_from_what_is_kept_on_and_each_edit_once(kafka: Kafka) -> None:
    kafka.define(*range(40))
    await kafka.kept_by_another()
    kafka.define(40, 41)
    log, reader = kafka.log()
    kafka.moved.clear()
    await log.read_on()
    first = reader.reads
    await log.read_on()
    kafka.define(42)
    await log.read_on()

    # Of each partition what is new; and what was read last, once at first and once with the new.
    assert (first, reader.reads) == (6, 8)
    assert kafka.moved == [0, 1, 0]
    whole = Kafka()
    whole.define(*range(43))
    other, _ = whole.log()
    await other.read_on()
    assert _in_force(log) == _in_force(other)


async def test_it_is_kept_again_once_as_much_has_come_as_there_are_jobs(kafka: Kafka) -> None:
    kafka.define(*range(18))
    log, _ = kafka.log()
    await log.read_on()
    await log.keep(kafka.keep)
    assert not kafka.kept

    kafka.define(18, 19, 20)
    await log.read_on()
    await log.keep(kafka.keep)
    assert {p: row["position"] for p, row in kafka.kept.items()} == {0: 11, 1: 10}

    kafka.define(*range(21, 30))
    await log.read_on()
    await log.keep(kafka.keep)
    assert {p: row["position"] for p, row in kafka.kept.items()} == {0: 11, 1: 10}


async def test_a_short_topic_is_read_without_asking_what_is_kept(kafka: Kafka) -> None:
    kafka.define(*range(20))
    kafka.kept = {0: {"damaged": True}, 1: {"damaged": True}}
    log, _ = kafka.log()
    await log.read_on()
    assert len(log.known.jobs) == 6


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda row: row.clear(), "it is damaged"),
        (lambda row: row.update(jobs=7), "it is damaged"),
        (lambda row: row.update(level=LEVEL + 1), "is not known here"),
        (lambda row: row.update(mark="of another topic"), "its message 19 is another"),
        (lambda row: row.update(position=21), "ends at 20, though revisions below 21"),
    ],
)
async def test_what_is_kept_of_another_topic_or_cannot_be_read_is_not_used(
    kafka: Kafka, caplog: pytest.LogCaptureFixture, damage: Any, why: str
) -> None:
    caplog.set_level(logging.INFO)
    kafka.define(*range(40))
    await kafka.kept_by_another()
    damage(kafka.kept[0])
    log, reader = kafka.log()
    await log.read_on()

    assert reader.reads in (21, 22)
    assert [recent.seen.position for recent in log.known.of.values()] == [20, 20]
    [said] = caplog.messages
    assert f"{NAMES.jobs}/0: what is kept of its jobs is not used" in said
    assert why in said


async def test_who_reads_on_sees_that_the_topic_is_another(kafka: Kafka) -> None:
    kafka.define(0, 2, 4)
    log, _ = kafka.log()
    await log.read_on()
    kafka.broker.topics[NAMES.jobs, 0].clear()
    kafka.define(6, 8, 10, 12)
    with pytest.raises(CronstreamError, match="its message 2 is another"):
        await log.read_on()
    kafka.broker.topics[NAMES.jobs, 0].clear()
    with pytest.raises(CronstreamError, match="ends at 0, though revisions below 3"):
        await log.read_on()
    kafka.define(0, 2, 4, 6)
    await log.read_on()
    assert log.known.of[0].seen.position == 4


async def test_a_row_that_is_no_json_is_not_used(kafka: Kafka) -> None:
    kafka.define(*range(40))

    async def rows(_: Iterable[int]) -> dict[int, LastRow]:
        return {0: LastRow(b"{"), 1: LastRow(b"packed", 1)}

    log = JobsLog(FakeReader(kafka.broker), rows, [0, 1])
    await log.read_on()
    assert [recent.seen.position for recent in log.known.of.values()] == [20, 20]


async def test_it_is_read_in_parts_and_whoever_wants_less_waits_for_no_more(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PART", 3)
    kafka.define(*range(40))
    log, _ = kafka.log()
    recent = await log.read_to(1, 5)
    assert (recent.position, log.known.of[0].position) == (6, 6)
    whole, some = await asyncio.gather(log.read_on(), log.read_to(0, 10))
    assert [of.position for of in whole.of.values()] == [20, 20]
    assert some.position >= 10
    assert kafka.moved.count(0) == kafka.moved.count(1) == 20


async def test_what_did_not_count_counts_once_all_is_read_again(kafka: Kafka) -> None:
    kafka.define(0, 1, 2)
    log, _ = kafka.log()
    log.judge = lambda _: Judgement(
        Standing.UNKNOWN_KEY, "unknown-key", "its key is not known", "k"
    )
    await log.read_on()
    log.judge = lambda _: TRUSTED
    await log.read_on()
    assert _in_force(log) == []

    log.begin_again()
    await log.read_on()

    assert len(_in_force(log)) == 3
