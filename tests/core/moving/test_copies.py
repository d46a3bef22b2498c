"""By how much a copy was shifted, and when its messages were written, is in what they say."""

import pytest

from cronstream.core.moving.copies import JobsShift, LogShift, Shift, Times
from cronstream.core.wire.entries import Claimed, Heartbeat, Withdrawal
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Attempt
from cronstream.errors import HouseError
from tests.builders import a_run, at
from tests.core.wire.test_job_messages import a_job
from tests.ledger_builders import due, finished, started


def _claim(run: str, version: int) -> Claimed:
    return Claimed(run=run, version=version, worker="w1", number=1)


def test_a_log_was_shifted_by_what_its_first_claims_name() -> None:
    shift = LogShift("cronstream.a/0")
    assert shift.get() is None
    for n in range(3):
        shift.fold(2 * n, [due(n)])
        shift.fold(2 * n + 1, [_claim(due(n).id, 100 + 2 * n), Heartbeat(worker="w", number=1)])
        shift.fold(9, [_claim(due(n).id, 7), _claim("unknown", 9)])
    assert shift.get() == 100


def test_a_copy_whose_claims_do_not_agree_is_refused() -> None:
    shift = Shift("cronstream.a/0")
    for n in range(20):
        shift.vote(n + (n > 15), n)
    with pytest.raises(HouseError, match="a/0 is a copy with gaps, or with messages"):
        shift.get()


def test_jobs_were_shifted_by_what_the_logs_were_told_of_them() -> None:
    jobs = [(a_job(effective_from=at(n)), 10 + n) for n in range(2)]
    shift = JobsShift("cronstream.jobs/0", [*jobs, (a_job(effective_from=at(1)), 19)])
    shift.fold([Withdrawal(job="backup", revision=4, effective_from=at(0)), due(1, revision=99)])
    shift.fold([Withdrawal(job="backup", revision=4, effective_from=at(7)), _claim("x", 1)])
    assert shift.get() == -6


def test_without_an_edit_the_last_runs_follow_the_last_definitions() -> None:
    shift = JobsShift("cronstream.jobs/0", [(a_job(), 3), (a_job(), 5)])
    assert shift.get() is None
    shift.fold([due(0, revision=7), a_run(revision=None), due(0, job="other", revision=70)])
    shift.fold([due(1, revision=8)])
    assert shift.get() == 3


def test_a_message_was_written_no_later_than_its_entries_say() -> None:
    times, copied = Times(), at(9_999)
    run = a_run()
    assert times.of([run], copied) == copied
    assert times.of([run.derive(as_of=at(5))], copied) == at(5)
    assert times.of([started(run, 1)], copied) == at(5)
    ended = Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=at(8))
    assert times.of([run.derive(attempts=[ended])], copied) == at(8)
    assert times.of([Heartbeat(worker="w", number=1)], copied) == at(8)
    assert times.of([finished(run, 1, worker="w")], at(2)) == at(2)
