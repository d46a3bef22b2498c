"""Rows of tables, cut into pieces that any broker takes, and put together again."""

import random
import zlib
from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from cronstream.core.wire.pieces import PIECE_BYTES, WHOLE_BYTES, LastRow, RowSearch, cut

KEY = b'"3"'


def large(number: int, size: int = 1_500_000) -> dict[str, Any]:
    """A row that does not get much smaller."""
    return {"number": number, "noise": random.Random(number).randbytes(size // 2).hex()}


def pieces(row: dict[str, Any], turn: int = 0) -> list[tuple[bytes, bytes]]:
    return list(cut(KEY, orjson.dumps(row), turn).items())


def found(messages: Iterable[tuple[bytes | None, bytes | None]]) -> Any:
    return found_in(enumerate(messages))


def found_in(messages: Iterable[tuple[int, tuple[bytes | None, bytes | None]]]) -> Any:
    """Return the row that is found, and the set of its pieces; None if none is."""
    search = RowSearch()
    for offset, (key, value) in messages:
        search.fold(offset, key, value)
    row = search.found
    if row is None:
        return None
    [line] = row.lines()
    return None if row.text is None else orjson.loads(line), row.turn


def test_a_small_row_is_a_message_as_it_always_was() -> None:
    assert cut(KEY, b"{}", 1) == {KEY: b"{}"}
    assert found([(KEY, b'{"a":1}'), (KEY, b'{"a":2}')]) == ({"a": 2}, None)


def test_a_large_row_goes_in_pieces_that_any_broker_takes_and_comes_back_whole() -> None:
    row = large(1)
    messages = pieces(row, turn=5)

    assert len(messages) == 2
    assert all(len(value) < 900_000 for _, value in messages)
    assert [key for key, _ in messages] == [b'"3/1/0"', b'"3/1/1"']
    assert found(messages) == found(reversed(messages)) == (row, 1)


def test_a_row_that_gets_small_is_one_piece() -> None:
    row = {"text": "x" * (WHOLE_BYTES + 1)}

    [(_, value)] = pieces(row)

    assert len(value) < 1000 < PIECE_BYTES
    assert found([(KEY, value)]) == (row, 0)


def test_a_row_of_which_a_piece_is_missing_does_not_count() -> None:
    old, new = pieces(large(1), 0), pieces(large(2), 1)

    assert found(old + new[:-1]) == (large(1), 0)
    assert found(new[1:]) is None


def test_the_sets_take_turns_so_that_compaction_leaves_the_last_whole_row() -> None:
    written = pieces(large(1), 0) + pieces(large(2), 1) + pieces(large(3), 2)[:-1]
    compacted = {key: (key, value) for key, value in written}

    assert found(compacted.values()) == (large(2), 1)


def test_pieces_of_two_writers_do_not_mix() -> None:
    mine, zombies = pieces(large(1)), pieces(large(2))

    assert found([mine[0], zombies[1]]) is None
    assert found([mine[0], zombies[0], mine[1], zombies[1]]) == (large(2), 0)


def test_the_last_row_counts_whichever_form_it_has_and_however_it_is_read() -> None:
    one, two = (KEY, b'{"a":1}'), (KEY, b'{"a":2}')

    assert found([*pieces(large(1)), one]) == ({"a": 1}, None)
    assert found([one, *pieces(large(1))]) == (large(1), 0)
    assert found_in([(8, two), (3, one)]) == ({"a": 2}, None)


def test_a_row_that_was_deleted_is_none_and_a_piece_that_was_says_nothing() -> None:
    assert found([(KEY, b"{}"), (KEY, None)]) == (None, None)
    assert found([(KEY, b"{}"), (b'"3/1/0"', None)]) == ({}, None)
    assert found([(None, None)]) == (None, None)


@pytest.mark.parametrize(
    "value", [b"", b"{", b"3", b"[]", b'"piece"', b'["piece"]', b'{"piece":0}']
)
def test_what_is_no_row_is_passed_over(value: bytes) -> None:
    assert found([(KEY, b"{}"), (KEY, value)]) == ({}, None)


@pytest.mark.parametrize(
    "change", [{"part": "AAAA"}, {"part": "!"}, {"of": 0}, {"piece": 9}, {"digest": "0"}]
)
def test_a_piece_that_is_damaged_makes_no_row(change: dict[str, Any]) -> None:
    [(key, value)] = pieces({"text": "x" * 100_000})

    damaged = orjson.dumps({**orjson.loads(value), **change})

    assert found([(key, damaged)]) is None


def test_the_lines_of_a_large_row_come_back_one_by_one_and_damage_is_no_json() -> None:
    lines = [b'{"a":1}', b'{"text":"%s"}' % (b"x" * 100_000), b"{}"]
    [(key, value)] = cut(KEY, b"\n".join(lines), 0).items()
    search = RowSearch()
    search.fold(7, key, value)

    assert search.found is not None
    assert search.found.lines() == lines
    assert LastRow(b"no zlib", turn=1).lines() == [b"no zlib"]


def test_a_row_that_would_fill_the_memory_is_none() -> None:
    bomb = zlib.compress(b" " * 50_000_000)
    assert LastRow(bomb, turn=0).lines() == bomb.split(b"\n")
    assert LastRow(zlib.compress(b"[1]")[:-2], turn=0).lines()[0][:3] != b"[1]"
    alike = b"".join(b'{"job":"backup","state":"queued","at":%d}' % n for n in range(10_000))
    assert LastRow(zlib.compress(alike), turn=0).lines() == [alike]
