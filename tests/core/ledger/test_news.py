"""What people are told of a run: each thing once, and nothing before it is due."""

from cronstream.core.ledger.state import Effect, News
from cronstream.core.wire.entries import Settled
from cronstream.core.wire.enumerations import FAILURES, Outcome, Verdict
from tests.builders import a_run
from tests.ledger_builders import Told, finished


def lines(told: Told) -> list[str]:
    """Return what is told without being asked for details."""
    news = [item for item in told.ledger.book.news if isinstance(item, News)]
    return [item.text for item in news if not item.is_detail]


def test_nothing_is_told_of_a_run_before_it_starts_unless_for_details() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.claim(run)
    assert lines(told) == []
    assert [news.action for news in told.ledger.book.news if isinstance(news, News)] == [
        "queued",
        "claimed",
    ]


def test_a_run_that_succeeds_has_two_lines() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    told.finish(run)
    assert lines(told) == ["attempt 1 started", "succeeded (attempt 1)"]


def test_what_people_should_know_of_a_success_is_told_with_the_verdict() -> None:
    told, run = Told(), a_run()
    told.tell(run)
    note = "1 process in the background was ended"
    told.tell(finished(run, told.start(run), note=note))
    assert lines(told)[-1] == f"succeeded (attempt 1; {note})"


def test_an_attempt_that_is_not_the_last_has_two_lines_and_the_retry_log_the_rest() -> None:
    told, run = Told(), a_run(max_attempts=2, attempts_left=2)
    told.tell(run)
    told.finish(run, Outcome.FAILED)
    told.forward(run)
    told.tell(Settled(run=run.id, attempt=2, verdict=Verdict.DISCARDED))
    assert told.verdicts == ["discarded"]
    assert len(lines(told)) == 2
    assert lines(told)[1].startswith("attempt 1 failed (exit status 3), 1 of 2 failures; next")


def test_a_last_attempt_has_two_lines_of_which_the_second_has_the_verdict_and_the_reason() -> None:
    for outcome, verdict in (
        (Outcome.FAILED, "discarded (attempt 2 failed (exit status 3), 1 of 1 failures)"),
        (Outcome.SUCCEEDED, "succeeded (attempt 2)"),
    ):
        told, run = Told(retry=True), a_run(attempt=2, attempts_left=1)
        told.tell(run)
        told.finish(run, outcome)
        told.forward(run)
        assert lines(told) == ["attempt 2 started", verdict]


def test_failures_are_told_apart_from_attempts_that_cost_nothing_or_were_lost() -> None:
    assert {Outcome.FAILED, Outcome.TIMED_OUT} == FAILURES


def test_what_is_to_be_published_says_what_becomes_of_the_run() -> None:
    verdicts = [effect.verdict for effect in (Effect.SETTLE, Effect.DISCARD, Effect.SKIP)]
    assert verdicts == [Verdict.SUCCEEDED, Verdict.DISCARDED, Verdict.SKIPPED]
    assert Effect.RETRY.verdict is Effect.CANCEL.verdict is None


def test_a_change_says_whether_it_is_the_end_of_the_run() -> None:
    ends = [News(a_run(), action, "") for action in (*Verdict, "withdrawn")]
    assert all(news.is_end for news in ends)
    assert [news.verdict for news in ends] == [*Verdict, None]
    assert not News(a_run(), "retryable", "").is_end
