"""What a span of time would be like: held against a small model, and at its edges."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.forecast.figures import Forecast, JobFigures, PoolFigures
from cronstream.core.forecast.forecast import forecast
from cronstream.core.forecast.given import Crew, Span
from cronstream.core.forecast.lasting import Lasting, Sample
from cronstream.core.wire.enumerations import Ending, Overlap
from cronstream.core.wire.runs import Backoff, Job, RetryOn, Then
from tests.builders import NOON, at
from tests.core.forecast.small_model import SmallModel


def a_job(name: str = "a", schedule: str = "* * * * *", **fields: Any) -> Job:
    values = {"cluster": "x", "timezone": "UTC", "command": "true", **fields}
    return Job(name=name, schedule=schedule, **values)


def lasts(**seconds: float) -> dict[str, Lasting]:
    return {name: Lasting((Sample(length),)) for name, length in seconds.items()}


def an_hour(start: datetime = NOON, step_s: float = 60.0) -> Span:
    return Span(start, start + timedelta(hours=1), step_s)


# -- against the small model -----------------------------------------------------------------------

_SECONDS = 90


@st.composite
def some_jobs(draw: st.DrawFn) -> tuple[list[Job], dict[str, tuple[int, bool]]]:
    jobs, how = [], {}
    for number in range(draw(st.integers(1, 4))):
        name = f"job-{number}"
        every, first = draw(st.integers(2, 20)), draw(st.integers(0, 9))
        jobs.append(
            a_job(
                name,
                f"@every {every}s from 00:00:0{first}",
                cluster=draw(st.sampled_from(["x", "x", "y"])),
                overlap=draw(st.sampled_from(Overlap)),
                max_queue=draw(st.integers(1, 3)),
                max_running=draw(st.integers(1, 3)),
                max_attempts=draw(st.integers(1, 3)),
                backoff=Backoff(first_s=draw(st.integers(1, 9)), jitter=0.0),
                retry_on=RetryOn(timeouts=draw(st.booleans())),
                timeout_s=draw(st.sampled_from([None, None, 5.0, 12.0])),
                start_within_s=draw(st.sampled_from([None, None, 1.0, 7.0])),
            )
        )
        how[name] = (draw(st.integers(1, 25)), draw(st.booleans()))
    return jobs, how


@settings(max_examples=100, deadline=None)
@given(some_jobs(), st.integers(1, 3))
def test_each_second_is_as_in_a_model_that_looks_at_every_run(
    drawn: tuple[list[Job], dict[str, tuple[int, bool]]], slots: int
) -> None:
    jobs, how = drawn
    begin = at(0)
    jobs = [job.derive(schedule=f"{job.schedule}; start 2026-01-01T12:00") for job in jobs]
    model = SmallModel(jobs, how, slots, begin)
    model.go(_SECONDS)
    span = Span(begin, at(_SECONDS), 1.0)
    lasting = {name: Lasting((Sample(*each),)) for name, each in how.items()}

    found = forecast(jobs, lasting, span, Crew(slots=slots))

    for pool in found.pools:
        key = (pool.cluster, pool.retry)
        assert pool.used.steps == tuple(model.used[*key, n] for n in range(_SECONDS))
        assert pool.waiting.steps == tuple(model.waiting[*key, n] for n in range(_SECONDS))
    for job in found.jobs:
        count = model.counts[job.job.name]
        for name in ("runs", "overlapped", "skipped", "replaced", "late", "retried", "discarded"):
            assert (name, getattr(job, name)) == (name, count[name]), job
        assert (job.waited, job.longest_wait_s) == (count["waited"], count["longest"])
        assert job.at_once == count["at_once"]


# -- at its edges ----------------------------------------------------------------------------------


def only(found: Forecast) -> tuple[PoolFigures, JobFigures]:
    return found.pools[0], found.jobs[0]


def test_what_is_due_at_once_waits_where_slots_are_few() -> None:
    jobs = [a_job(name, "0 * * * *") for name in "abc"]
    found = forecast(jobs, lasts(a=60, b=60, c=60), an_hour(), Crew(slots=2))
    pool, _ = only(found)
    assert (pool.slots, pool.used.most, pool.used.most_at) == (2, 2, NOON)
    assert (pool.waiting.most, pool.started, pool.waited) == (1, 3, 1)
    assert (pool.longest_wait_s, pool.longest_wait) == (60.0, "c@2026-01-01T12:00:00Z")
    assert pool.used.mean == pytest.approx(180 / 3600)
    [busy] = found.busiest
    assert (busy.at, busy.cluster, busy.count, busy.jobs) == (NOON, "x", 3, ("a", "b", "c"))


def test_a_run_that_is_due_before_the_span_has_its_slot_in_it() -> None:
    found = forecast([a_job("a", "50 11 * * *")], lasts(a=900), an_hour(), Crew())
    pool, job = only(found)
    assert (job.runs, job.is_quiet, found.runs) == (0, True, 0)
    assert pool.used.steps == (1,) * 5 + (0,) * 55
    assert (pool.used.most_at, pool.started) == (NOON, 0)


def test_a_timeout_bounds_how_long_before_the_span_is_looked_at() -> None:
    job = a_job("a", "50 11 * * *", timeout_s=300.0)
    pool, _ = only(forecast([job], lasts(a=900), an_hour(), Crew()))
    assert pool.used.most == 0


def test_later_attempts_have_workers_of_their_own() -> None:
    job = a_job("a", "0 * * * *", max_attempts=2, backoff=Backoff(first_s=60, jitter=0.0))
    found = forecast([job], {"a": Lasting((Sample(60, False),))}, an_hour(), Crew(slots=1))
    first, retry = found.pools
    assert (first.retry, retry.retry, found.jobs[0].discarded) == (False, True, 1)
    assert (first.used.steps[:4], retry.used.steps[:4]) == ((1, 0, 0, 0), (0, 0, 1, 0))


def test_what_follows_a_run_comes_when_that_has_its_verdict() -> None:
    last = a_job("last", "@never")
    load = a_job("load", "@never", then=[Then(on=Ending.SETTLED, job=last)])
    alert = a_job("alert", "@never", start_within_s=1.0)
    then = [Then(on=Ending.SUCCEEDED, job=load), Then(on=Ending.DISCARDED, job=alert)]
    good, bad = (a_job(name, "0 * * * *", then=then) for name in ("good", "bad"))
    lasting = lasts(good=300, load=120, last=60, alert=60)
    lasting["bad"] = Lasting((Sample(60, False),))
    found = forecast([good, bad, load, alert, last], lasting, an_hour(), Crew())
    assert {job.job.name: job.runs for job in found.jobs} == dict.fromkeys(lasting, 1)
    assert found.pools[0].used.steps[:10] == (2, 2, 1, 1, 1, 1, 1, 1, 0, 0)


def test_a_run_waits_for_its_own_worker_even_if_another_is_idle() -> None:
    jobs = [a_job(name, "0 * * * *") for name in ("a", "b")]
    crew = Crew(workers=2, slots=1, worker_of=lambda _: 1)
    pool, _ = only(forecast(jobs, lasts(a=60, b=60), an_hour(), crew))
    assert (pool.slots, pool.used.most, pool.waited) == (2, 1, 1)


def test_each_run_is_as_long_as_one_that_was_seen_and_always_the_same() -> None:
    lasting = Lasting((Sample(1), Sample(50), Sample(3, False)))
    one, other = (
        forecast([a_job("a")], {"a": lasting}, an_hour(step_s=5), Crew()) for _ in range(2)
    )
    assert one == other
    assert 3 < one.jobs[0].discarded < 40
    assert 5 < sum(one.pools[0].used.steps[6::12]) < 40


def test_too_many_runs_are_refused_rather_than_gone_through() -> None:
    with pytest.raises(ValueError, match=r"has more than 10 runs; make it shorter"):
        forecast([a_job("a")], lasts(a=1), an_hour(), Crew(), most=10)


def test_of_many_busy_seconds_the_busiest_are_named_the_earlier_first() -> None:
    jobs = [a_job("a"), a_job("b"), a_job("c", "7,9 * * * *"), a_job("d", "3 12 * * *")]
    found = forecast(jobs, lasts(a=1, b=1, c=1, d=1), an_hour(), Crew())
    assert [busy.count for busy in found.busiest] == [3, 3, 3, *[2] * 7]
    assert [busy.at.minute for busy in found.busiest] == [3, 7, 9, 0, 1, 2, 4, 5, 6, 8]
