from cronstream.core.ledger.fold import Ledger
from cronstream.core.moving.export import log_state
from cronstream.core.moving.renumbering import _renumbered, keep, ledgers_of
from cronstream.core.wire.codec import to_json
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at


def test_a_run_that_was_signed_is_given_to_who_may_sign_it_with_its_other_number() -> None:
    run = a_run(revision=3, signature="k:x")

    def resign(former: Run, moved: Run) -> Run:
        assert (former, moved.revision) == (run, 7)
        return moved.derive(signature="k:new")

    moved = _renumbered(to_json(run), {("backup", 3): 7}, resign)

    assert moved == to_json(a_run(revision=7, signature="k:new"))
    unfit = _renumbered(to_json(run), {("backup", 3): 7}, keep)
    assert unfit == to_json(a_run(revision=7, signature="k:x"))


def test_what_nobody_had_signed_is_signed_by_nobody() -> None:
    skip = {"job": "a", "revision": 3, "from_at": "2026-01-01T12:00:00Z", "signature": "k:x"}

    def never(_: Run, __: Run) -> Run:
        raise AssertionError

    assert _renumbered({"job": "a", "revision": 3}, {("a", 3): 7}, never)["revision"] == 7
    assert _renumbered(skip, {("a", 3): 7}, never) == {**skip, "revision": 7}


def test_a_run_that_a_person_asked_for_keeps_its_signature() -> None:
    run = {"job": "a", "cause": "run-now", "signature": "k:x"}

    assert _renumbered(run, {}, keep) == run


def test_pauses_move_with_the_number_of_the_revision_that_paused() -> None:
    ledger = Ledger(retry=False)
    word = Withdrawal(job="backup", revision=3, effective_from=at(0), paused_to=at(9_000))
    ledger.fold(0, at(0), [Level(level=LEVEL)])
    ledger.fold(1, at(1), [word])
    state = log_state("cluster-a", retry=False, ledgers=[ledger])

    moved = ledgers_of(state, 1, lambda *_: 0, {("backup", 3): 7})[0]

    paused = moved.book.marks["backup"].paused
    assert (paused.revision, paused.to) == (7, at(9_000))
