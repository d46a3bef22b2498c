"""A job is overdue when a success was expected by now: by its mark, whatever the reason."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from cronstream.core.health.overdue import find_overdue, sentence
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.enumerations import Outcome
from tests.builders import a_run, at
from tests.ledger_builders import Told, due

_HOUR = 3600.0


def _edit(revision: int, within_s: float | None = _HOUR, **more: Any) -> Withdrawal:
    values = {"effective_from": at(0), **more}
    return Withdrawal(job="backup", revision=revision, expect_within_s=within_s, **values)


def _told(*, within_s: float | None = _HOUR) -> Told:
    told = Told(revision=False)
    told.tell(Level(level=2))
    told.tell(_edit(1, within_s))
    return told


def _overdue(ledger: Ledger, seconds: float) -> list[str]:
    return [sentence(one) for one in find_overdue(ledger, at(seconds))]


def test_a_job_of_which_nothing_is_expected_is_never_overdue() -> None:
    told = _told(within_s=None)

    assert _overdue(told.ledger, 1000 * _HOUR) == []
    assert not told.ledger.book.mark("backup").is_overdue(at(1000 * _HOUR))


def test_a_job_that_never_succeeded_is_overdue_as_of_when_it_was_first_known() -> None:
    told = _told()

    assert _overdue(told.ledger, _HOUR) == []
    [sentence] = _overdue(told.ledger, _HOUR + 1)
    assert sentence == (
        "job backup is overdue: a success was expected within 1h, none is known, "
        "watched since 2026-01-01T12:00:00Z"
    )


def test_a_success_gives_it_as_long_again_and_a_failure_does_not() -> None:
    told = _told()
    told.tell(due(0, expect_within_s=_HOUR), due(60, expect_within_s=_HOUR))
    told.finish(due(0), seconds=10)
    told.finish(due(60), Outcome.FAILED, seconds=70)

    assert _overdue(told.ledger, _HOUR + 10) == []
    [sentence] = _overdue(told.ledger, _HOUR + 11)
    assert sentence == (
        "job backup is overdue: a success was expected within 1h, its last success was at "
        "2026-01-01T12:00:10Z"
    )


@pytest.mark.parametrize("edit", [_edit(2, None), _edit(2, None, removed=True)])
def test_one_that_is_edited_without_it_or_taken_out_is_overdue_no_more(edit: Withdrawal) -> None:
    told = _told()
    assert _overdue(told.ledger, 2 * _HOUR)
    told.tell(edit, seconds=_HOUR)

    assert _overdue(told.ledger, 2 * _HOUR) == []


def test_one_that_comes_back_is_expected_as_of_then() -> None:
    told = _told()
    told.tell(_edit(2, None, removed=True), seconds=10)
    told.tell(_edit(3), seconds=50_000)

    assert _overdue(told.ledger, 50_000 + _HOUR) == []
    assert _overdue(told.ledger, 50_001 + _HOUR)


def test_an_edit_that_goes_on_expecting_takes_nothing_back() -> None:
    told = _told()
    told.tell(_edit(2, 2 * _HOUR), seconds=_HOUR)

    assert _overdue(told.ledger, 2 * _HOUR) == []
    assert _overdue(told.ledger, 2 * _HOUR + 1)


def test_an_older_word_that_comes_late_changes_nothing() -> None:
    told = _told()
    told.tell(_edit(2, None))
    told.tell(_edit(1))

    assert _overdue(told.ledger, 2 * _HOUR) == []


def test_where_the_word_is_lost_the_runs_say_what_is_expected() -> None:
    middle = Ledger(retry=False)
    middle.book.learns = True
    middle.fold(100, at(50), [due(60, expect_within_s=_HOUR)])

    assert _overdue(middle, 50 + _HOUR) == []
    assert _overdue(middle, 51 + _HOUR)


def test_a_row_keeps_what_is_expected() -> None:
    told = _told()
    read = from_row(orjson.loads(orjson.dumps(to_row(told.ledger, 0))))

    assert read.book.marks == told.ledger.book.marks
    assert _overdue(read, _HOUR + 1) == _overdue(told.ledger, _HOUR + 1)


def test_after_the_row_of_an_older_process_it_is_watched_from_then_on() -> None:
    told = _told()
    told.tell(due(0), seconds=500)
    older = to_row(told.ledger, 0)
    del older["successes"]
    read = from_row(older)
    read.fold(read.book.next_offset, at(600), [due(60, expect_within_s=_HOUR)])

    assert _overdue(read, 500 + _HOUR) == []
    assert _overdue(read, 501 + _HOUR)


def test_a_job_that_nothing_is_expected_of_is_never_overdue() -> None:
    assert _overdue(_told(within_s=None).ledger, timedelta(days=39).total_seconds()) == []


def test_what_was_made_known_by_hand_counts_as_well() -> None:
    told = _told()
    told.tell(a_run(revision=None))
    told.finish(a_run(revision=None), seconds=1800)

    assert _overdue(told.ledger, _HOUR + 1700) == []
