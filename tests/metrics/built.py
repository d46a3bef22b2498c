"""Metrics of each role, with a series of each family."""

from typing import cast

from prometheus_client import Metric

from cronstream import clock
from cronstream.console.metrics import ConsoleMetrics
from cronstream.console.projecting import Projection
from cronstream.core.crontab.parser import Crontab
from cronstream.core.health.lateness import Late
from cronstream.core.health.presence import Overdue
from cronstream.core.ledger.paused import Paused
from cronstream.core.ledger.state import Ended, News, SkipNews
from cronstream.core.planning.due import Shard
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.naming import Role
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.notices import NoticeCounts
from cronstream.metrics.overdue import OverdueMetrics
from cronstream.metrics.process import ProcessMetrics, Vitals
from cronstream.metrics.scheduler import SchedulerMetrics, SchedulerState
from cronstream.metrics.scheduler_counts import SchedulerCounts
from cronstream.metrics.worker import WorkerMetrics, WorkerState
from cronstream.metrics.worker_counts import Folded, WorkerCounts
from cronstream.notices.notice import Kind
from cronstream.notices.outpost import RESULTS
from tests.builders import NOON, a_run
from tests.member_builders import Worker
from tests.scheduler.fakes import a_job

SCHEDULER, WORKER = Role.of(None, retry=False), Role.of("cluster-a", retry=False)
VITALS = Vitals(frozenset({"broker"}), warnings=2, round_trip_s=0.5, clock_s=-1.5)
STATE = WorkerState(
    NOON,
    4,
    Late(3, "backup@2026-01-01T12:00:00Z", 12.0, (), 1, 4),
    {0: 9},
    {0: (1024, 1e9)},
    "cronstream.cluster-a",
)
OVERDUE = Overdue(job="backup", since=NOON, within_s=3600, has_succeeded=True)


def of_scheduler() -> Metrics:
    metrics = Metrics()
    ProcessMetrics(metrics, SCHEDULER, lambda: VITALS)
    counts = SchedulerCounts(metrics)
    counts.acknowledged("cluster-a", a_run(), NOON)
    counts.read(Crontab((), (), digest="abc"))
    shard = Shard(30.0)
    shard.learn(a_job(), 0)
    shard.learn(a_job("report", enabled=False), 1)
    counts.handed_over.labels("cluster-b").inc()
    state = SchedulerState(
        *(1e9, 1, 29.5, {0: shard}),
        topics=("cronstream.jobs", "cronstream.ticks"),
        to_hand_over={"cluster-b": [NOON]},
    )
    SchedulerMetrics(metrics, counts, lambda: state, lambda: NOON)
    return metrics


def of_console() -> Metrics:
    class Reading:
        known_until, is_current, done, total, written = NOON, False, 3, 9, 4

    return ConsoleMetrics(lambda: cast("Projection", Reading())).metrics


def of_worker(worker: Worker | None = None, state: WorkerState = STATE) -> Metrics:
    if worker is None:
        worker = Worker()
        worker.assign(0)
        worker.flush()
    metrics = Metrics()
    ProcessMetrics(metrics, WORKER, lambda: VITALS)
    counts = WorkerCounts(metrics, WORKER)
    counts.jobs.of("backup")
    skip = SkipNews("backup", SkipReason.MISSED, NOON, NOON, 1)
    ended = Ended(a_run(), Outcome.FAILED)
    news: list[News | SkipNews] = [
        News(a_run(), "queued", ""),
        News(a_run(), "succeeded", ""),
        skip,
    ]
    counts.note(Folded(clock.now(), news, [ended]))
    mark = worker.member.ledgers[0].book.mark("backup")
    mark.succeeded_at, mark.paused = NOON, Paused(halted_at=NOON)
    WorkerMetrics(metrics, WORKER, worker.member, counts, lambda: state)
    OverdueMetrics(metrics, "cluster-a", lambda: [OVERDUE])
    NoticeCounts(metrics, WORKER, Kind, RESULTS)
    return metrics


def families(metrics: Metrics) -> dict[str, Metric]:
    """Return the families of ours, by the names that Prometheus has for them."""
    found = {}
    for family in metrics.collect():
        suffix = "_total" if family.type == "counter" else ""
        found[f"{family.name}{suffix}"] = family
    return {name: found[name] for name in found if name.startswith("cronstream_")}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return the value of the series that has some labels; None if there is none."""
    found = [
        sample.value
        for family in metrics.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1, found
    return found[0] if found else None
