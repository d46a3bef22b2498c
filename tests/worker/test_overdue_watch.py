"""The owner of a partition says when a job becomes overdue, and when no more: once each."""

import logging
from datetime import datetime

import pytest

from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import Withdrawal
from cronstream.worker.overdue_watch import OverdueWatch
from tests.builders import NOON, at
from tests.ledger_builders import due
from tests.member_builders import Worker, owner

WITHIN_S = 3600.0


def _job(name: str, revision: int = 2, within_s: float | None = WITHIN_S) -> Withdrawal:
    edit = Withdrawal(job=name, revision=revision, effective_from=NOON)
    return edit.derive(expect_within_s=within_s)


class Bench:
    """A watch, with a clock that stands where a test puts it."""

    def __init__(self, worker: Worker) -> None:
        self.worker, self.now, self.mono = worker, NOON, 0.0
        self.watch = OverdueWatch(worker.member, self._now)

    def _now(self) -> datetime:
        return self.now

    def look(self, seconds: float) -> list[str]:
        """Look so many seconds after noon; return who is overdue."""
        self.now, self.mono = at(seconds), self.mono + 10
        self.watch.look(self.mono)
        return [one.job for one in self.watch.jobs]


def _lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    found = [
        (record.__dict__["fields"]["action"], record.getMessage()) for record in caplog.records
    ]
    caplog.clear()
    return found


def test_a_job_has_one_line_when_it_becomes_overdue_and_one_when_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="cronstream.worker.overdue_watch")
    bench = Bench(owner(_job("backup")))

    assert bench.look(WITHIN_S) == []
    assert [bench.look(WITHIN_S + n) for n in (1, 2, 3)] == [["backup"]] * 3
    assert [action for action, _ in _lines(caplog)] == ["overdue"]

    bench.worker.log(_job("backup", 3, None))
    assert bench.look(WITHIN_S + 4) == []
    assert _lines(caplog) == [("overdue-no-more", "job backup is no longer overdue")]


def test_what_another_worker_has_taken_over_is_let_go_of_without_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="cronstream.worker.overdue_watch")
    bench = Bench(owner(_job("backup")))
    bench.look(WITHIN_S + 1)
    bench.worker.member.revoked()
    assert bench.look(WITHIN_S + 2) == ["backup"]  # Nobody knows yet.
    bench.worker.member.assigned([], lambda _: pytest.fail("nothing is to be read"))

    assert bench.look(WITHIN_S + 3) == []
    assert [action for action, _ in _lines(caplog)] == ["overdue"]


def test_it_looks_every_few_seconds_and_not_in_each_turn() -> None:
    bench = Bench(owner(_job("backup")))
    bench.look(0)
    bench.now = at(WITHIN_S + 1)

    bench.watch.look(bench.mono + 4)
    assert bench.watch.jobs == []
    bench.watch.look(bench.mono + 5)
    assert len(bench.watch.jobs) == 1


def test_of_very_many_jobs_some_are_named_and_the_rest_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(owner(*(_job(f"job-{n:02}") for n in range(25))))
    bench.look(WITHIN_S + 1)

    lines = _lines(caplog)
    assert (len(lines), lines[-1]) == (21, ("overdue", "5 more jobs are overdue"))
    assert (len(bench.watch.sentences()), bench.watch.sentences()[-1]) == (21, lines[-1][1])


def test_a_success_ends_it() -> None:
    bench = Bench(owner(_job("backup"), due(10, revision=2, expect_within_s=WITHIN_S)))
    assert bench.look(WITHIN_S + 1) == ["backup"]

    ledger = bench.worker.member.owners[0].ledger
    ledger.book.marks["backup"].succeeded_at = at(WITHIN_S)

    assert bench.look(WITHIN_S + 2) == []


def test_before_its_barrier_a_worker_says_nothing() -> None:
    worker = Worker()
    worker.logs[0].append((worker.mono, [_job("backup")]))
    worker.assign(0)

    assert Bench(worker).look(WITHIN_S + 1) == []
    assert isinstance(worker.member, Member)
