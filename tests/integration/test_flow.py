"""The way of a run on a real Kafka, through real processes."""

import asyncio
import json
import os
import re
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cronstream.json_lines import is_object
from cronstream.logs import read_line
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.scraped import Series, found, scrape, total
from tests.integration.truth import Truth, a_name
from tests.tracing.collector import Collected, Collector, a_collector

pytestmark = pytest.mark.integration

#: For workers whose commands would not end for long.
IMPATIENT = {"CRONSTREAM_DRAIN_S": "0.5"}


async def _start_all(
    start: StartWorker, clusters: list[str], crontab: str, form: str = "plain", **more: str
) -> dict[str, Any]:
    """Start a scheduler, and for each cluster a worker and a retry worker, all at once."""
    roles: dict[str, list[str]] = {"scheduler": []}
    for cluster in clusters:
        roles[cluster] = ["--cluster", cluster, "--loglevel", "debug"]
        roles[f"{cluster}.retry"] = ["--cluster", cluster, "--retry"]
    started = await asyncio.gather(
        *(
            start(
                *options,
                crontab=crontab,
                variables={
                    "WORKER": name,
                    "CRONSTREAM_LOG_FORMAT": form,
                    "CRONSTREAM_METRICS_BIND": "127.0.0.1",
                    "CRONSTREAM_LOG_OUTPUT": str(form == "json"),
                    **more,
                },
            )
            for name, options in roles.items()
        )
    )
    return dict(zip(roles, started, strict=True))


async def test_each_attempt_is_made_by_the_worker_whose_it_is(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    a, b = a_name("a"), a_name("b")
    truth, third = Truth(tmp_path), "test $CRONSTREAM_ATTEMPT -ge 3"
    await _start_all(
        start_worker,
        [a, b],
        f"""
version: 1
clusters: {{{a}: , {b}: }}
defaults: {{max_attempts: 3, backoff: {{first: 0.2s, factor: 1, jitter: 0}}}}
jobs:
  - {{name: {a}-doomed, cluster: {a}, schedule: "@every 4s", command: '{truth.command}; exit 3'}}
  - {{name: {b}-third, cluster: {b}, schedule: "@every 4s", command: '{truth.command}; {third}'}}
  - {{name: {b}-fine, cluster: {b}, schedule: "@every 2s", command: '{truth.command}'}}
""",
    )
    await truth.wait(6, f"{a}-doomed")
    await truth.wait(6, f"{b}-third")
    lines = await truth.wait(4, f"{b}-fine") and truth.lines()

    for line in lines:
        cluster = line.job.rpartition("-")[0]
        assert line.worker == (cluster if line.attempt == 1 else f"{cluster}.retry")
    assert max(Counter((line.run, line.attempt) for line in lines).values()) == 1
    doomed = Counter(line.run for line in truth.lines(f"{a}-doomed"))
    assert max(doomed.values()) == 3
    assert all(line.attempt == 1 for line in truth.lines(f"{b}-fine"))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with a_collector() as collector:
        yield collector


async def test_what_becomes_of_a_run_is_said_by_its_cluster(
    start_worker: StartWorker, tmp_path: Path, collector: Collector
) -> None:
    cluster = a_name("said")
    truth = Truth(tmp_path)
    traceparents, note = tmp_path / "traceparents", 'echo "$CRONSTREAM_RUN_ID $TRACEPARENT"'
    workers = await _start_all(
        start_worker,
        [cluster],
        f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, max_attempts: 2, backoff: {{first: 0.2s, jitter: 0}}}}
jobs:
  - {{name: {cluster}-doomed, schedule: "@every 5s",
     command: '{truth.command}; echo almost; exit 3'}}
  - {{name: {cluster}-fine, schedule: "@every 5s",
     command: '{truth.command}; {note} >> {traceparents}'}}
""",
        form="json",
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    worker, retry = workers[cluster], workers[f"{cluster}.retry"]

    assert f"run {cluster}-fine@" in await worker.said("succeeded (attempt 1)")
    await worker.said("attempt 1 failed (exit status 3), 1 of 2 failures; next attempt not before")
    await retry.said("discarded (attempt 2 failed (exit status 3), 2 of 2 failures)")
    await worker.said("discarded (after retries)")
    await _see_tables(workers["scheduler"], worker, cluster)
    await _see_metrics(workers["scheduler"], worker, retry, cluster)
    await asyncio.gather(*(one.stop() for one in workers.values()))
    for one in workers.values():  # From the first line to the last.
        assert [line for line in one.lines if not is_object(line)] == []
    _see_fields(worker, retry, cluster)
    _see_traces(collector.spans, traceparents.read_text().splitlines(), cluster)


def _see_traces(spans: list[Collected], traceparents: list[str], cluster: str) -> None:
    """See that a run is one trace of all processes, which its command goes on with."""
    doomed = {span.trace for span in spans if span.name == f"attempt {cluster}-doomed"}
    roles = {
        trace: {span.process["cronstream.role"] for span in spans if span.trace == trace}
        for trace in doomed
    }
    assert {"scheduler", "worker", "retry-worker"} in roles.values()
    attempts = {(s.trace, s.id): s for s in spans if s.name == f"attempt {cluster}-fine"}
    joined = [tuple(line.split("-")[-3:-1]) for line in traceparents]
    known = [attempts[ids] for ids in joined if ids in attempts]
    assert known
    for attempt in known:
        of_run = {span.name: span for span in spans if span.trace == attempt.trace}
        assert of_run.keys() == {
            f"{x} {cluster}-fine" for x in ("publish", "wait", "attempt", "run")
        }
        assert {span.parent for span in of_run.values()} == {of_run[f"run {cluster}-fine"].id, ""}


def _see_fields(worker: StartedWorker, retry: StartedWorker, cluster: str) -> None:
    """See that each change of a run is one line, which says what has changed in its fields."""
    lines = [read_line(line) for line in worker.lines]
    of_runs = [line for line in lines if "run" in line and "offset" in line]
    assert {line["cluster"] for line in of_runs} == {cluster}
    changes = Counter((x["partition"], x["offset"], x["run"], x["action"]) for x in of_runs)
    assert max(changes.values()) == 1
    ended = {line["action"]: line for line in of_runs if "seconds" in line}
    assert ended["succeeded"]["outcome"] == "succeeded"
    assert (ended["finished"]["outcome"], ended["finished"]["attempt"]) == ("failed", 1)
    assert 0 <= ended["finished"]["seconds"] < 60
    [given_up, *_] = [x for x in map(read_line, retry.lines) if x.get("action") == "discarded"]
    assert (given_up["outcome"], given_up["attempt"]) == ("failed", 2)
    assert "seconds" in given_up
    written = [line for line in lines if line.get("action") == "output"]
    assert {(line["message"], line["job"]) for line in written} == {("almost", f"{cluster}-doomed")}
    assert {line["run"] for line in written} <= {line["run"] for line in of_runs}


async def _see_tables(scheduler: StartedWorker, worker: StartedWorker, cluster: str) -> None:
    job = await _table(scheduler, f"jobs/{cluster}-fine")
    assert job["cluster"] == cluster
    assert job["schedule"] == "@every 5s"
    assert (await _table(scheduler, "cursors/0"))["shard"] == 0
    said = await worker.said("attempt 1 started")
    run = read_line(said)["run"]
    for hidden in ("table/ledgers/3/", "router/", "router/jobs/", "graph/", "processing/stats/"):
        assert await _status(worker, hidden) == 404
    for page in ("table/jobs/", "health", "table/", "router/", "no/such/page"):
        assert await _status(scheduler, page, Host="evil.example") == 421
        assert await _status(worker, page, Host="localhost:80") != 421
    row = await _table(worker, f"runs/{run}")
    assert row["state"] in {"queued", "claimed", "running", "retryable", "succeeded", "discarded"}


async def _see_metrics(
    scheduler: StartedWorker, worker: StartedWorker, retry: StartedWorker, cluster: str
) -> None:
    began = time.time()  # What follows takes long on a busy machine; the scheduler answers first.
    of_scheduler, of_worker, of_retry = [
        await scrape(f"{await _pages(one)}/metrics") for one in (scheduler, worker, retry)
    ]
    for series in (of_scheduler, of_worker, of_retry):
        assert total(series, "cronstream_healthy") == 1
        assert total(series, "cronstream_health_fault") == 0
        assert 0 < total(series, "cronstream_broker_round_trip_seconds") < 5
        assert len(found(series, "cronstream_clock_difference_seconds", against="broker")) == 1
    assert total(of_scheduler, "cronstream_scheduler_shards_owned") == 1
    assert 0 < total(of_scheduler, "cronstream_scheduler_ahead_seconds") <= 30
    published = total(of_scheduler, "cronstream_runs_published_total", cluster=cluster)
    delays = [
        total(of_scheduler, f"cronstream_run_publish_delay_seconds_{name}", cluster=cluster)
        for name in ("count", "sum")
    ]
    assert published == delays[0] >= 2
    assert delays[1] / published < 5
    assert total(of_scheduler, "cronstream_runs_missed_total", cluster=cluster) == 0
    assert total(of_scheduler, "cronstream_scheduler_takeover_duration_seconds_count") == 1
    next_due = "cronstream_job_next_due_timestamp_seconds"
    [due] = found(of_scheduler, next_due, cron_job=f"{cluster}-fine", cluster=cluster)
    assert abs(due - began) < 6
    assert total(of_scheduler, "cronstream_crontab_valid") == 1
    assert total(of_scheduler, "cronstream_crontab_reloads_total", result="success") == 1
    assert total(of_scheduler, "cronstream_crontab_jobs") == 2
    ticked_at = total(of_scheduler, "cronstream_scheduler_last_tick_timestamp_seconds")
    assert abs(time.time() - ticked_at) < 20
    assert total(of_worker, "cronstream_partitions_owned", cluster=cluster, role="worker") == 12
    assert len(found(of_retry, "cronstream_fold_lag_messages", role="retry-worker")) == 12
    _see_counts(of_worker, of_retry, cluster)
    line = await retry.said("its metrics are at 127.0.0.1, port ")
    port = re.findall(r"port (\d+)", line)[0]  # Whichever was free.
    assert total(await scrape(f"http://127.0.0.1:{port}/metrics"), "cronstream_healthy") == 1


def _see_counts(of_worker: Series, of_retry: Series, cluster: str) -> None:
    """See that what came of the runs is counted, by the one of the two workers that it is with."""
    fine, doomed = ({"cron_job": f"{cluster}-{name}"} for name in ("fine", "doomed"))
    assert total(of_worker, "cronstream_runs_succeeded_total", **fine) >= 1
    assert total(of_worker, "cronstream_attempts_total", outcome="failed", **doomed) >= 1
    assert total(of_worker, "cronstream_retries_total", **doomed) >= 1
    assert found(of_worker, "cronstream_runs_discarded_total", **doomed) == [0]
    assert total(of_retry, "cronstream_runs_discarded_total", **doomed) >= 1
    assert total(of_retry, "cronstream_attempts_total", outcome="failed", **doomed) >= 1
    [succeeded_at] = found(of_worker, "cronstream_job_last_success_timestamp_seconds", **fine)
    assert abs(time.time() - succeeded_at) < 60
    assert not found(of_worker, "cronstream_job_last_success_timestamp_seconds", **doomed)
    for series in (of_worker, of_retry):
        started = total(series, "cronstream_run_start_delay_seconds_count")
        ended = total(series, "cronstream_attempt_duration_seconds_count")
        claimed = total(series, "cronstream_run_claim_delay_seconds_count")
        assert claimed >= started >= ended >= 1
        assert total(series, "cronstream_attempt_duration_seconds_sum") < 10 * ended
        assert total(series, "cronstream_runs_refused_total") == 0
        assert total(series, "cronstream_messages_quarantined_total") == 0


async def _table(worker: StartedWorker, path: str) -> Any:
    url = f"{await _pages(worker)}/table/{path}/"
    return json.loads(await asyncio.to_thread(_get, url))


async def _status(worker: StartedWorker, path: str, **headers: str) -> int:
    url = await _pages(worker)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{url}/{path}") as answer,
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return answer.status


async def _pages(worker: StartedWorker) -> str:
    """Return where its pages are, as it says itself: nobody may look at its descriptors."""
    said = read_line(await worker.said("its pages are at http:"))["message"]
    return f"http:{said.partition('http:')[2].removesuffix('/table/')}"


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


async def test_a_command_that_runs_ends_before_its_worker_does(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("drain")
    truth = Truth(tmp_path)
    workers = await _start_all(
        start_worker,
        [cluster],
        _one_job(cluster, f"sleep 2; {truth.command}"),
    )
    worker = workers[cluster]
    await worker.said("attempt 1 started")

    assert await worker.stop() == 0

    assert len(truth.lines()) == 1
    assert not any("interrupted" in line for line in worker.lines)


@pytest.mark.parametrize(
    ("own", "variables"),
    [("", IMPATIENT), ("on_stop: interrupt", {"CRONSTREAM_DRAIN_S": "600"})],
)
async def test_a_command_that_takes_too_long_to_end_is_interrupted_and_made_again(
    start_worker: StartWorker, tmp_path: Path, own: str, variables: dict[str, str]
) -> None:
    cluster = a_name("interrupt")
    truth = Truth(tmp_path)
    crontab = _one_job(cluster, f"{truth.command}; sleep 60", every="30s", own=own)
    first = await start_worker(
        "--cluster", cluster, crontab=crontab, variables={**variables, "WORKER": "first"}
    )
    await start_worker(crontab=crontab)
    await first.said("attempt 1 started")
    second = await start_worker("--cluster", cluster, variables={**variables, "WORKER": "second"})

    assert await first.stop() == 0

    await second.said("attempt 2 started", within_s=40)
    assert [(line.attempt, line.worker) for line in truth.lines()[:2]] == [
        (1, "first"),
        (2, "second"),
    ]


async def test_a_worker_that_stops_starts_what_is_due_before_its_partitions_have_a_new_owner(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("leaves")
    truth = Truth(tmp_path)
    jobs = {f"j{n}": {"command": truth.command, "schedule": "@every 1s"} for n in range(8)}
    crontab = json.dumps(
        {
            "version": 1,
            "clusters": [cluster],
            "jobs": [{"name": name, "cluster": cluster, **job} for name, job in jobs.items()],
        }
    )
    first = await start_worker("--cluster", cluster, variables={"WORKER": "first"}, crontab=crontab)
    await start_worker(crontab=crontab)
    await first.said("attempt 1 started")
    second = await start_worker("--cluster", cluster, variables={"WORKER": "second"})
    await second.said("attempt 1 started")
    await asyncio.sleep(5)  # It is known to be there, and both have claimed ahead.
    stopped_at = time.time()

    assert await first.stop() == 0
    lines = await truth.wait(len(truth.lines()) + 8 * 10)

    assert max(Counter((line.run, line.attempt) for line in lines).values()) == 1
    assert {line.attempt for line in lines} == {1}
    assert any(line.worker == "first" and _due(line.run) > stopped_at + 1 for line in lines)
    for name in jobs:
        due = sorted(_due(line.run) for line in lines if line.job == name)[:-3]
        assert [after - before for before, after in pairwise(due)] == [1.0] * (len(due) - 1)


def _due(run: str) -> float:
    return datetime.fromisoformat(run.partition("@")[2]).timestamp()


async def test_the_runs_of_a_killed_worker_are_made_elsewhere(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster = a_name("killed")
    truth = Truth(tmp_path)
    crontab = _one_job(cluster, f"{truth.command}; sleep 60", every="30s")
    first = await start_worker(
        "--cluster", cluster, crontab=crontab, variables={**IMPATIENT, "WORKER": "first"}
    )
    await start_worker(crontab=crontab)
    await first.said("attempt 1 started")
    second = await start_worker("--cluster", cluster, variables={**IMPATIENT, "WORKER": "second"})

    os.kill(first.pid, signal.SIGKILL)
    killed = time.monotonic()

    await second.said("attempt 1 lost; it is made again", within_s=30)
    await second.said("attempt 2 started", within_s=30)
    assert time.monotonic() - killed < 20, "10 s are promised; the machine may be busy"
    await truth.wait(2)
    assert [line.worker for line in truth.lines()[:2]] == ["first", "second"]


def _one_job(cluster: str, command: str, every: str = "5s", own: str = "") -> str:
    return f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - name: {cluster}-job
    cluster: {cluster}
    schedule: "@every {every}"
    command: '{command}'
    {own}
"""


async def test_whichever_process_is_asked_shows_a_row_to_who_has_the_token(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth, token = a_name("token"), Truth(tmp_path), tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    variables = {"CRONSTREAM_WEB_TOKEN_FILE": str(token)}
    crontab = _one_job(cluster, truth.command, every="1s")
    workers = [
        await start_worker("--cluster", cluster, crontab=crontab, variables=variables)
        for _ in range(2)
    ]
    await start_worker(variables=variables)
    [line, *_] = await truth.wait(3)
    page = f"table/runs/{line.run}/"
    for worker in workers:
        assert await _status(worker, page, Authorization="Bearer 0123456789abcdef") == 200
        assert await _status(worker, page) == 401
        assert await _status(worker, "health") in (200, 503)
