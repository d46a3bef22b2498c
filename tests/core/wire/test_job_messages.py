"""Messages of the ``jobs`` topic, and the definitions that they add up to."""

from typing import Any

import pytest

from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Level
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.job_messages import (
    closed_because,
    decode_house,
    decode_jobs,
    decode_level,
    foreign_because,
)
from cronstream.core.wire.runs import Job
from cronstream.errors import MessageError
from tests.builders import NOON


def a_job(name: str = "backup", **fields: Any) -> Job:
    values = {"cluster": "a", "schedule": "@daily", "timezone": "UTC", "command": "true"}
    return Job(name=name, **{**values, "effective_from": NOON, **fields})


def several(*jobs: Job) -> bytes:
    return b"[" + b",".join(encode(job) for job in jobs) + b"]"


def test_a_message_holds_one_job_or_several() -> None:
    assert decode_jobs(encode(a_job())) == ([a_job()], [])
    assert decode_jobs(several(a_job("one"), a_job("two"))) == ([a_job("one"), a_job("two")], [])


def test_a_bad_job_among_good_ones_costs_only_itself() -> None:
    jobs, refused = decode_jobs(several(a_job("one"), a_job(max_attempts=0), a_job("two")))
    assert [job.name for job in jobs] == ["one", "two"]
    assert refused == ["job 'backup' has max_attempts 0, and no run can have that"]


def test_what_is_no_job_at_all_is_refused_with_the_reason() -> None:
    reasons = [
        decode_jobs(raw)[1] for raw in (None, b"{", b"7", encode(a_job(effective_from=None)))
    ]
    assert [len(reason) for reason in reasons] == [1, 1, 1, 1]
    assert "tombstone" in reasons[0][0]
    assert "not JSON" in reasons[1][0]
    assert "effective_from" in reasons[3][0]


def test_a_job_that_names_a_level_announces_none() -> None:
    raw = encode(a_job(command="echo cronstream.Level"))
    assert raw is not None
    assert decode_level(raw) == 1


def test_an_installations_id_is_what_a_scheduler_makes() -> None:
    with pytest.raises(MessageError, match="is not an id"):
        Installation(id="../x")


def test_the_last_word_says_whether_processes_may_work() -> None:
    assert closed_because(None) == ""
    filling = House(state=HouseState.FILLING, export="e")
    closed = House(state=HouseState.CLOSED, export="e", at=NOON)
    assert decode_house(encode(closed)) == closed
    assert "it was exported as e" in closed_because(closed)
    assert "imported here" in closed_because(filling)
    assert closed_because(House(state=HouseState.OPEN, export="e")) == ""
    assert decode_jobs(encode(filling)) == ([], [])
    assert decode_house(b"[" + encode(Level(level=2)) + b"," + encode(filling) + b"]") == filling
    assert decode_house(b'"cronstream.House') is None
    assert decode_house(b'"cronstream.House"') is None
    assert decode_house(encode(a_job())) is None


def test_topics_that_were_begun_on_another_kafka_are_a_copy() -> None:
    assert "copied from another Kafka (there; this one is here)" in foreign_because("there", "here")
    assert [foreign_because(*pair) for pair in (("a", "a"), (None, "a"), ("a", None))] == [""] * 3
