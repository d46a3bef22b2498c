"""What is live goes through an export into other numbers, and each fold goes on where it was."""

from typing import Any

import pytest
from hypothesis import given, settings

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import to_row
from cronstream.core.ledger.state import Effect, State
from cronstream.core.moving.export import (
    Export,
    Kept,
    LogState,
    Named,
    log_state,
    needed,
    release_all,
    without_the_past,
)
from cronstream.core.moving.renumbering import cursors_of, ledgers_of
from cronstream.core.planning.cursor import Cursor, Noted
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.enumerations import Delivery, Outcome, Verdict
from cronstream.core.wire.job_messages import Definition
from cronstream.core.wire.runs import Discarded, Job
from cronstream.errors import HouseError, MessageError
from tests.builders import NOON, a_run, at
from tests.core.ledger.test_rows import logs
from tests.core.wire.test_job_messages import a_job
from tests.ledger_builders import Told, due

_HOUR_S = 3600.0


class _Numbers(dict[Named, int]):
    """Every revision becomes one a hundred times as large."""

    def __missing__(self, key: Named) -> int:
        return key[1] * 100


def _one(_: str, __: int) -> int:
    return 0


def _moved(ledger: Ledger, numbers: dict[Named, int] | None = None) -> Ledger:
    state = log_state("cluster-a", retry=ledger.book.retry, ledgers=[ledger])
    found = ledgers_of(state, 1, _one, _Numbers() if numbers is None else numbers)
    return found.get(0, Ledger(retry=ledger.book.retry))


class _Same(_Numbers):
    def __missing__(self, key: Named) -> int:
        return key[1]


@given(logs())
@settings(max_examples=100, deadline=None)
def test_whatever_a_fold_knew_comes_along_but_its_offsets(told: Told) -> None:
    release_all(told.ledger, told.ledger.book.now)
    before = to_row(told.ledger, 0)
    after = to_row(_moved(told.ledger, _Same()), 0)

    end = told.ledger.book.next_offset
    assert [one["version"] + end for one in after["live"]] == [x["version"] for x in before["live"]]
    for name in ("marks", "recent"):
        assert after[name] == before[name]
    for one in before["live"] + after["live"]:
        del one["version"]
    assert after["live"] == before["live"]
    assert after["beats"] == []


@given(logs())
@settings(max_examples=100, deadline=None)
def test_nobody_holds_anything_once_all_were_released(told: Told) -> None:
    release_all(told.ledger, at(0))
    assert not told.ledger.book.held
    assert all(live.holder is None for live in told.ledger.book.live.values())


def test_what_was_running_is_made_again_or_discarded_by_its_own_rules() -> None:
    for delivery, state, effect in (
        (Delivery.AT_LEAST_ONCE, State.QUEUED, None),
        (Delivery.AT_MOST_ONCE, State.DECIDING, Effect.DISCARD),
    ):
        told, run = Told(), a_run(delivery=delivery)
        told.tell(run)
        told.start(run)
        release_all(told.ledger, at(60))
        live = _moved(told.ledger).book.live[run.id]
        assert (live.state, live.effect) == (state, effect)
        assert [a.outcome for a in live.run.attempts or []] == [Outcome.LOST]


def test_a_run_keeps_its_id_and_its_attempts_and_has_the_new_number_of_its_revision() -> None:
    told, run = Told(), a_run(max_attempts=3)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    there = _moved(told.ledger)
    live = there.book.live[run.id]

    assert (live.run.revision, live.run.attempts_left, live.effect) == (100, 3, Effect.RETRY)
    assert there.book.mark("backup").in_force(100, NOON)
    assert live.version < 0


def test_a_successor_and_the_removal_of_its_job_have_new_numbers_too() -> None:
    told, run = Told(), a_run(revision=None)
    told.tell(a_run())
    told.claim(a_run())
    told.edit(2)
    told.tell(a_run(revision=2))
    told.tell(run)
    [state] = [log_state("cluster-a", retry=False, ledgers=[told.ledger])]
    there = ledgers_of(state, 1, _one, _Numbers())[0]
    assert there.book.live[a_run().id].successor == a_run(revision=200)
    assert there.book.live[run.id].run.revision is None

    told.tell(Level(level=2))
    told.tell(Withdrawal(job="backup", revision=3, effective_from=at(0), removed=True))
    assert _moved(told.ledger).book.mark("backup").removed == 300


def test_each_job_goes_to_its_partition_and_what_is_empty_has_no_row() -> None:
    told = Told()
    told.ledger.book.recent = {
        "b@2026-01-01T12:00:00Z!run-now-1": (1, Verdict.SUCCEEDED, at(9)),
        "b@2026-01-01T12:00:00Z!run-now-2": (1, Verdict.SUCCEEDED, at(8.5)),
    }
    told.ledger.book.handed_over = {
        "c@2026-01-01T12:00:00Z!chain-4": at(9),
        "c@2026-01-01T12:00:00Z!chain-3": at(8.5),
    }
    told.tell(due(10))
    state = log_state("cluster-a", retry=False, ledgers=[told.ledger, Ledger(retry=False)])
    found = ledgers_of(state, 4, lambda job, _: {"backup": 2, "b": 3, "c": 1}[job], _Numbers())

    assert sorted(found) == [1, 2, 3]
    assert [run_id[-1] for run_id in found[1].book.handed_over] == ["3", "4"]
    assert list(found[2].book.live) == [due(10).id]
    assert [run_id[-1] for run_id in found[3].book.recent] == ["2", "1"]


def test_a_damaged_state_is_refused() -> None:
    told = Told()
    told.tell(a_run())
    state = log_state("cluster-a", retry=False, ledgers=[told.ledger])
    state.live[0]["state"] = "asleep"
    with pytest.raises(MessageError, match="damaged"):
        ledgers_of(state, 1, _one, _Numbers())


def test_marks_of_jobs_that_are_long_gone_stay_behind() -> None:
    told = Told()
    for name in ("here", "moved", "live", "late"):
        told.ledger.book.mark(name).high = at(0)
    told.ledger.book.mark("late").high = at(2 * _HOUR_S - 60)
    told.tell(a_run(job="live", revision=None))
    log = log_state("cluster-a", retry=False, ledgers=[told.ledger])
    in_force = {"here": a_job("here", cluster="cluster-a"), "moved": a_job("moved", cluster="b")}

    kept = without_the_past(log, in_force, at(2 * _HOUR_S))
    assert sorted(kept.marks) == ["here", "late", "live"]


# -- definitions ---------------------------------------------------------------------------------


def _published(*jobs: Job) -> dict[str, list[Definition]]:
    return {"backup": [Definition(job, number) for number, job in enumerate(jobs)]}


def _needed(jobs: list[Job], *logs: LogState, taken: int = 99) -> list[int]:
    found = needed(_published(*jobs), logs, at(10 * _HOUR_S), lambda _: taken)
    return [kept.revision for kept in found]


def test_definitions_that_were_replaced_or_taken_out_long_ago_stay_behind() -> None:
    old, former, last = (a_job(effective_from=at(x * _HOUR_S)) for x in (0, 8, 9.5))
    gone = a_job(effective_from=at(1), removed=True)
    assert _needed([old, former, last]) == [1, 2]
    assert _needed([old, gone]) == []
    assert _needed([old, gone.derive(effective_from=at(9.5 * _HOUR_S))]) == [0, 1]


def test_a_definition_that_a_run_follows_comes_along_and_so_does_what_ended_it() -> None:
    told = Told()
    told.tell(a_run())
    log = log_state("cluster-a", retry=False, ledgers=[told.ledger])
    jobs = [a_job(effective_from=at(n)) for n in range(3)]
    assert _needed([*jobs, a_job(effective_from=at(9), removed=True)], log) == [1, 3]
    with pytest.raises(HouseError, match="no such revision"):
        _needed(jobs[:1], log)


def test_what_no_log_has_been_told_of_is_marked() -> None:
    jobs = [a_job(effective_from=at(10 * _HOUR_S)) for _ in range(3)]
    found = needed(_published(*jobs), [], at(10 * _HOUR_S), lambda _: 2)
    assert [kept.taken for kept in found] == [True, True, False]


# -- cursors and files ---------------------------------------------------------------------------


def an_export(*cursors: Cursor, **fields: Any) -> Export:
    told = Told()
    told.tell(a_run())
    values: dict[str, Any] = {
        "id": "e" * 32,
        "installation": None,
        "version": "1.0",
        "at": NOON,
        "cursors": list(cursors),
        "definitions": [Kept(a_job(), 1, True), Kept(a_job(removed=True), 2, False)],
        "logs": [log_state("cluster-a", retry=False, ledgers=[told.ledger])],
        "discarded": [Discarded(run=a_run(), reason="failed", discarded_at=NOON)],
        **fields,
    }
    return Export(**values)


_FIRST = Cursor(0, at(30), 7, Noted(at(60), at(0)), {"backup": at(1)})
_SECOND = Cursor(1, at(20), 5)


def test_as_many_shards_go_on_each_from_its_own_cursor() -> None:
    found = cursors_of(an_export(_FIRST, _SECOND), {0: 3, 1: 4}, lambda _: 1)
    assert [(c.at, c.taken, c.noted, c.moved) for c in found] == [
        (_FIRST.at, 3, _FIRST.noted, {}),
        (_SECOND.at, 4, None, {"backup": at(1)}),
    ]


def test_other_shards_go_on_from_the_cursor_that_was_least_far() -> None:
    found = cursors_of(an_export(_FIRST, _SECOND), {0: 3, 1: 4, 2: 2}, lambda _: 2)
    assert [(c.shard, c.at, c.taken, c.noted) for c in found] == [
        (0, at(20), 3, None),
        (1, at(20), 4, None),
        (2, at(20), 2, None),
    ]


def test_an_installation_that_has_never_published_has_no_cursor() -> None:
    assert cursors_of(an_export(), {0: 3}, lambda _: 0) == []
    assert an_export().reached is None


def test_an_export_says_how_much_there_is() -> None:
    assert an_export().counts == {"jobs": 0, "live runs": 1, "discarded runs": 1}


def test_a_job_is_forgotten_as_many_days_later_as_it_would_have_been() -> None:
    ledgers = [Ledger(retry=False), Ledger(retry=False)]
    for ledger, day, job in zip(ledgers, (9, 4), ("a", "b"), strict=True):
        ledger.book.day, ledger.book.today = day, 700 + day
        ledger.book.mark(job)
        ledger.book.day += 2
    state = log_state("cluster-a", retry=False, ledgers=ledgers)
    [there] = ledgers_of(state, 1, _one, _Numbers()).values()
    assert [there.book.day - mark.heard for mark in there.book.marks.values()] == [2, 2]
    assert there.book.today == 709
