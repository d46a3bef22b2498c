"""What becomes of a run after an attempt, and when the next one may start."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.ledger.retry import (
    MAX_ATTEMPTS_CARRIED,
    Complete,
    Discard,
    Retry,
    decide,
    delay,
    describe,
    failures,
    next_attempt,
    noise,
    with_attempt,
)
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Attempt, Backoff, RetryOn, Run
from tests.builders import a_run, at


def an_attempt(outcome: Outcome = Outcome.FAILED, **fields: Any) -> Attempt:
    return Attempt(**{"attempt": 1, "outcome": outcome, "ended_at": at(100), **fields})


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    ceiling = draw(st.floats(0, 2**53))
    return Backoff(
        first_s=draw(st.floats(0, ceiling)),
        factor=draw(st.floats(1, 2**53)),
        ceiling_s=ceiling,
        jitter=draw(st.floats(0, 1)),
    )


_NOISE = st.floats(0, 1, exclude_max=True)


# -- decide ----------------------------------------------------------------------------------------


def test_a_success_completes_the_run_whichever_attempt_it_was() -> None:
    assert decide(a_run(max_attempts=3), an_attempt(Outcome.SUCCEEDED)) == Complete()
    assert decide(a_run(), an_attempt(Outcome.SUCCEEDED)) == Complete()


def test_a_failure_is_retried_after_its_backoff_from_when_it_ended() -> None:
    run = a_run(max_attempts=3, backoff=Backoff(first_s=15, jitter=0))

    assert decide(run, an_attempt(exit_status=3)) == Retry(at(115))


def test_the_wait_grows_with_failures_and_not_with_attempts_that_were_lost() -> None:
    run = a_run(attempt=5, max_attempts=3, attempts_left=2, backoff=Backoff(first_s=15, jitter=0))

    assert decide(run, an_attempt(exit_status=3, attempt=5)) == Retry(at(130))


def test_the_last_attempt_is_discarded_not_retried() -> None:
    run = a_run(attempt=4, max_attempts=3, attempts_left=1)

    assert decide(run, an_attempt(attempt=4, exit_status=3)) == Discard(
        "attempt 4 failed (exit status 3), 3 of 3 failures"
    )


@pytest.mark.parametrize(("statuses", "fields", "retried"), [
    (None, {"exit_status": 1}, True),
    ([75], {"exit_status": 75}, True),
    ([75], {"exit_status": 1}, False),
    ([75], {"exit_status": None}, False),
    ([137], {"signal": 9}, True),
    ([9], {"signal": 9}, False),
    ([], {"exit_status": 1}, False),
])  # fmt: skip
def test_only_the_statuses_that_are_worth_it_are_retried(
    statuses: list[int] | None, fields: dict[str, Any], retried: bool
) -> None:
    run = a_run(max_attempts=2, retry_on=RetryOn(statuses=statuses))

    assert isinstance(decide(run, an_attempt(**fields)), Retry) is retried


@pytest.mark.parametrize("timeouts", [True, False])
def test_whether_an_attempt_out_of_time_is_retried_is_its_own_choice(timeouts: bool) -> None:
    run = a_run(max_attempts=2, retry_on=RetryOn(statuses=[], timeouts=timeouts))
    decision = decide(run, an_attempt(Outcome.TIMED_OUT))

    if timeouts:
        assert isinstance(decision, Retry)
    else:
        assert decision == Discard("attempt 1 timed out is not retried (retry_on)")


def test_whoever_decides_decides_the_same() -> None:
    run = a_run(max_attempts=2)

    assert decide(run, an_attempt()) == decide(run.derive(), an_attempt())


@given(st.integers(1, 50), st.data())
@settings(deadline=None)
def test_a_run_fails_exactly_max_attempts_times(most: int, data: Any) -> None:
    run, fails = a_run(max_attempts=most), 0
    while True:
        fails += 1
        assert failures(run) == fails
        decision = decide(run, an_attempt(attempt=run.attempt))
        if isinstance(decision, Discard):
            break
        assert isinstance(decision, Retry)
        run = next_attempt(run, decision.not_before, at(0))
        if data.draw(st.booleans()):
            run = run.derive(attempt=run.attempt + 1)

    assert fails == most


# -- delay -----------------------------------------------------------------------------------------


def test_the_wait_doubles_up_to_its_ceiling() -> None:
    backoff = Backoff(first_s=15, factor=2, ceiling_s=100, jitter=0)

    waits = [delay(backoff, n, noise=0.5).total_seconds() for n in range(1, 6)]
    assert waits == [15, 30, 60, 100, 100]


@given(backoffs(), st.integers(1, 10_000), _NOISE)
def test_no_wait_is_negative_or_beyond_its_ceiling(b: Backoff, failure: int, luck: float) -> None:
    wait = delay(b, failure, noise=luck).total_seconds()

    assert 0 <= wait <= b.ceiling_s + 1e-6
    assert at(0) + timedelta(seconds=wait) > at(-1)


@given(backoffs(), st.integers(1, 100), _NOISE)
def test_a_wait_is_never_shorter_after_one_more_failure(b: Backoff, n: int, luck: float) -> None:
    assert delay(b, n, noise=luck) <= delay(b, n + 1, noise=luck)


@given(st.floats(0.001, 1000), st.floats(0, 1), _NOISE)
def test_jitter_adds_at_most_its_share(first: float, jitter: float, luck: float) -> None:
    backoff = Backoff(first_s=first, ceiling_s=1e6, jitter=jitter)
    wait = delay(backoff, 1, noise=luck).total_seconds()

    assert first - 1e-6 <= wait <= first * (1 + jitter) + 1e-6


def test_failures_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1, not 0"):
        delay(Backoff(), 0, noise=0)


# -- noise, messages, words ------------------------------------------------------------------------


@given(st.text(), st.integers(1, 2**53))
def test_noise_is_below_one_and_always_the_same(run_id: str, attempt: int) -> None:
    assert 0 <= noise(run_id, attempt) < 1
    assert noise(run_id, attempt) == noise(run_id, attempt)


def test_noise_differs_between_attempts_and_runs() -> None:
    found = {noise(f"job@{n}", attempt) for n in range(100) for attempt in range(3)}

    assert len(found) == 300
    assert 0.4 < sum(found) / 300 < 0.6


def test_the_next_attempt_counts_up_and_has_one_attempt_fewer() -> None:
    run = a_run(attempt=4, max_attempts=3, attempts_left=2)
    later = next_attempt(run, at(60), at(50))

    assert (later.attempt, later.attempts_left, later.not_before, later.as_of) == (
        5,
        1,
        at(60),
        at(50),
    )
    assert (later.id, later.scheduled_at) == (run.id, run.scheduled_at)


def test_a_run_carries_its_last_attempts_along() -> None:
    run: Run = a_run()
    for number in range(1, 31):
        run = with_attempt(run, an_attempt(attempt=number))

    carried = [attempt.attempt for attempt in run.attempts or []]
    assert carried == list(range(31 - MAX_ATTEMPTS_CARRIED, 31))


@pytest.mark.parametrize(("attempt", "words"), [
    (an_attempt(exit_status=3), "attempt 1 failed (exit status 3)"),
    (an_attempt(signal=9, note="out of memory"), "attempt 1 failed (signal 9; out of memory)"),
    (an_attempt(note="no such directory"), "attempt 1 failed (no such directory)"),
    (an_attempt(Outcome.TIMED_OUT, signal=15), "attempt 1 timed out"),
    (an_attempt(Outcome.TIMED_OUT, note="too slow"), "attempt 1 timed out (too slow)"),
    (an_attempt(Outcome.LOST), "attempt 1 lost"),
])  # fmt: skip
def test_how_an_attempt_ended_in_the_words_of_a_log_line(attempt: Attempt, words: str) -> None:
    assert describe(attempt) == words
