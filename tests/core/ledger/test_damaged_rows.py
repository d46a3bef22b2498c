"""A row that somebody has put on a changelog is a fold's, or none: it breaks nothing later."""

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from cronstream.core.ledger import row_checks
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.ledger.state import Beginning
from cronstream.core.wire.entries import Cancelled, Claimed, Entry, Heartbeat, Level, Withdrawal
from cronstream.core.wire.enumerations import Outcome, Overlap
from cronstream.errors import LevelError, MessageError
from tests.builders import a_run, at
from tests.ledger_builders import Told, beat, due

#: In the place of each value of a row.
_WRONG: list[Any] = [
    *(None, True, -2, 1.5, 2**60, "x", "", [], [1], ["a", 1, "x"], {}, {"a": 1}),
    *("2026-01-01T12:00:00", "2026-01-01T13:00:00+01:00", "0001-01-01T00:00:00+05:00"),
]


def _a_rich_row() -> dict[str, Any]:
    """Return a row with something of all that may stand in one."""
    told = Told()
    told.tell(Level(level=2))
    ended, failed, skipped = due(0), due(10, max_attempts=3), due(20)
    told.tell(ended, failed, skipped, due(30, overlap=Overlap.QUEUE), a_run(revision=None))
    told.finish(ended)
    told.finish(failed, Outcome.FAILED)
    told.start(skipped)
    told.tell(Cancelled(run=skipped.id, by="a person"))
    told.claim(due(30))
    told.edit(2, 30)
    told.tell(due(30, revision=2), beat("w2", 7))
    replayed = a_run(revision=None, number=1)
    told.tell(replayed)
    told.finish(replayed)
    told.ledger.book.beginning = Beginning(3, at(1), {"a"}, {"b"})
    row: dict[str, Any] = orjson.loads(orjson.dumps(to_row(told.ledger, 3)))
    assert all(row[name] for name in ("live", "marks", "recent", "beats", "beginning", "days"))
    return row


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value within a value, and to the value itself."""
    yield path
    inner = value if isinstance(value, dict | list) else ()
    items: Any = inner.items() if isinstance(inner, dict) else enumerate(inner)
    for key, item in items:
        yield from _places(item, (*path, key))


def _with(row: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    row = copy.deepcopy(row)
    inner = row
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    return row


def _without(row: Any, path: tuple[Any, ...]) -> Any:
    row = copy.deepcopy(row)
    inner = row
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return row


def _use(row: Any) -> bool:
    """Fold on from a row, and make another; return whether it was one."""
    try:
        ledger = from_row(row)
    except (MessageError, LevelError):
        return False
    run = due(40, revision=2)
    messages: list[list[Entry]] = [
        [beat("w1", 50), beat("w2", 8), run, Heartbeat("w3", 1)],
        [Claimed(run.id, ledger.book.next_offset, "w1", 51), Cancelled(run=due(20).id, by="b")],
        [Withdrawal("backup", 3, at(50))],
    ]
    for entries in messages:
        ledger.fold(ledger.book.next_offset, at(60), entries)
    orjson.dumps(to_row(ledger, 3))
    return True


def test_whatever_stands_in_a_row_it_is_a_fold_s_or_it_is_refused() -> None:
    row = _a_rich_row()
    assert _use(row)
    used = refused = 0
    for path in _places(row):
        changed = [_with(row, path, wrong) for wrong in _WRONG]
        for one in [*changed, _without(row, path)] if path else changed:
            is_used = _use(one)
            used, refused = used + is_used, refused + (not is_used)
    assert refused > 1000
    assert used > 100


@pytest.mark.parametrize("row", [[], 7, "row", None, {"format": 99}, {"format": 99, "now": 1}])
def test_what_is_no_row_at_all_is_damaged_whatever_level_it_claims(row: Any) -> None:
    with pytest.raises(MessageError):
        from_row(row)


def test_a_row_of_a_newer_level_is_neither_read_nor_taken_for_damaged() -> None:
    with pytest.raises(LevelError):
        from_row({**_a_rich_row(), "format": 99, "live": "of another form"})


@pytest.mark.parametrize("wrong", [-1, 1e12])
def test_a_length_of_time_that_no_crontab_can_give_is_none(wrong: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        row_checks.seconds(wrong)
