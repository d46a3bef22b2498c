from types import SimpleNamespace
from typing import Any

import pytest

from cronstream.core.trust.judging import TRUSTED, Judgement, Standing
from cronstream.core.wire.codec import encode
from cronstream.core.wire.runs import Job
from cronstream.errors import KeysError
from cronstream.scheduler.signing import see_that_they_count, to_sign
from cronstream.topology.jobs import JobsLog
from tests.core.trust.test_judging import a_job
from tests.signing import a_key


def a_log(*jobs: Job, disbelieves: str = "") -> Any:
    named: Any = SimpleNamespace(names=SimpleNamespace(jobs="cronstream.jobs"))
    log = JobsLog(named, named, [0])
    forged = Judgement(Standing.REFUSED, "forged", "it was changed", "k")
    log.judge = lambda job: forged if getattr(job, "command", "") == disbelieves else TRUSTED
    for offset, job in enumerate(jobs):
        log.known.of[0].fold(offset, encode(job))
    return log


def no_doubt(_: Job) -> str:
    return ""


def names(jobs: list[Job]) -> list[tuple[str, bool]]:
    return [(job.name, job.removed) for job in jobs]


def test_who_signs_nothing_says_nothing_again() -> None:
    assert to_sign(a_log(a_job()), None, (), no_doubt) == []


def test_what_another_key_or_nobody_has_signed_is_said_again() -> None:
    mine, other = a_key(1), a_key(2)
    log = a_log(
        mine.sign(a_job(name="a")), other.sign(a_job(name="b")), a_job(name="c"), a_job(name="d")
    )

    assert names(to_sign(log, mine.id, {"d"}, no_doubt)) == [("b", False), ("c", False)]


def test_what_is_not_believed_does_not_count_and_is_contradicted() -> None:
    log = a_log(
        a_job(name="a"),
        a_job(name="a", command="evil"),
        a_job(name="stranger", command="evil"),
        disbelieves="evil",
    )

    assert [job.command for job in log.known.jobs] == ["true"]
    assert names(to_sign(log, None, (), no_doubt)) == [("a", False), ("stranger", True)]


def test_what_would_not_be_believed_either_contradicts_nothing() -> None:
    log = a_log(a_job(name="a", cluster="b", command="evil"), disbelieves="evil")

    doubt = {"b": "key k may not sign for b"}
    assert to_sign(log, None, (), lambda job: doubt[job.cluster]) == []


def test_a_scheduler_publishes_nothing_that_it_would_not_believe() -> None:
    jobs = [a_job(name="a"), a_job(name="b", cluster="cluster-b")]
    see_that_they_count(jobs, no_doubt)

    with pytest.raises(KeysError, match="publishes for cluster cluster-b would not count: unsig"):
        see_that_they_count(jobs, lambda job: "unsigned" if job.cluster == "cluster-b" else "")
