"""Ledgers of a few jobs, as a console finds them."""

from cronstream.core.wire.entries import Claimed, Finished, Forwarded, Settled, Started, Withdrawal
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.cli.fake_broker import FakeBroker


def a_broker() -> FakeBroker:
    """Return a broker on which runs have succeeded, failed, and wait for a later attempt."""
    broker = FakeBroker("cluster-a")
    for job in ("backup", "report", "mail"):
        broker.log(
            job, Withdrawal(job=job, revision=1, effective_from=at(-90_000)), when=at(-9_000)
        )
    for n in range(4):
        first = a_run(scheduled_at=at(60 * n), max_attempts=2)
        claim = _begin(broker, first, 60 * n)
        _end(broker, first, claim, 60 * n + 2, Outcome.SUCCEEDED)
        second = a_run(scheduled_at=at(60 * n), job="report", max_attempts=2)
        claim = _begin(broker, second, 60 * n)
        failed = _end(broker, second, claim, 60 * n + 3, Outcome.FAILED)
        later = second.derive(attempt=2, attempts_left=1, not_before=at(60 * n + 4))
        broker.retry("report", later, when=at(60 * n + 4))
        broker.log("report", Forwarded(run=second.id, version=failed), when=at(60 * n + 4))
        if n < 3:
            settled = Settled(run=second.id, attempt=2, verdict=Verdict.SUCCEEDED)
            broker.log("report", settled, when=at(60 * n + 9))
    _begin(broker, a_run(job="mail"), 1)
    return broker


def _begin(broker: FakeBroker, run: Run, second: float) -> int:
    version = broker.log(run.job, run, when=at(second - 30))
    broker.log(
        run.job,
        Claimed(run=run.id, version=version, worker="w1", number=1),
        Started(run=run.id, claim=version, worker="w1", started_at=at(second), pid=7),
        when=at(second),
    )
    return version


def _end(broker: FakeBroker, run: Run, claim: int, second: float, outcome: Outcome) -> int:
    entry = Finished(
        run=run.id,
        claim=claim,
        worker="w1",
        outcome=outcome,
        started_at=at(second - 2),
        ended_at=at(second),
        head="something",
    )
    return broker.log(run.job, entry, when=at(second))
