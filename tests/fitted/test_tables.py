"""Faust's tables while Kafka does not answer."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)
from faust.tables.recovery import ServiceStopped
from faust.types import TP

from cronstream.core.wire.pieces import LastRow
from cronstream.fitted.to_faust import consuming
from cronstream.fitted.to_faust.app import App
from cronstream.fitted.to_faust.tables import (
    ElsewhereTable,
    KeptTable,
    PatientRecovery,
    PatientTables,
    ViewTable,
)
from cronstream.topology import waiting


class Consumer:
    """Tells how far changelogs go, once it has failed as it was told."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def highwaters(self, *places: Any) -> dict[Any, int]:
        if self.errors:
            raise self.errors.pop(0)
        return dict.fromkeys(places, 8)


class Thread:
    """Fetches what it was given, or fails with it."""

    def __init__(self, *found: Any) -> None:
        self.found = list(found)

    async def getmany(self, *_: Any) -> Any:
        found = self.found.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def _app() -> Any:
    return faust.App("test-tables", Table=KeptTable, TableManager=PatientTables)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_AGAIN_S", 0)


async def test_a_recovery_asks_until_kafka_answers() -> None:
    recovery = _app().tables.recovery
    found: Counter[Any] = Counter()

    await recovery._build_highwaters(
        Consumer(KafkaTimeoutError(), TimeoutError()), {TP("log", 0)}, found, "x"
    )

    assert isinstance(recovery, PatientRecovery)
    assert list(found.values()) == [7]


async def test_a_recovery_whose_partitions_have_gone_gives_way_to_the_next() -> None:
    with pytest.raises(IllegalStateError):
        await _app().tables.recovery._build_highwaters(
            Consumer(IllegalStateError("gone")), set(), Counter(), "x"
        )


async def test_a_recovery_goes_on_without_an_answer_never_however_short_faust_s_limit_is() -> None:
    answer = asyncio.Event()
    waiting = asyncio.create_task(_app().tables.recovery._wait(answer.wait(), timeout=0.001))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    answer.set()
    async with asyncio.timeout(5):
        await waiting


async def test_a_recovery_that_may_not_read_ends_the_process_with_a_sentence() -> None:
    app, reasons = _app(), list[str]()
    app.fail = reasons.append
    recovery = app.tables.recovery
    for refused in (
        recovery._build_highwaters(
            Consumer(TopicAuthorizationFailedError(TP("log", 0))), {TP("log", 0)}, Counter(), "x"
        ),
        Consumer(GroupAuthorizationFailedError("workers")).highwaters(),
    ):
        with pytest.raises(ServiceStopped):
            await recovery._wait(refused)

    assert "topic log cannot be read" in reasons[0]
    assert "--group workers" in reasons[1]


async def test_another_error_of_a_recovery_is_faust_s() -> None:
    with pytest.raises(IllegalStateError):
        await _app().tables.recovery._wait(Consumer(IllegalStateError("gone")).highwaters())


def _consumer_that_is_answered(reasons: list[str], *answers: Any) -> Any:
    app: Any = App("test-consuming", broker="kafka://127.0.0.1:1")
    app.fail, consumer = reasons.append, app.consumer
    consumer._thread.thread_loop.close()
    consumer._thread = Thread(*answers)
    return consumer


async def test_a_consumer_that_may_not_read_says_so_once_and_reads_on_once_it_may(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(consuming, "_AGAIN_S", 0.0)
    refused, reasons = TopicAuthorizationFailedError("log"), list[str]()
    consumer = _consumer_that_is_answered(reasons, refused, refused, {"a": 1})

    came = [await consumer._getmany(set(), 1.0) for _ in range(3)]

    assert came == [{}, {}, {"a": 1}]
    assert reasons == []
    [line] = [record for record in caplog.records if record.name == consuming.__name__]
    assert "topic log cannot be read" in line.getMessage()


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (GroupAuthorizationFailedError("workers"), "--group workers"),
        (KafkaError("TopicAuthorizationFailedError()"), "a topic of its group cannot be read"),
    ],
)
async def test_a_consumer_that_is_no_member_any_more_ends_the_process_with_a_sentence(
    refused: KafkaError, sentence: str
) -> None:
    reasons: list[str] = []
    consumer = _consumer_that_is_answered(reasons, refused, KafkaTimeoutError())

    assert consumer.log.logger.name.startswith("faust.transport")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(consumer._getmany(set(), 1.0), 0.01)
    with pytest.raises(KafkaTimeoutError):
        await consumer._getmany(set(), 1.0)

    [reason] = reasons
    assert sentence in reason


async def test_a_recovery_restores_last_rows_and_leaves_nothing_for_faust_to_read() -> None:
    app, asked = _app(), list[Any]()

    async def read(topic: str, partitions: set[int], **_: bool) -> dict[int, LastRow]:
        asked.append((topic, partitions))
        assert recovery.restoring_since is not None
        if len(asked) == 1:
            raise KafkaTimeoutError
        return {3: LastRow(b'{"a":1}'), 5: LastRow(b"no zlib", turn=0), 6: LastRow(b"[1]")}

    app.changelog = SimpleNamespace(read=read, messages_read=7)
    ledgers: Any = app.Table("ledgers", key_type=str, partitions=12)
    ledgers.data.update({"3": {"a": 0}, "4": {"of": "another"}})
    runs = ViewTable.add(app, "runs", 12, "", {"run": {}})
    recovery, name = app.tables.recovery, ledgers.changelog_topic_name
    place, shown = TP(name, 3), TP(runs.changelog_topic_name, 3)
    recovery.add_active(ledgers, place)
    recovery.add_active(runs, shown)
    recovery.active_highwaters.update({place: 500_000, shown: 70})

    for title in ("active", "standby"):
        await recovery._build_offsets(None, {place, shown}, recovery.active_offsets, title)

    assert asked == [(name, {3})] * 2
    # What is no row is empty: whoever has the table says so, and begins again.
    assert dict(ledgers.data.items()) == {"3": {"a": 1}, "5": {}, "6": {}}
    assert runs["run"] == {}
    assert not recovery.need_recovery()
    assert (recovery.progress, recovery.restoring_since) == (7, None)


async def test_what_was_read_for_a_former_assignment_is_not_restored() -> None:
    app = _app()
    table: Any = app.Table("ledgers", key_type=str, partitions=12)
    recovery, name = app.tables.recovery, table.changelog_topic_name

    async def read(_: str, partitions: set[int], **__: bool) -> dict[int, LastRow]:
        recovery.actives_for_table[table] = {TP(name, 4)}
        return {partition: LastRow(b'{"of":%d}' % partition) for partition in partitions}

    app.changelog = SimpleNamespace(read=read)
    recovery.add_active(table, TP(name, 3))
    for _ in range(2):
        await recovery._build_offsets(None, set(), recovery.active_offsets, "active")

    assert dict(table.data.items()) == {"4": {"of": 4}}


async def test_a_row_goes_on_the_changelog_by_our_producer_and_not_by_faust_s() -> None:
    app = _app()
    put: list[Any] = []
    app.changelog = SimpleNamespace(put=lambda *row: put.append(row))
    table: Any = app.Table("ledgers", key_type=str, partitions=12)

    sent = table.send_changelog(3, "3", {"a": 1})

    assert put == [("test-tables-ledgers-changelog", 3, b'"3"', b'{"a":1}')]
    assert sent.message.partition == 3


async def test_a_row_that_somebody_else_has_is_read_in_parts_and_other_things_go_on() -> None:
    app, steps = _app(), list[str]()
    put: list[Any] = []

    def reads(partition: int, lines: list[bytes]) -> Iterator[None]:
        for line in lines:
            steps.append(f"{partition}: {line.decode()}")
            yield

    async def others() -> None:
        while True:
            steps.append("another thing")
            await asyncio.sleep(0)

    app.changelog = SimpleNamespace(put=lambda *row: put.append(row), messages_read=0)
    table = ElsewhereTable.add(app, "ledgers", 12, "", {"3": {"live": 7}})
    table.reads = reads
    packed = zlib.compress(b"a\nb\nc")

    between = asyncio.create_task(others())
    await table.restore({3: LastRow(packed, turn=0)})
    between.cancel()
    table.put(3, b"a\nb")

    told = [steps.index(f"3: {part}") for part in "abc"]
    assert all("another thing" in steps[a:b] for a, b in pairwise(told))
    assert app.tables.recovery.progress == 3
    assert table["3"] == {"live": 7}
    assert put == [("test-tables-ledgers-changelog", 3, b'"3"', b"a\nb")]


async def test_a_row_is_written_only_while_a_message_is_at_work() -> None:
    with pytest.raises(TypeError, match="only while a message"):
        _app().Table("ledgers").partition_for_key("3")
