"""What was exported goes where nobody has worked, once, however often that is tried."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from cronstream import clock
from cronstream.core.moving.export import Export
from cronstream.core.planning.cursor import Cursor, Lag, Place
from cronstream.core.wire import naming
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.enumerations import Cause, HouseState, Verdict
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Discarded, Job, Previous, Run
from cronstream.errors import BrokerError, HouseError
from cronstream.moving.arriving import Site, bring
from cronstream.moving.leaving import closed
from cronstream.settings import Settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.topics import TopicSpec
from tests.builders import NAMES, NOON, a_run, at
from tests.cli.conftest import a_job
from tests.cli.fake_broker import FakeBroker, FakePublisher, FakeReader

_ID = "e" * 32
_CURSORS = naming.changelog("cronstream-scheduler", naming.CURSORS)


class Rows:
    """Changelogs that keep the last row of each partition."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}

    def put(self, topic: str, partition: int, key: bytes, row: bytes | None) -> None:
        assert orjson.loads(key) == str(partition)
        self.rows[topic, partition] = orjson.loads(row or b"")

    async def through(self) -> None: ...


def a_former(cursor: Cursor | None = None) -> FakeBroker:
    """Return an installation with a job, a run of it that waits, and a discarded one."""
    broker = FakeBroker("cluster-a")
    broker.create(NAMES.jobs, 1)
    broker.create(_CURSORS, 1)
    broker.put(NAMES.jobs, "backup", encode(Installation(id="a" * 32)), NOON)
    broker.job(a_job(), NOON)
    if cursor is not None:
        row = orjson.dumps(cursor.to_row())
        broker.put(_CURSORS, "0", row, NOON)
    broker.log("backup", Withdrawal(job="backup", revision=1, effective_from=NOON), when=NOON)
    broker.log("backup", Level(level=LEVEL), when=NOON)
    broker.log("backup", a_run(signature="k:x"), when=NOON)
    broker.discard(Discarded(run=a_run(scheduled_at=at(9)), reason="failed", discarded_at=NOON))
    return broker


async def taken_out(broker: FakeBroker, kafka: str | None = None) -> Export:
    settings, broker.kafka = Settings(), kafka
    async with closed(FakeReader(broker), FakePublisher(broker, settings), _ID) as export:
        pass
    return export


class Latter:
    """Another Kafka, with other numbers."""

    def __init__(self, partitions: int = 5, shards: int = 2) -> None:
        self.settings = Settings(partitions=partitions, shards=shards)
        self.broker = FakeBroker()
        self.broker.kafka = "here"
        self.changelog = Rows()

    async def bring(self, export: Export) -> bool:
        async def declare(specs: Iterable[TopicSpec]) -> None:
            for spec in specs:
                if spec.name not in self.broker.topics:
                    self.broker.create(spec.name, spec.partitions)

        publisher = FakePublisher(self.broker, self.settings)
        reader = FakeReader(self.broker)
        parts = self.settings, reader, publisher, self.changelog, declare
        return await bring(export, Site(*parts, resign=self.resign))

    def resign(self, former: Run, run: Run) -> Run:
        assert former.signature
        return run.derive(signature="k:new")

    def published(self, kind: type[Message]) -> list[Any]:
        return [record for record in self.broker.published if isinstance(record, kind)]


_CURSOR = Cursor(0, at(30), taken=2)


async def test_all_that_was_live_is_there_under_its_new_numbers() -> None:
    latter = Latter()
    assert await latter.bring(await taken_out(a_former(_CURSOR)))

    [job] = latter.published(Job)
    assert job.effective_from == NOON
    assert [(x.id, x.kafka) for x in latter.published(Installation)] == [("a" * 32, "here")]
    assert [x.run.scheduled_at for x in latter.published(Discarded)] == [at(9)]
    [(place, row)] = [item for item in latter.changelog.rows.items() if "ledgers" in item[0][0]]
    [live] = row["live"]
    shard = next(n for n, log in enumerate(latter.broker.topics[NAMES.jobs]) if _has_job(log))
    offset = next(
        m.offset for m in latter.broker.topics[NAMES.jobs][shard] if b"daily" in (m.value or b"")
    )
    assert (live["run"]["revision"], live["run"]["signature"]) == (offset, "k:new")
    assert place[0] == "cronstream-cluster-a-ledgers-changelog"
    cursors = [row for (topic, _), row in latter.changelog.rows.items() if topic == _CURSORS]
    assert [(row["at"], row["shards"], row["partitions"]) for row in cursors] == [
        ("2026-01-01T12:00:30Z", 2, 5)
    ] * 2
    assert all(
        row["taken"] == len(latter.broker.topics[NAMES.jobs][row["shard"]]) - 2 for row in cursors
    )
    word = latter.published(House)[-1]
    assert (word.state, word.at) == (HouseState.OPEN, at(30))


def _has_job(log: list[Any]) -> bool:
    return any(b"daily" in (message.value or b"") for message in log)


async def test_what_no_log_had_heard_of_is_told_by_the_new_schedulers() -> None:
    former = a_former(_CURSOR)
    former.job(a_job(command="edited", effective_from=at(29)), at(29))
    latter = Latter(shards=1)
    await latter.bring(await taken_out(former))

    row = latter.changelog.rows[_CURSORS, 0]
    untold = latter.broker.topics[NAMES.jobs][0][row["taken"] :]
    assert [b"edited" in (message.value or b"") for message in untold] == [True, False, False]


async def test_an_import_that_was_broken_off_is_given_again_and_then_does_nothing() -> None:
    export, latter = await taken_out(a_former(_CURSOR)), Latter()

    def die(record: Message) -> None:
        if isinstance(record, Job):
            raise BrokerError("gone")

    latter.broker.after_publish = die
    with pytest.raises(BrokerError):
        await latter.bring(export)
    assert latter.published(House)[-1].state is HouseState.FILLING
    with pytest.raises(HouseError, match="being imported here"):
        await latter.bring(replace(export, id="f" * 32))

    latter.broker.after_publish = lambda _: None
    assert await latter.bring(export)
    count = len(latter.broker.published)
    assert not await latter.bring(export)
    assert len(latter.broker.published) == count
    with pytest.raises(HouseError, match="lives here now"):
        await latter.bring(replace(export, id="f" * 32))


async def test_an_export_goes_only_where_nobody_lives_or_has_worked() -> None:
    export = await taken_out(a_former(_CURSOR))
    latter = Latter()
    latter.broker = a_former()
    with pytest.raises(HouseError, match=r"with 1 jobs \(backup, …\): an export goes only where"):
        await latter.bring(export)
    latter.broker.topics[NAMES.jobs] = [[]]
    with pytest.raises(HouseError, match=r"cronstream.cluster-a is there and has been written to"):
        await latter.bring(export)
    latter.broker = former = a_former(_CURSOR)
    again = await taken_out(former)
    with pytest.raises(HouseError, match="this installation has moved"):
        await latter.bring(again)


async def test_an_installation_that_has_published_nothing_yet_has_no_cursors() -> None:
    latter = Latter()
    await latter.bring(await taken_out(a_former()))
    assert not [topic for topic, _ in latter.changelog.rows if topic == _CURSORS]
    assert latter.published(House)[-1].at is None


async def test_a_partition_that_is_behind_has_to_catch_up_before() -> None:
    behind = {Place("cluster-a", 1): Lag(at(0), 0)}
    former = a_former(replace(_CURSOR, behind=behind))
    with pytest.raises(HouseError, match="partition 1 of cluster cluster-a has taken nothing"):
        await taken_out(former)
    words = [record for record in former.published if isinstance(record, House)]
    assert [word.state for word in words] == [HouseState.CLOSED, HouseState.OPEN]


async def test_what_follows_in_another_cluster_has_to_be_handed_over_before() -> None:
    home = Previous("other@2026-01-01T12:00:00Z", Verdict.SUCCEEDED, 1, cluster="cluster-b")
    of = {"revision": None, "cause": Cause.CHAIN, "previous": home}
    now = clock.now()
    over, old = a_run(number=1, as_of=now, **of), a_run(number=2, as_of=NOON, **of)
    elsewhere = a_run(number=3, as_of=now, cluster="cluster-c", **of)
    former = a_former(_CURSOR)
    former.create(NAMES.chains, 12)
    for run in (old, elsewhere, a_run(), over):
        former.put(NAMES.chains, run.job, encode(run), NOON)
    with pytest.raises(HouseError, match="is not on its log yet: start the schedulers") as caught:
        await taken_out(former)
    assert over.id in str(caught.value)

    former.log("backup", over, when=NOON)
    export = await taken_out(former)
    assert "chain" in {live["run"].get("cause") for log in export.logs for live in log.live}


async def test_a_snapshot_that_is_ahead_of_its_log_is_of_another() -> None:
    former = a_former(_CURSOR)
    changelog = "cronstream-cluster-a-ledgers-changelog"
    former.create(changelog, 3)
    export = await taken_out(former)
    latter = Latter(partitions=3, shards=1)
    await latter.bring(export)
    [(place, row)] = [item for item in latter.changelog.rows.items() if item[0][0] == changelog]

    former = a_former(_CURSOR)
    former.create(changelog, 3)
    row["next_offset"] = 9
    partition = place[1]
    former.topics[changelog][partition].append(_message(changelog, partition, orjson.dumps(row)))
    with pytest.raises(HouseError, match="its snapshot was made at 9: the topic was truncated"):
        await taken_out(former)
    row["next_offset"] = "x"
    former.topics[changelog][partition][0] = _message(changelog, partition, orjson.dumps(row))
    assert (await taken_out(former)).counts["live runs"] == 1


def _message(topic: str, partition: int, value: bytes) -> LogMessage:
    return LogMessage(topic, partition, 0, NOON, b'"0"', value)
