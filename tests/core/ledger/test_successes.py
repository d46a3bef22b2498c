"""When a job last succeeded: kept in its mark, by the log, and unknown where nobody can know."""

from typing import Any

import orjson
import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.moving.export import log_state
from cronstream.core.moving.renumbering import ledgers_of
from cronstream.core.wire.entries import Forwarded, Level, Repair, Settled
from cronstream.core.wire.enumerations import Cause, Outcome, Verdict
from cronstream.errors import MessageError
from tests.builders import a_run, at
from tests.ledger_builders import Told, due


def _mark(told: Told) -> Mark:
    return told.ledger.book.marks["backup"]


def _through_a_row(ledger: Ledger, **other: Any) -> Ledger:
    return from_row({**orjson.loads(orjson.dumps(to_row(ledger, 0))), **other})


def test_a_job_has_succeeded_when_the_end_of_its_attempt_was_appended() -> None:
    told = Told()
    told.tell(a_run())
    assert _mark(told).succeeded_at is None

    told.finish(a_run(), seconds=7)

    assert _mark(told).succeeded_at == at(7)


def test_a_failure_is_no_success_and_leaves_the_last_one() -> None:
    told = Told()
    told.tell(a_run(), due(60))
    told.finish(a_run(), seconds=7)
    told.finish(due(60), Outcome.FAILED, seconds=70)
    told.forward(due(60))

    assert told.verdicts == ["succeeded", "discarded"]
    assert _mark(told).succeeded_at == at(7)


@pytest.mark.parametrize(
    ("verdict", "succeeded_at"), [(Verdict.SUCCEEDED, at(99)), (Verdict.DISCARDED, None)]
)
def test_a_retry_s_success_counts_from_its_settlement(verdict: Verdict, succeeded_at: Any) -> None:
    told = Told()
    run = a_run(max_attempts=2, attempts_left=2)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.tell(Forwarded(run=run.id, version=told.live.version))
    told.tell(Settled(run=run.id, attempt=2, verdict=verdict), seconds=99)

    assert _mark(told).succeeded_at == succeeded_at


def test_what_a_person_asked_for_counts_too_for_a_job_that_is_known() -> None:
    told = Told()
    now, stranger = a_run(revision=None), a_run(job="stranger", revision=None)
    told.tell(now, stranger)
    told.finish(now, seconds=5)
    told.finish(stranger, seconds=6)

    assert _mark(told).succeeded_at == at(5)
    assert "stranger" not in told.ledger.book.marks


def test_a_row_keeps_the_last_success_and_from_when_on_it_would_be_known() -> None:
    told = Told()
    told.tell(a_run(), seconds=3)
    assert _through_a_row(told.ledger).book.marks == told.ledger.book.marks

    told.finish(a_run(), seconds=7)

    [read] = _through_a_row(told.ledger).book.marks.values()
    assert (read.succeeded_at, read.watched_since) == (at(7), at(0))


def test_after_an_older_row_the_last_success_is_unknown_not_never() -> None:
    told = Told()
    told.tell(a_run())
    told.finish(a_run(), seconds=7)
    older = to_row(told.ledger, 0)
    del older["successes"]

    [read] = from_row(older).book.marks.values()
    assert (read.succeeded_at, read.watched_since) == (None, told.ledger.book.now)


def test_a_fold_from_the_middle_knows_of_no_success_before_it() -> None:
    told = Told()
    told.tell(a_run())
    told.finish(a_run(), seconds=7)
    middle = Ledger(retry=False)
    middle.book.learns = True
    middle.fold(100, at(50), [due(60)])

    [mark] = middle.book.marks.values()
    assert (mark.succeeded_at, mark.watched_since) == (None, at(50))


def test_a_success_of_a_job_that_has_no_mark_is_damage() -> None:
    with pytest.raises(MessageError, match="damaged"):
        _through_a_row(Ledger(retry=False), successes=[["ghost", "2026-01-01T12:00:00Z"]])


def test_a_repair_takes_back_successes_of_a_clock_that_was_ahead() -> None:
    told = Told()
    told.tell(Level(level=2))
    told.tell(a_run())
    told.finish(a_run(), seconds=500_000)
    told.tell(Repair(by="a person"), seconds=60)

    assert (_mark(told).succeeded_at, _mark(told).watched_since) == (at(60), at(0))


def test_successes_move_along() -> None:
    told = Told()
    told.tell(a_run())
    told.finish(a_run(), seconds=7)
    state = log_state("cluster-a", retry=False, ledgers=[told.ledger])

    moved = ledgers_of(state, 4, lambda _job, _partitions: 3, {("backup", 1): 1})

    assert moved[3].book.marks["backup"].succeeded_at == at(7)


@pytest.mark.parametrize(("cause", "counts"), [(Cause.RUN_NOW, True), (Cause.BACKFILL, False)])
def test_a_due_time_of_the_past_says_nothing_of_how_a_job_does_now(
    cause: Cause, counts: bool
) -> None:
    told, run = Told(), a_run(revision=None, cause=cause)
    told.tell(Level(level=4))
    told.tell(a_run(), run)
    told.finish(run, seconds=70)

    assert told.verdicts == ["succeeded"]
    assert (_mark(told).succeeded_at is not None) == counts


def test_a_backfill_that_is_asked_for_twice_is_one_run() -> None:
    told, run = Told(), a_run(revision=None, cause=Cause.BACKFILL)
    told.tell(Level(level=4))
    told.tell(run, run.derive(not_before=at(9), by="bob"))

    assert len(told.ledger.book.live) == 1
    assert told.ledger.book.refused["duplicate"] == 1
