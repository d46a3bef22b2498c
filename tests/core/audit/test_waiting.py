"""A run without a verdict is explained, or it waits."""

from cronstream.core.audit.waiting import unexplained_wait
from cronstream.core.ledger.fold import Ledger
from cronstream.core.wire.enumerations import Outcome, Overlap
from tests.builders import at
from tests.ledger_builders import Told, beat, due, finished

RUN = due(0)


def told(minutes: float, first: Told, later: Told | None = None, run: str = RUN.id) -> str | None:
    return unexplained_wait(first.ledger, later.ledger if later else None, run, at(60 * minutes))


def test_a_queued_run_is_waited_for_a_minute() -> None:
    log = Told()
    log.tell(RUN)

    assert told(1, log) is None
    assert told(5, log) == "waiting, 300 s past due: queued, and nobody has claimed it"


def test_a_run_is_explained_while_its_worker_is_heard() -> None:
    log = Told()
    log.tell(RUN)
    log.start(RUN)
    log.tell(beat("w1", 9), seconds=280)

    assert told(5, log) is None
    assert told(6, log) == (
        "waiting, 360 s past due: running, but w1 was last heard at 12:04:40Z "
        "and is not taken for lost"
    )


def test_a_decision_has_to_be_published() -> None:
    log = Told()
    log.tell(RUN)
    log.finish(RUN, Outcome.FAILED, seconds=30)

    assert told(1, log) is None
    assert told(5, log) == "waiting, 270 s past due: what was decided is not published"


def test_a_retry_is_looked_for_on_the_retry_log() -> None:
    log, later = Told(), Told(retry=True)
    first = due(0, max_attempts=2)
    log.tell(first)
    log.finish(first, Outcome.FAILED)
    log.forward(first)
    text = told(5, log, later)
    assert text is not None
    assert text.endswith("its retry is not on the retry log")

    again = first.derive(attempt=2, attempts_left=1, not_before=at(290))
    later.tell(again)
    assert told(5, log, later) is None
    assert told(6, log, later) == "waiting, 70 s past due: queued, and nobody has claimed it"


def test_a_run_may_have_to_wait_for_an_earlier_one_of_its_job() -> None:
    log = Told()
    first, second = due(0, overlap=Overlap.QUEUE), due(60, overlap=Overlap.QUEUE)
    log.tell(first)
    log.start(first)
    log.tell(second)

    assert told(60, log, run=second.id) is None
    log.tell(finished(first, log.ledger.book.live[first.id].claim or 0))
    assert told(60, log, run=second.id) is not None


def test_a_run_that_no_log_knows_waits() -> None:
    assert unexplained_wait(Ledger(retry=False), None, RUN.id, at(0)) == "no log knows it any more"
    assert unexplained_wait(None, None, RUN.id, at(0)) == "no log knows it any more"
