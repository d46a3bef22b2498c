"""Ledgers of partitions that others lend from are read from their last snapshots."""

import asyncio
from collections.abc import Iterable

import orjson
import pytest

from cronstream.core.ledger.rows import as_text, row_parts
from cronstream.core.protocol.lending import Others
from cronstream.core.protocol.member import Member
from cronstream.core.timing import Timing
from cronstream.core.wire.pieces import LastRow
from cronstream.errors import BrokerError
from cronstream.worker import borrowing
from cronstream.worker.borrowing import Borrowing
from cronstream.worker.loading import Loading
from cronstream.worker.snapshots import Snapshots
from cronstream.worker.tenure import Tenure
from tests.builders import NAMES, a_run, at
from tests.ledger_builders import Told


class Table:
    def __init__(self, row: LastRow | None = None, fails: Exception | None = None) -> None:
        self._row, self._fails = row, fails

    async def read_rows(self, partitions: Iterable[int], *, only_looks: bool) -> dict[int, LastRow]:
        assert only_looks
        if self._fails is not None:
            raise self._fails
        return {} if self._row is None else dict.fromkeys(partitions, self._row)


def _borrowing(table: Table) -> tuple[Borrowing, Member]:
    member = Member("w1", NAMES.topics_of("cluster-a"), Timing())
    member.others = Others(lending=frozenset({4}))
    member.wake(at(0), 100.0)
    loading = Loading(Snapshots(table), Tenure(member), pytest.fail, retry=False)
    loading.level = 4
    return Borrowing(member, loading, table), member


def _row() -> LastRow:
    told = Told()
    told.tell(a_run())
    return LastRow(as_text([orjson.dumps(part) for part in row_parts(told.ledger, 4)]))


async def test_a_ledger_is_read_once_from_its_last_snapshot() -> None:
    reading, member = _borrowing(Table(_row()))
    assert reading.look() == {4}
    assert reading.look() == set()
    told: list[bool] = []
    reading.on_read = lambda: told.append(4 in member.ledgers)
    await reading.read(4)

    assert told == [True]
    assert list(member.ledgers[4].book.live) == [a_run().id]
    assert member.ledgers[4].book.assumed == 4


@pytest.mark.parametrize("row", [None, LastRow(b"null")], ids=["no row", "a row that says nothing"])
async def test_without_a_snapshot_the_whole_log_is_to_be_read(row: LastRow | None) -> None:
    reading, member = _borrowing(Table(row))
    reading.look()
    await reading.read(4)

    assert member.ledgers[4].book.next_offset == 0


async def test_what_cannot_be_read_now_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(borrowing, "_AGAIN_S", 0.0)
    reading, member = _borrowing(Table(fails=BrokerError("no broker answers")))
    reading.look()
    async with asyncio.timeout(5):
        await reading.read(4)

    assert not member.ledgers
    assert reading.look() == {4}


async def test_others_hear_at_once_when_it_lends_from_other_partitions() -> None:
    reading, member = _borrowing(Table())
    said: list[frozenset[int]] = []
    reading.on_lending = lambda: said.append(member.lending)
    for lending in (frozenset({2}), frozenset({2}), frozenset[int]()):
        member.lending = lending
        reading.look()

    assert said == [{2}, set()]
