"""Jobs that are paused have series of their own, as many as a Prometheus can bear."""

from typing import Any

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.paused import Paused
from cronstream.core.planning.due import Shard
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.paused import families_of_halted, families_of_paused
from tests.builders import NOON, at
from tests.metrics.built import families, value
from tests.scheduler.fakes import a_job


class Fired:
    """Shards of a scheduler, at a time that a test sets."""

    def __init__(self, *jobs: Any) -> None:
        self.now, self.shard, self.metrics = NOON, Shard(30.0), Metrics()
        for revision, job in enumerate(jobs):
            self.shard.learn(job, revision)
        self.metrics.add(lambda: families_of_paused([self.shard], self.now))

    def is_paused(self, job: str = "backup") -> bool:
        name = "cronstream_job_paused"
        return value(self.metrics, name, cron_job=job, cluster="a") == 1

    def number(self, cluster: str = "a") -> float | None:
        return value(self.metrics, "cronstream_jobs_paused", cluster=cluster)


def asked(action: ControlAction, until_s: float | None = None) -> Control:
    until = None if until_s is None else at(until_s)
    return Control(action, cluster="a", by="ada", at=NOON, job="backup", until=until)


def test_a_job_that_a_person_has_paused_has_a_series_until_it_goes_on() -> None:
    fired = Fired(a_job(), a_job("report", cluster="b"))
    assert (fired.is_paused(), fired.number(), fired.number("b")) == (False, 0, 0)

    fired.shard.learn(a_job(control=asked(ControlAction.PAUSE)), 2)
    assert (fired.is_paused(), fired.number(), fired.number("b")) == (True, 1, 0)

    fired.shard.learn(a_job(control=asked(ControlAction.RESUME)), 3)
    assert (fired.is_paused(), fired.number()) == (False, 0)


def test_a_pause_that_has_an_end_is_over_then_without_anybody_saying_so() -> None:
    fired = Fired(a_job(control=asked(ControlAction.PAUSE, until_s=60)))
    fired.now = at(59)
    assert (fired.is_paused(), fired.number()) == (True, 1)
    fired.now = at(60)
    assert (fired.is_paused(), fired.number()) == (False, 0)


def test_a_job_that_the_crontab_has_disabled_is_paused_and_one_that_is_taken_out_is_none() -> None:
    fired = Fired(a_job(enabled=False))
    assert (fired.is_paused(), fired.number()) == (True, 1)
    fired.shard.learn(a_job(enabled=False, removed=True), 1)
    assert (fired.is_paused(), fired.number()) == (False, None)


def test_beyond_a_hundred_they_are_counted_and_not_named() -> None:
    fired = Fired(*(a_job(f"job-{number:03}", enabled=False) for number in reversed(range(150))))

    named = families(fired.metrics)["cronstream_job_paused"].samples
    assert [x.labels["cron_job"] for x in named] == [f"job-{number:03}" for number in range(100)]
    assert fired.number() == 150


def test_a_job_that_its_discarded_runs_have_paused_has_a_series_until_it_is_taken_out() -> None:
    ledgers, metrics = [Ledger(retry=False), Ledger(retry=False)], Metrics()
    metrics.add(lambda: families_of_halted(ledgers, "cluster-a"))
    assert value(metrics, "cronstream_jobs_paused", cluster="cluster-a") == 0

    mark = ledgers[1].book.marks["backup"] = Mark(paused=Paused(discards=1, halted_at=NOON))
    assert value(metrics, "cronstream_job_paused", cron_job="backup", cluster="cluster-a") == 1
    assert value(metrics, "cronstream_jobs_paused", cluster="cluster-a") == 1

    mark.revisions, mark.removed = [(3, NOON)], 3
    assert value(metrics, "cronstream_job_paused") is None
    assert value(metrics, "cronstream_jobs_paused", cluster="cluster-a") == 0
