"""When a cursor's row is worth writing; what it says is tested where plans are made."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cronstream.core.cursor import Cursor, Noted
from tests.builders import at

KEPT = Cursor(0, at(0), taken=3)
AFTER = timedelta(seconds=10)


def test_a_cursor_that_is_only_a_little_later_says_no_more() -> None:
    assert not replace(KEPT, at=at(9)).says_more(KEPT, AFTER)
    assert replace(KEPT, at=at(10)).says_more(KEPT, AFTER)


@pytest.mark.parametrize(
    "change", [{"taken": 4}, {"noted": Noted(at(1), at(2))}, {"moved": {"backup": at(0)}}]
)
def test_whatever_else_has_changed_is_worth_a_row(change: dict[str, object]) -> None:
    assert replace(KEPT, **change).says_more(KEPT, AFTER)  # type: ignore[arg-type]  # a table
