"""When a partition's fold is written down, and how it comes back."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import orjson
import pytest

from cronstream import clock
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import PART, row_parts, to_row
from cronstream.core.wire.entries import Heartbeat, Withdrawal
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.pieces import WHOLE_BYTES
from cronstream.errors import LevelError, MessageError
from cronstream.worker import snapshots as snapshots_module
from cronstream.worker.snapshots import Snapshots
from tests.builders import a_run, at
from tests.ledger_builders import due

#: Runs of which a row is far more than one part.
MANY = 5 * PART


class FakeTable:
    """Remembers what was put on the changelog, as far as snapshots use a table."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def put(self, partition: int, row: bytes) -> None:
        self.sent.append((partition, row))


def _folded(messages: int) -> Ledger:
    ledger = Ledger(retry=False)
    for offset in range(messages):
        ledger.fold(offset, at(offset), [Heartbeat(worker="w1", number=offset + 1)])
    return ledger


def _with_runs(number: int) -> Ledger:
    ledger = Ledger(retry=False)
    ledger.fold(0, at(0), [Withdrawal(job="backup", revision=1, effective_from=at(0))])
    ledger.fold(1, at(0), [due(second) for second in range(1, number + 1)])
    assert len(ledger.book.live) == number
    return ledger


def _slow() -> Callable[[], float]:
    """Return a clock by which each part of a snapshot takes a second."""
    seconds: Iterator[int] = count()
    return lambda: float(next(seconds))


def _due(ledger: Ledger, monotonic: Callable[[], float] = clock.monotonic) -> Snapshots:
    """Return what writes partition 4 for the first time in its next turn."""
    snapshots = Snapshots(FakeTable(), monotonic=monotonic)
    snapshots.load(4, retry=False)
    assert snapshots.write_due({4: ledger}, 1.0) is None
    return snapshots


def _written(snapshots: Snapshots, ledger: Ledger) -> tuple[bytes, int]:
    """Have partition 4 written; return its row, and in how many turns that was."""
    turns = next(
        turn for turn in count(1) if snapshots.write_due({4: ledger}, 1000.0 * turn) is not None
    )
    [(partition, row)] = snapshots._table.sent
    assert partition == 4
    return row, turns


def _loaded(lines: list[bytes], held: tuple[int, ...] = ()) -> Ledger:
    snapshots = Snapshots(FakeTable(), held)
    for _ in snapshots.read(4, lines):
        pass
    return snapshots.load(4, retry=False)


def test_a_partition_without_a_snapshot_starts_empty() -> None:
    ledger = Snapshots(FakeTable()).load(4, retry=True)

    assert (ledger.book.next_offset, ledger.book.retry) == (0, True)


def test_what_was_written_is_what_the_next_owner_loads() -> None:
    ledger = _folded(3)

    row, turns = _written(_due(ledger), ledger)
    loaded = _loaded([row])

    assert turns == 1
    assert (loaded.book.next_offset, loaded.book.beats["w1"].number) == (3, 3)


def test_a_snapshot_of_many_runs_is_made_a_part_in_each_turn_and_is_of_one_offset() -> None:
    ledger = _with_runs(MANY)
    snapshots = _due(ledger, _slow())
    then = orjson.loads(orjson.dumps(to_row(ledger, 4)))

    assert snapshots.write_due({4: ledger}, 100.0) is None
    # What happens while it is made is not in it.
    for second in range(1, 100):
        ledger.book.remove(due(second).id)
    ledger.book.live[due(MANY).id].begun = True
    ledger.book.mark("backup").settled[at(7)] = Verdict.SUCCEEDED
    ledger.fold(2, at(1), [Heartbeat(worker="w1", number=1), due(MANY + 1)])
    row, turns = _written(snapshots, ledger)

    assert turns >= MANY / PART - 1
    assert orjson.loads(orjson.dumps(to_row(_loaded(row.split(b"\n")), 4))) == then


def test_a_row_is_read_a_part_in_each_step_and_what_is_not_whole_is_nothing() -> None:
    ledger = _with_runs(MANY)
    lines = _written(_due(ledger), ledger)[0].split(b"\n")
    snapshots = Snapshots(FakeTable())

    steps = snapshots.read(4, lines)
    for _ in range(3):
        next(steps)
    assert snapshots.load(4, retry=False).book.next_offset == 0

    assert len(list(snapshots.read(4, lines))) >= MANY / PART - 1
    assert len(snapshots.load(4, retry=False).book.live) == MANY


def test_a_small_row_is_one_json_value_for_whoever_knows_of_no_parts() -> None:
    ledger = _folded(1)
    for number in range(PART + 1):
        ledger.book.mark(f"j{number}")

    row, _ = _written(_due(ledger), ledger)

    assert len(list(row_parts(ledger, 4))) == 2
    assert orjson.loads(row) == orjson.loads(orjson.dumps(to_row(ledger, 4)))
    assert len(row) <= WHOLE_BYTES


def test_of_a_partition_that_is_held_nothing_is_read_unless_it_is_let_go() -> None:
    row = orjson.dumps(to_row(_folded(3), 4))
    snapshots = Snapshots(FakeTable(), {4})
    assert list(snapshots.read(4, [row])) == []
    assert snapshots.load(4, retry=False).book.next_offset == 3

    assert list(snapshots.read(4, [row])) == []
    snapshots.forget()
    assert snapshots.load(4, retry=False).book.next_offset == 0


def test_a_snapshot_of_a_partition_that_has_gone_is_given_up() -> None:
    gone, kept = _with_runs(MANY), _folded(0)
    snapshots = _due(gone, _slow())
    snapshots.write_due({5: kept}, 1.0)
    assert snapshots.write_due({4: gone, 5: kept}, 100.0) is None

    kept.fold(0, at(0), [])

    assert snapshots.write_due({5: kept}, 1000.0) is None
    assert snapshots.write_due({5: kept}, 2000.0) == 5
    assert [partition for partition, _ in snapshots._table.sent] == [5]


def test_a_few_messages_are_not_written_before_their_time() -> None:
    table, ledger = FakeTable(), _folded(0)
    snapshots = Snapshots(table, monotonic=lambda: 0.0)
    assert snapshots.write_due({0: ledger}, 10.0) is None

    ledger.fold(0, at(0), [Heartbeat(worker="w1", number=1)])

    assert snapshots.write_due({0: ledger}, 39.0) is None
    assert snapshots.write_due({0: ledger}, 40.0) == 0
    assert snapshots.write_due({0: ledger}, 80.0) is None


def test_many_messages_are_written_at_once() -> None:
    table, ledger = FakeTable(), _folded(0)
    snapshots = Snapshots(table, monotonic=lambda: 0.0)
    snapshots.write_due({0: ledger}, 10.0)
    for offset in range(1001):
        ledger.fold(offset, at(offset), [])

    assert snapshots.write_due({0: ledger}, 10.1) == 0


def test_snapshots_take_only_a_small_part_of_the_time_and_the_oldest_goes_first() -> None:
    ledgers = {partition: _folded(0) for partition in range(3)}
    table = FakeTable()
    snapshots = Snapshots(table, monotonic=lambda: float(len(table.sent)))  # A second each.
    snapshots.write_due(ledgers, 10.0)
    for ledger in ledgers.values():
        ledger.fold(0, at(0), [])

    written = []
    for mono in range(40, 130):
        number = snapshots.write_due(ledgers, float(mono))
        written += [] if number is None else [(mono, number)]
        for ledger in ledgers.values():
            ledger.fold(ledger.book.next_offset, at(mono), [])

    assert written == [(40, 0), (60, 1), (80, 2), (100, 0), (120, 1)]


def test_a_snapshot_that_cannot_be_written_is_told_and_ends_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> Iterator[Any]:
        yield {"live": object()}

    table, ledger = FakeTable(), _folded(3)
    snapshots = Snapshots(table)
    snapshots.write_due({4: ledger}, 10.0)
    monkeypatch.setattr(snapshots_module, "row_parts", fails)
    ledger.fold(3, at(3), [])

    assert snapshots.write_due({4: ledger}, 40.0) == 4
    assert snapshots.write_due({4: ledger}, 40.1) is None

    assert not table.sent
    assert caplog.messages == [
        "partition 4: its snapshot cannot be written, and the one before it stays (0 live runs)"
    ]


def test_a_row_of_another_form_or_level_is_refused() -> None:
    with pytest.raises(MessageError, match="format 0"):
        _loaded([b'{"format":0}'])
    with pytest.raises(MessageError, match="damaged"):
        _loaded([b"no json"])
    with pytest.raises(LevelError, match="level 8"):
        _loaded([orjson.dumps({**to_row(_folded(1), 4), "format": 9})])


def test_a_run_with_all_it_can_have_comes_back() -> None:
    ledger = _with_runs(1)
    ledger.book.live[due(1).id].successor = a_run(revision=2)
    row = orjson.dumps(to_row(ledger, 4))

    assert _loaded([row], held=(4,)).book.live[due(1).id].successor == a_run(revision=2)
