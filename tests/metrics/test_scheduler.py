"""What a scheduler tells of what it publishes, and of its crontab."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from cronstream.core.crontab.parser import Crontab
from cronstream.core.planning.cursor import Cursor
from cronstream.core.planning.due import Shard
from cronstream.crontab_file import crontab_of
from cronstream.errors import CrontabError, ScheduleError
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.scheduler import SchedulerMetrics, SchedulerState
from cronstream.metrics.scheduler_counts import SchedulerCounts
from cronstream.topology.log_message import LogMessage
from tests.builders import NAMES, NOON, a_run, at
from tests.metrics.built import families, value
from tests.scheduler.fakes import Bench, FakeStream, a_job, turns

GOOD = b"version: 1\nclusters: {a: }\njobs: []\n"


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    return bench


def of(bench: Bench, name: str, **labels: str) -> float | None:
    return value(bench.metrics, f"cronstream_{name}", **labels)


async def test_what_kafka_has_taken_was_published_in_time(bench: Bench) -> None:
    bench.define(a_job(), a_job("report", "@every 20s", cluster="b"))
    await bench.tick()

    assert of(bench, "runs_published_total", cron_job="backup", cluster="a") == 4
    assert of(bench, "runs_published_total", cron_job="report", cluster="b") == 2
    assert of(bench, "runs_missed_total", cron_job="report", cluster="b") == 0
    assert of(bench, "run_publish_delay_seconds_count", cluster="a") == 4
    assert of(bench, "run_publish_delay_seconds_sum", cluster="a") == 1  # Of the first, by 1 s.
    assert of(bench, "scheduler_tick_duration_seconds_count") == 1


async def test_what_kafka_has_not_taken_is_not_counted(bench: Bench) -> None:
    bench.define(a_job())
    bench.broker.silent[NAMES.log("a")] = True
    await bench.tick()

    assert of(bench, "runs_published_total", cron_job="backup") is None


async def test_due_times_that_were_missed_are_counted_one_by_one(bench: Bench) -> None:
    bench.define(a_job(missed_grace_s=60.0))
    await bench.tick()
    bench.clock.passed += 1000
    await bench.fire()

    missed = of(bench, "runs_missed_total", cron_job="backup", cluster="a")
    published = of(bench, "runs_published_total", cron_job="backup", cluster="a")
    assert missed
    assert published
    assert missed + published == (1000 + 1 + 30) // 10 + 1


async def test_a_takeover_ends_when_all_that_is_due_is_published(bench: Bench) -> None:
    bench.define(a_job())
    assert of(bench, "scheduler_takeover_duration_seconds_count") == 0
    for _ in range(3):
        await bench.tick()
    assert of(bench, "scheduler_takeover_duration_seconds_count") == 1
    assert of(bench, "scheduler_takeover_duration_seconds_sum") == 1

    bench.scheduler.revoked()
    bench.scheduler.assigned({0})  # It was its own before.
    await bench.tick()
    assert of(bench, "scheduler_takeover_duration_seconds_count") == 1


async def test_a_message_that_is_no_tick_is_counted_by_its_topic(bench: Bench) -> None:
    message = LogMessage(NAMES.ticks, 0, 0, NOON, None, b"nonsense")
    await bench.scheduler.fire(FakeStream(message))

    assert bench.counts.quarantined == {NAMES.ticks: 1}
    state = SchedulerState(0, 1, None, topics=(NAMES.ticks,), not_moved={"old": 3})
    SchedulerMetrics(bench.metrics, bench.counts, lambda: state)
    assert of(bench, "messages_quarantined_total", topic=NAMES.ticks, reason="unreadable") == 1
    assert of(bench, "messages_quarantined_total", topic="old", reason="unreadable") == 3


async def test_a_crontab_that_is_not_good_leaves_the_digest_of_the_one_before(
    bench: Bench,
) -> None:
    stop = asyncio.Event()
    following = asyncio.create_task(bench.scheduler.follow_crontab(stop))
    good = crontab_of(GOOD, "crontab.yaml")
    for found in (good, CrontabError("crontab.yaml", [])):
        await bench.files.put(found)
    await turns(20)
    SchedulerMetrics(bench.metrics, bench.counts, lambda: SchedulerState(0, 1, None))

    assert of(bench, "crontab_valid") == 0
    assert of(bench, "crontab_info", digest=good.digest) == 1
    assert of(bench, "crontab_jobs") == 0
    assert of(bench, "crontab_reloads_total", result="success") == 1
    assert of(bench, "crontab_reloads_total", result="failure") == 1
    assert of(bench, "crontab_loaded_timestamp_seconds")
    await bench.files.put(None)
    await following


def test_a_digest_is_what_sha256sum_says_of_the_file() -> None:
    assert crontab_of(GOOD, "crontab.yaml").digest == "460742f7e190"
    assert crontab_of(GOOD + b"\n", "crontab.yaml") == crontab_of(GOOD, "crontab.yaml")


class Fired:
    """A scheduler of one shard, at a time that a test sets."""

    def __init__(self, *jobs: Any) -> None:
        self.now, self.shard, self.metrics = NOON, Shard(30.0), Metrics()
        self.asked: list[datetime] = []
        for revision, job in enumerate(jobs):
            self.shard.learn(job, revision)
        state = SchedulerState(0, 1, 0, {0: self.shard})
        self.counts = SchedulerCounts(self.metrics)
        SchedulerMetrics(self.metrics, self.counts, lambda: state, lambda: self.now)

    def due(self, job: str = "backup") -> float | None:
        name = "cronstream_job_next_due_timestamp_seconds"
        return value(self.metrics, name, cron_job=job, cluster="a")


def test_a_job_is_due_next_after_now_though_that_is_published_already() -> None:
    fired = Fired(a_job(schedule="@every 10s"))
    assert fired.due() == at(10).timestamp()
    fired.now = at(9)
    assert fired.due() == at(10).timestamp()
    fired.now = at(10)
    assert fired.due() == at(20).timestamp()

    fired.shard.learn(a_job(schedule="@every 1m"), 1)
    assert fired.due() == at(60).timestamp()
    fired.shard.learn(a_job(removed=True), 2)
    assert fired.due() is None


def test_a_job_that_is_never_due_has_no_time() -> None:
    fired = Fired()
    with pytest.raises(ScheduleError):
        fired.shard.learn(a_job(schedule="0 0 30 2 *"), 0)
    assert fired.due() is fired.due() is None
    assert fired.shard.next_due("nobody", NOON) is None


def test_a_job_that_the_crontab_disables_is_not_due_next() -> None:
    fired = Fired(a_job(enabled=False), a_job("report"))
    assert fired.due() is None
    assert fired.due("report")


def test_counters_of_a_job_are_there_before_it_is_first_due() -> None:
    fired = Fired(a_job("yearly", "0 0 1 7 *"))
    assert fired.due("yearly")
    assert value(fired.metrics, "cronstream_runs_published_total", cron_job="yearly") == 0


def test_six_hundred_jobs_make_as_many_series_as_five_hundred_and_one() -> None:
    fired = Fired(*(a_job(f"job-{number}") for number in range(600)))
    found = families(fired.metrics)
    fired.counts.acknowledged("a", a_run(job="job-599"), NOON)

    due = "cronstream_job_next_due_timestamp_seconds"
    assert len(found[due].samples) == 500  # What the rest is due next is known by the first plan.
    found = families(fired.metrics)
    assert len(found["cronstream_runs_published_total"].samples) == 501
    name = "cronstream_runs_published_total"
    assert value(fired.metrics, name, cron_job="_other", cluster="a") == 1
    assert value(fired.metrics, name, cron_job="job-499") == 0


def test_jobs_that_share_a_label_are_due_when_the_first_of_them_is() -> None:
    jobs = [a_job(f"job-{number}", "@every 10s") for number in range(500)]
    fired = Fired(*jobs, a_job("rare", "@every 3m"), a_job("other", "@every 2m", cluster="b"))
    fired.shard.learn(a_job("often", "@every 50s"), 502)
    families(fired.metrics)
    fired.shard.plan(Cursor(0, at(0), taken=503), NOON)
    assert fired.due("_other") == at(50).timestamp()
    due = "cronstream_job_next_due_timestamp_seconds"
    assert value(fired.metrics, due, cron_job="_other", cluster="b") == at(120).timestamp()

    fired.shard.learn(a_job("often", "@every 50s", removed=True), 503)
    fired.shard.plan(Cursor(0, at(0), taken=503), NOON)
    assert fired.due("_other") == at(180).timestamp()
    assert len(families(fired.metrics)[due].samples) == 502


def test_nothing_is_known_of_a_crontab_before_it_was_read() -> None:
    fired = Fired()
    for name in ("valid", "info", "jobs", "loaded_timestamp_seconds"):
        assert value(fired.metrics, f"cronstream_crontab_{name}") is None
    assert Crontab((), ()).digest == ""


def test_what_waits_to_be_handed_over_is_counted_by_cluster_with_the_age_of_the_oldest() -> None:
    metrics, waiting = Metrics(), {"a": [at(-90), at(-30)], "b": []}
    state = SchedulerState(None, 0, None, to_hand_over=waiting)
    SchedulerMetrics(metrics, SchedulerCounts(metrics), lambda: state, lambda: NOON)

    def told(name: str) -> list[float | None]:
        return [value(metrics, f"cronstream_{name}", cluster=cluster) for cluster in ("a", "b")]

    assert told("runs_to_hand_over") == [2, 0]
    assert told("oldest_run_to_hand_over_age_seconds") == [90, 0]
