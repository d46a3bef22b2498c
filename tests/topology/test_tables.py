"""Faust's tables while Kafka does not answer."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.errors import IllegalStateError, KafkaTimeoutError
from faust.types import TP

from cronstream.topology import waiting
from cronstream.topology.tables import KeptTable, PatientRecovery, PatientTables


class Consumer:
    """Tells how far changelogs go, once it has failed as it was told."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def highwaters(self, *places: Any) -> dict[Any, int]:
        if self.errors:
            raise self.errors.pop(0)
        return dict.fromkeys(places, 8)


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


async def test_a_row_goes_on_the_changelog_by_our_producer_and_not_by_faust_s() -> None:
    app = _app()
    put: list[Any] = []
    app.changelog = SimpleNamespace(put=lambda *row: put.append(row))
    table: Any = app.Table("ledgers", key_type=str, partitions=12)

    sent = table.send_changelog(3, "3", {"a": 1})

    assert put == [("test-tables-ledgers-changelog", 3, b'"3"', b'{"a":1}')]
    assert sent.message.partition == 3


async def test_a_row_is_written_only_while_a_message_is_at_work() -> None:
    with pytest.raises(TypeError, match="only while a message"):
        _app().Table("ledgers").partition_for_key("3")
