"""What the fold does from level 3 on: attempts left are counted, and what is refused is over."""

import pytest

from cronstream.core.ledger.state import TOO_MANY, Effect, State
from cronstream.core.wire.entries import Forwarded, Level
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.ledger_builders import Told, finished


def told_at(level: int, *, retry: bool = True) -> Told:
    told = Told(retry=retry)
    told.tell(Level(level=level))
    return told


def second(**fields: object) -> Run:
    return a_run(max_attempts=3, attempts_left=2).derive(attempt=2, as_of=at(0), **fields)


def fails(told: Told, run: Run) -> None:
    claim = told.claim(run)
    told.tell(finished(run, claim, Outcome.FAILED))


def test_a_run_that_is_refused_is_discarded_whatever_attempts_it_has_left() -> None:
    told, run = told_at(3, retry=False), a_run(max_attempts=3)
    told.tell(run)

    told.tell(finished(run, told.claim(run), Outcome.REFUSED, note="it is not signed"))

    assert (told.live.effect, told.live.reason) == (
        Effect.DISCARD,
        "attempt 1 refused (it is not signed)",
    )


@pytest.mark.parametrize(("level", "state"), [(2, State.QUEUED), (3, None)])
def test_no_run_comes_to_a_retry_log_with_all_its_attempts(level: int, state: State | None) -> None:
    told = told_at(level)

    told.tell(second(attempts_left=3))

    live = told.ledger.book.live
    assert [run.state for run in live.values()] == ([state] if state else [])
    assert told.ledger.book.refused["attempts"] == (0 if state else 1)
    assert [x.why for x in told.ledger.book.turned_away] == ([] if state else [TOO_MANY])


@pytest.mark.parametrize("left", [2, 3])
def test_a_failure_leaves_one_attempt_fewer_whoever_writes_another_number(left: int) -> None:
    told, run = told_at(3), second()
    told.tell(run)
    fails(told, run)
    third = run.derive(attempt=3, attempts_left=left)

    told.tell(third)

    assert (told.live.state, told.live.run.attempt) == (State.DECIDING, 2)
    told.tell(third.derive(attempts_left=1))
    assert (told.live.state, told.live.run.attempts_left) == (State.QUEUED, 1)


@pytest.mark.parametrize(("level", "lives"), [(2, True), (3, False)])
def test_no_attempt_follows_a_verdict(level: int, lives: bool) -> None:
    told, run = told_at(level), second()
    told.tell(run)
    told.tell(finished(run, told.claim(run), Outcome.SUCCEEDED))
    told.tell(Forwarded(run=run.id, version=told.live.version))
    assert told.verdicts == ["succeeded"]

    told.tell(run.derive(attempt=3, attempts_left=1))

    assert bool(told.ledger.book.live) is lives
