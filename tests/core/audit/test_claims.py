"""What claims, starts and ends on the logs say of who has started a command."""

from cronstream.core.audit.claims import Claim, Claims, End
from cronstream.core.wire.entries import Finished, Started
from cronstream.core.wire.enumerations import Outcome
from tests.builders import at

RUN = "backup@2026-01-01T12:00:00Z"


def claims(*, at_most_once: bool = False) -> Claims:
    """The claims of a run on which w1's, number 7, stands."""
    claim = Claim(
        retry=False,
        number=7,
        worker="w1",
        attempt=1,
        not_before=at(0),
        foretold=at_most_once,
        claimed_at=at(-20),
    )
    return Claims(at_most_once=at_most_once, of=[claim])


def start(seconds: float, worker: str = "w1") -> Started:
    return Started(run=RUN, claim=7, worker=worker, started_at=at(seconds))


def end(started: float | None, ended: float) -> Finished:
    started_at = None if started is None else at(started)
    ended_at, outcome = at(ended), Outcome.SUCCEEDED
    return Finished(
        run=RUN, claim=7, worker="w1", outcome=outcome, started_at=started_at, ended_at=ended_at
    )


def test_a_foretold_start_that_is_given_back_never_was() -> None:
    found = claims(at_most_once=True)
    found.start(start(0), retry=False, counted=True)
    found.release("w1", 7, retry=False)

    assert (found.started, found.of[0].end) == ([], End.RELEASED)


def test_a_start_that_is_given_back_was_one_if_it_was_not_foretold() -> None:
    found = claims()
    found.start(start(0), retry=False, counted=True)
    found.release("w1", 7, retry=False)

    assert len(found.started) == 1


def test_a_release_of_a_claim_from_before_the_window_changes_nothing() -> None:
    found = claims()
    found.release("w2", 3, retry=False)

    assert found.of[0].end is None


def test_the_loss_of_a_worker_ends_its_claims_on_that_log_only() -> None:
    found = claims()
    found.lose("w1", retry=True, at=at(9))
    found.lose("w2", retry=False, at=at(9))
    assert found.of[0].end is None

    found.lose("w1", retry=False, at=at(10))
    assert found.of[0].was_lost
    assert found.of[0].ended_at == at(10)


def test_an_end_tells_when_a_command_was_really_started() -> None:
    found = claims(at_most_once=True)
    found.start(start(0), retry=False, counted=True)
    found.finish(end(0.2, 3), retry=False, counted=True, at=at(3))

    assert found.of[0].started_at == at(0.2)


def test_an_end_of_what_was_never_started_tells_of_no_start() -> None:
    found = claims()
    found.finish(end(None, 3), retry=False, counted=True, at=at(3))

    assert found.started == []
