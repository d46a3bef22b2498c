"""Whether an entry belongs on the log where it stands."""

from typing import Any

import pytest

from cronstream.core.ledger.admission import Place
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.runs import Run
from tests.builders import NOON, a_run
from tests.ledger_builders import a_skip, beat

_LATER = {"attempt": 2, "max_attempts": 3}


def problem(entry: Any, *, retry: bool = False, partition: int = 3) -> str | None:
    return Place("cluster-a", retry, partition, lambda _: 3).problem(entry)


@pytest.mark.parametrize(("run", "retry"), [(a_run(), False), (a_run(**_LATER), True)])
def test_a_run_belongs_on_the_log_of_its_cluster_partition_and_attempt(
    run: Run, retry: bool
) -> None:
    assert problem(run, retry=retry) is None


@pytest.mark.parametrize(("run", "retry", "reason"), [
    (a_run(cluster="other"), False, "a run for 'other' on a log of 'cluster-a'"),
    (a_run(), True, "a first attempt on a retry log"),
    (a_run(**_LATER), False, "attempt 2 on the log of first attempts"),
])  # fmt: skip
def test_a_run_that_belongs_elsewhere_is_refused(run: Run, retry: bool, reason: str) -> None:
    assert problem(run, retry=retry) == reason


@pytest.mark.parametrize("entry", [
    a_run(), a_skip(0, 10), Withdrawal(job="backup", revision=1, effective_from=NOON)
])  # fmt: skip
def test_what_concerns_a_job_belongs_on_its_partition(entry: Any) -> None:
    assert problem(entry, partition=4) == "job 'backup' belongs to partition 3"
    assert problem(entry, partition=3) is None


def test_what_workers_say_belongs_on_any_partition() -> None:
    assert problem(beat("w1", 1), partition=4) is None
