"""Records: their fields, their defaults, and copies of them."""

from typing import Any

import pytest

from cronstream.core.wire.entries import Heartbeat
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Attempt, Backoff, RetryOn, Run
from tests.builders import a_run, at


def test_a_field_that_was_not_given_has_its_default() -> None:
    run = a_run()

    assert (run.grace_s, run.env, run.backoff.factor) == (10.0, None, 2.0)


def test_fields_may_be_given_by_their_place() -> None:
    attempt = Attempt(2, Outcome.FAILED, at(3))

    assert (attempt.attempt, attempt.outcome, attempt.ended_at) == (2, "failed", at(3))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"worker": "w"}, "number"),
        ({"worker": "w", "number": 1, "age": 2}, "age"),
        ({"worker": "w", "age": 2}, "number"),
    ],
)
def test_a_field_too_many_or_too_few_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        Heartbeat(**fields)


def test_a_copy_has_an_id_of_its_own() -> None:
    run = a_run(scheduled_at=at(0))
    before = run.id
    later = run.derive(scheduled_at=at(5))

    assert (run.id, later.id) == (before, f"{run.job}@2026-01-01T12:00:05Z")
    assert later.derive(scheduled_at=at(0)) == run


def test_two_records_with_the_same_values_are_equal_whether_given_or_by_default() -> None:
    run = a_run()

    assert run == run.derive(grace_s=Run.grace_s)
    assert run != run.derive(grace_s=11.0)
    assert run.asdict()["grace_s"] == 10.0


def test_a_record_with_a_field_of_another_names_that_one_alone() -> None:
    with pytest.raises(TypeError, match=r"\['nope'\]"):
        a_run(timeout_s=3.0, nope=1)


def test_records_are_equal_if_they_are_of_one_kind_and_have_the_same_fields() -> None:
    assert Backoff(first_s=3.0) == Backoff(first_s=3.0)
    assert hash(Backoff(first_s=3.0)) == hash(Backoff(first_s=3.0))
    assert Backoff(first_s=3.0) != Backoff()
    others: list[object] = [RetryOn(), 1]
    assert Backoff() not in others


def test_a_record_says_its_fields_those_that_were_given_first() -> None:
    assert (
        repr(Backoff(jitter=0.0))
        == "<Backoff: jitter=0.0, first_s=15.0, factor=2.0, ceiling_s=3600.0>"
    )


def test_a_copy_with_a_field_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        RetryOn().derive(colour="red")
