"""When a partition's fold is written down, and how it comes back."""

from typing import Any

import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.records import Heartbeat
from cronstream.errors import MessageError
from cronstream.worker import snapshots as snapshots_module
from cronstream.worker.snapshots import Snapshots
from tests.builders import at


class FakeTable:
    """A Faust table as far as snapshots use one."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.sent: list[tuple[int, str, Any]] = []

    def get(self, key: str) -> Any:
        return self.data.get(key)

    def send_changelog(self, partition: int, key: str, row: Any) -> None:
        self.sent.append((partition, key, row))


def _folded(messages: int) -> Ledger:
    ledger = Ledger(retry=False)
    for offset in range(messages):
        ledger.take(offset, at(offset), [Heartbeat(worker="w1", number=offset + 1)])
    return ledger


def test_a_partition_without_a_snapshot_starts_empty() -> None:
    assert Snapshots(FakeTable()).load(4, retry=True).next_offset == 0


def test_what_was_written_is_what_the_next_owner_loads() -> None:
    table = FakeTable()
    Snapshots(table).write(4, _folded(3), 10.0)

    loaded = Snapshots(table).load(4, retry=False)

    assert (loaded.next_offset, loaded.beats["w1"].number) == (3, 3)
    assert table.sent[0][:2] == (4, "4")


def test_a_few_messages_are_not_written_before_their_time() -> None:
    table, ledger = FakeTable(), _folded(0)
    snapshots = Snapshots(table)
    assert not snapshots.write_due({0: ledger}, 10.0)

    ledger.take(0, at(0), [Heartbeat(worker="w1", number=1)])

    assert not snapshots.write_due({0: ledger}, 39.0)
    assert snapshots.write_due({0: ledger}, 40.0)
    assert not snapshots.write_due({0: ledger}, 80.0)


def test_many_messages_are_written_at_once() -> None:
    table, ledger = FakeTable(), _folded(0)
    snapshots = Snapshots(table)
    snapshots.write_due({0: ledger}, 10.0)
    for offset in range(1001):
        ledger.take(offset, at(offset), [])

    assert snapshots.write_due({0: ledger}, 10.1)


def test_snapshots_take_only_a_small_part_of_the_time_and_the_oldest_goes_first() -> None:
    seconds = iter(range(100))  # Each takes a second.
    table, ledgers = FakeTable(), {partition: _folded(0) for partition in range(3)}
    snapshots = Snapshots(table, monotonic=lambda: next(seconds))
    snapshots.write_due(ledgers, 10.0)
    for ledger in ledgers.values():
        ledger.take(0, at(0), [])

    written = []
    for mono in range(40, 130):
        written += [(mono, number) for number in snapshots.write_due(ledgers, float(mono))]
        for ledger in ledgers.values():
            ledger.take(ledger.next_offset, at(mono), [])

    assert written == [(40, 0), (60, 1), (80, 2), (100, 0), (120, 1)]


def test_a_snapshot_that_cannot_be_written_is_told_and_ends_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no row")

    table, ledger = FakeTable(), _folded(3)
    snapshots = Snapshots(table)
    snapshots.write_due({4: ledger}, 10.0)
    monkeypatch.setattr(snapshots_module, "to_row", fails)
    ledger.take(3, at(3), [])

    assert snapshots.write_due({4: ledger}, 40.0)
    assert not snapshots.write_due({4: ledger}, 40.1)

    assert not table.sent
    assert caplog.messages == [
        "partition 4: its snapshot cannot be written, and the one before it stays (0 live runs)"
    ]


def test_a_row_of_another_form_is_refused() -> None:
    table = FakeTable()
    table.data["0"] = {"format": 0}

    with pytest.raises(MessageError, match="format 0"):
        Snapshots(table).load(0, retry=False)
