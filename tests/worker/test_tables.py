"""What Faust's tables view shows of a worker's ledgers."""

import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import PART
from cronstream.core.wire.entries import Claimed, Finished, Withdrawal
from cronstream.core.wire.enumerations import Outcome
from cronstream.worker.tables import LedgersView, RunsView
from tests.builders import NOON, a_run, at


def _ledger_with(*entries: object) -> Ledger:
    ledger = Ledger(retry=False)
    opening = Withdrawal(job="backup", revision=1, effective_from=at(-60))
    for offset, entry in enumerate([opening, *entries]):
        ledger.fold(offset, at(offset - 30), [entry])  # type: ignore[list-item]
    return ledger


def test_a_run_that_waits_is_shown_with_what_it_is_to_do() -> None:
    view = RunsView({3: _ledger_with(a_run(command="pg_dump", max_attempts=3))})

    row = view["backup@2026-01-01T12:00:00Z"]

    assert (row["state"], row["partition"], row["command"]) == ("queued", 3, "pg_dump")
    assert (row["attempt"], row["max_attempts"], row["holder"]) == (1, 3, None)


def test_a_claimed_run_names_its_holder() -> None:
    claim = Claimed(run=a_run().id, version=1, worker="w1", number=1)
    view = RunsView({0: _ledger_with(a_run(), claim)})

    assert view[a_run().id]["holder"] == "w1"


def test_a_run_that_has_its_verdict_is_still_shown() -> None:
    run = a_run()
    claim = Claimed(run=run.id, version=1, worker="w1", number=1)
    end = Finished(
        run=run.id, claim=1, worker="w1", outcome=Outcome.SUCCEEDED, started_at=NOON, ended_at=NOON
    )
    view = RunsView({0: _ledger_with(run, claim, end)})

    assert view[run.id]["state"] == "succeeded"
    assert view.get(run.id) is not None


def test_a_run_that_nobody_knows_is_not_found() -> None:
    view = RunsView({0: _ledger_with(a_run())})

    with pytest.raises(KeyError):
        view["backup@2026-01-01T12:05:00Z"]
    assert view.get("backup") is None
    assert list(view) == [a_run().id]
    assert len(view) == 1


def test_a_ledger_is_shown_by_its_partition_and_of_a_large_one_how_large_it_is() -> None:
    large = Ledger(retry=False)
    for number in range(PART + 1):
        large.book.mark(f"j{number}")
    view = LedgersView({3: _ledger_with(a_run()), 4: large})

    assert (list(view), len(view), "3" in view, "5" in view) == (
        ["3", "4"],
        2,
        True,
        False,
    )
    assert (view["3"]["partition"], len(view["3"]["live"])) == (3, 1)
    assert (view["4"]["live"], view["4"]["marks"], view["4"]["recent"]) == (0, PART + 1, 0)
    assert view.get("5") is view.get("x") is None
    assert view.get("4") is not None
