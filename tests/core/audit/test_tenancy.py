"""An audit holds an installation that has moved only to what was its own."""

import pytest

from cronstream.core.audit.finding import Kind, Window
from cronstream.core.audit.tenancy import own
from cronstream.core.planning.pauses import TICK
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House
from tests.builders import at
from tests.core.audit.books import Books, due_at

_WINDOW = Window(at(0), at(100))
_IN = House(state=HouseState.OPEN, export="e", at=at(10))
_OUT = House(state=HouseState.CLOSED, export="f", at=at(60))


def test_a_house_that_nobody_has_moved_in_or_out_is_audited_as_it_was_asked() -> None:
    assert own(_WINDOW, []) == (_WINDOW, [])
    assert own(_WINDOW, [House(state=HouseState.FILLING, export="e")]) == (_WINDOW, [])


def test_what_was_due_before_an_import_and_after_an_export_is_left_out() -> None:
    window, reasons = own(_WINDOW, [_IN, _OUT])
    assert (window.since, window.until, window.has_moved) == (at(10) + TICK, at(60), True)
    assert reasons == [
        "due times up to 2026-01-01 12:00:10Z were left to the Kafka that it has moved from",
        "due times after 2026-01-01 12:01:00Z were left to the Kafka that it has moved to",
    ]


@pytest.mark.parametrize("last", [
    House(state=HouseState.OPEN, export="f"),
    House(state=HouseState.CLOSED, export="f", at=at(200)),
])  # fmt: skip
def test_an_export_that_was_taken_back_leaves_nothing_out(last: House) -> None:
    window, reasons = own(_WINDOW, [_IN, _OUT, last])
    assert (window.since, window.until, len(reasons)) == (at(10) + TICK, at(100), 1)


def test_a_move_long_before_the_window_is_not_spoken_of() -> None:
    window, reasons = own(Window(at(20), at(100)), [_IN])
    assert (window.since, reasons) == (at(20), [])


def test_a_run_without_a_verdict_goes_on_elsewhere() -> None:
    books = Books()
    books.succeed(0)
    books.publish(due_at(60))
    assert books.audit(until=119, now=170).of(Kind.WAITING)
    assert not books.audit(until=119, now=170, has_moved=True).findings
