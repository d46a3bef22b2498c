"""A worker whose job is paused: what it holds and has not started it gives back."""

from cronstream.core.protocol.actions import Cancel, End, Hand
from cronstream.core.wire.entries import Cancelled, Forwarded, Level
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.runs import Run
from tests.ledger_builders import due, finished
from tests.member_builders import Worker, owner, report_started


def two_held() -> tuple[Worker, str]:
    """Return a worker that holds two runs, and the key of the second."""
    worker = owner(Level(level=4), due(1, pause_after=1), due(20, pause_after=1))
    worker.settle()
    _, second = worker.of(Hand)
    return worker, second.key


def discard(worker: Worker, run: Run) -> None:
    live = worker.member.ledgers[0].book.live[run.id]
    version = worker.log(finished(run, live.claim or 0, Outcome.FAILED))
    worker.log(Forwarded(run=run.id, version=version))


def test_what_is_held_is_given_back_when_a_discarded_run_pauses_its_job() -> None:
    worker, key = two_held()
    discard(worker, due(1))
    worker.wake()

    assert worker.keys(Cancel) == [key]


def test_what_has_started_goes_on_when_its_job_is_paused() -> None:
    worker, key = two_held()
    report_started(worker, key)
    live = worker.member.ledgers[0].book.live[due(20).id]
    live.cancelled, live.cancel = True, SkipReason.PAUSED
    worker.log(Cancelled(run="another", version=1))
    worker.wake()

    assert not worker.of(End)
    assert not worker.of(Cancel)
