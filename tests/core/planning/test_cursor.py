"""When a cursor's row is worth writing; what it says is tested where plans are made."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cronstream.core.planning.cursor import Cursor, Lag, Noted, Place
from cronstream.core.planning.pace import Course
from tests.builders import at

KEPT = Cursor(0, at(0), taken=3)
AFTER = timedelta(seconds=10)


def test_a_cursor_that_is_only_a_little_later_says_no_more() -> None:
    assert not replace(KEPT, at=at(9)).says_more(KEPT, AFTER)
    assert replace(KEPT, at=at(10)).says_more(KEPT, AFTER)


@pytest.mark.parametrize(
    "change",
    [
        {"course": Course(at(0), at(0))},
        {"taken": 4},
        {"noted": Noted(at(1), at(2))},
        {"moved": {"backup": at(0)}},
    ],
)
def test_whatever_else_has_changed_is_worth_a_row(change: dict[str, object]) -> None:
    assert replace(KEPT, **change).says_more(KEPT, AFTER)  # type: ignore[arg-type]  # a table


def test_a_cursor_is_far_ahead_if_no_right_clock_can_have_moved_it_there() -> None:
    assert KEPT.is_ahead(at(-301))
    assert not KEPT.is_ahead(at(-300))


def test_set_back_nothing_of_it_is_beyond_a_time() -> None:
    place = Place("a", 3)
    ahead = Cursor(
        0,
        at(7200),
        taken=3,
        noted=Noted(at(7200), at(7100)),
        moved={"backup": at(7000), "report": at(1)},
        behind={place: Lag(at(6000), 2, Noted(at(7200), at(7000)))},
        holds={2: at(7000)},
        course=Course(at(7000), at(7300)),
    )

    assert ahead.set_back(at(5)) == Cursor(
        0,
        at(5),
        taken=3,
        moved={"backup": at(5), "report": at(1)},
        behind={place: Lag(at(5), 2)},
        holds={2: at(5)},
    )


def test_one_that_is_not_beyond_it_stays() -> None:
    assert KEPT.set_back(at(60)) == KEPT


def test_how_far_a_catch_up_has_come_goes_through_a_row() -> None:
    course = Course(at(0), at(9), (("backup", at(10)),))
    behind = {Place("a", 0): Lag(at(1), 2, course=course._replace(since=None))}
    cursor = Cursor(0, at(5), 3, behind=behind, course=course)

    assert Cursor.from_row(cursor.to_row()) == cursor
    assert cursor.behind_since == at(0)


def test_starts_that_are_over_are_not_worth_a_row() -> None:
    assert not replace(KEPT, course=Course(None, at(1))).says_more(KEPT, timedelta(seconds=1))
