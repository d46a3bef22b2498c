"""What becomes of due times that were missed: none, one or each is run, and never as a herd."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from cronstream.core.planning import pace
from cronstream.core.planning.cursor import Cursor
from cronstream.core.planning.due import Shard
from cronstream.core.planning.pace import Course
from cronstream.core.planning.plan import Plan
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import Missed, SkipReason
from cronstream.core.wire.runs import Job, Run
from tests.core.planning.test_due import LOOK_AHEAD_S, START, a_job, at, fresh

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def a_shard(*jobs: Job, step: int | None = None) -> Shard:
    shard = Shard(LOOK_AHEAD_S, step=step)
    for revision, job in enumerate(jobs):
        shard.learn(job, revision)
    return shard


def begun(shard: Shard, until: float = 0.0) -> Cursor:
    """Return where a shard is after all has gone well up to a time."""
    cursor, is_complete = fresh(), False
    while not is_complete:
        plan = shard.plan(cursor, at(until))
        shard.accept(plan)
        cursor, is_complete = plan.cursor, plan.complete
    return cursor


def catch_up(shard: Shard, cursor: Cursor, now: datetime) -> list[Plan]:
    """Publish all that is due, while time goes on."""
    plans: list[Plan] = []
    while not plans or not plans[-1].complete:
        assert len(plans) < 5_000
        plan = shard.plan(cursor, now)
        shard.accept(plan)
        plans.append(plan)
        cursor, now = plan.cursor, now + timedelta(milliseconds=1)
    return plans


def runs_of(*plans: Plan) -> list[Run]:
    return [m for plan in plans for _, m in plan.messages if isinstance(m, Run)]


def became(plans: list[Plan], now: datetime) -> Counter[str]:
    """Return how many due times up to now are late, made up for, or skipped, by reason."""
    found: Counter[str] = Counter()
    for plan in plans:
        for _, entry in plan.messages:
            if isinstance(entry, Skip):
                found[entry.reason.value] += entry.count
            elif isinstance(entry, Run) and entry.scheduled_at <= now:
                found["late" if entry.as_of is None else "made up for"] += 1
    return found


@pytest.mark.parametrize("step", [None, 7])
@pytest.mark.parametrize(
    ("missed", "every_s", "outage_s", "expected"),
    [
        (Missed.SKIP, MINUTE, 2 * MINUTE, {"late": 2}),
        (Missed.ONCE, MINUTE, 2 * MINUTE, {"late": 2}),
        (Missed.ALL, MINUTE, 2 * MINUTE, {"late": 2}),
        (Missed.SKIP, MINUTE, 2 * HOUR, {"late": 5, "missed": 115}),
        (Missed.ONCE, MINUTE, 2 * HOUR, {"late": 1, "coalesced": 119}),
        (Missed.ALL, MINUTE, 2 * HOUR, {"late": 5, "made up for": 115}),
        (Missed.SKIP, MINUTE, 2 * DAY, {"late": 5, "missed": 2_875}),
        (Missed.ONCE, MINUTE, 2 * DAY, {"late": 1, "coalesced": 2_879}),
        (Missed.ALL, MINUTE, 2 * DAY, {"late": 5, "made up for": 2_875}),
        (Missed.SKIP, HOUR, 2 * DAY, {"missed": 48}),
        (Missed.ONCE, HOUR, 2 * DAY, {"made up for": 1, "coalesced": 47}),
        (Missed.ALL, HOUR, 2 * DAY, {"made up for": 48}),
        (Missed.ONCE, HOUR, 2 * HOUR, {"made up for": 1, "coalesced": 1}),
        (Missed.ONCE, DAY, 2 * DAY, {"made up for": 1, "coalesced": 1}),
        (Missed.ALL, DAY, 2 * DAY, {"made up for": 2}),
    ],
)
def test_after_an_outage_each_due_time_becomes_what_the_docs_say(
    missed: Missed, every_s: float, outage_s: float, expected: dict[str, int], step: int | None
) -> None:
    # Due times lie 10 minutes after full hours, so that the newest is past its grace, but for those
    # of each minute.
    job = a_job(schedule=f"@every {every_s:.0f}s from 00:50", missed=missed)
    shard = a_shard(job, step=step)
    cursor, now = begun(shard), at(LOOK_AHEAD_S + outage_s + 0.5)

    assert became(catch_up(shard, cursor, now), now) == Counter(expected)


@pytest.mark.parametrize("step", [None, 3])
def test_where_each_is_run_it_is_one_after_another_and_what_is_due_now_is_on_time(
    step: int | None,
) -> None:
    jobs = [a_job(f"job-{n}", "@every 60s", missed=Missed.ALL) for n in range(20)]
    shard = a_shard(*jobs, step=step)
    cursor, now = begun(shard), at(2 * HOUR + 1)
    plans = catch_up(shard, cursor, now)
    made_up = [run for run in runs_of(*plans) if run.as_of is not None]

    starts = sorted(run.not_before for run in made_up)
    assert len(starts) == 20 * 115
    assert min(b - a for a, b in pairwise(starts)) >= pace.SHARD_EVERY
    for job in jobs:
        own = [run for run in made_up if run.job == job.name]
        assert [run.scheduled_at for run in own] == sorted(run.scheduled_at for run in own)
        assert min(b.not_before - a.not_before for a, b in pairwise(own)) >= pace.JOB_EVERY
    others = [run for run in runs_of(*plans) if run.as_of is None]
    assert {run.not_before - run.scheduled_at for run in others} == {timedelta()}


def test_a_job_alone_starts_once_a_second() -> None:
    shard = a_shard(a_job(missed=Missed.ALL, missed_grace_s=0.0))
    plans = catch_up(shard, begun(shard), at(100))

    assert [(run.not_before - at(100)).total_seconds() for run in runs_of(*plans) if run.as_of] == [
        0,
        1,
        2,
        3,
        4,
        5,
    ]


def test_who_takes_over_halfway_goes_on_at_the_same_pace() -> None:
    job = a_job(missed=Missed.ALL, missed_grace_s=0.0)
    shard = a_shard(job, step=3)
    first = shard.plan(begun(shard), at(100))
    assert first.noted is not None
    again = a_shard(job, step=3).plan(Cursor.from_row(first.noted.to_row()), at(101))
    assert again.messages == first.messages

    successor = a_shard(job, step=3)
    rest = catch_up(successor, Cursor.from_row(first.cursor.to_row()), at(101))

    made_up = [run for run in runs_of(first, *rest) if run.as_of is not None]
    starts = [(run.not_before - at(100)).total_seconds() for run in made_up]
    assert starts == [0, 1, 2, 3, 4, 5, 6][: len(starts)]
    assert len(starts) >= 6


def test_who_takes_over_halfway_knows_what_was_missed_before() -> None:
    job = a_job(missed=Missed.ONCE, missed_grace_s=45.0)
    shard = a_shard(job, step=2)
    first = shard.plan(begun(shard), at(100))
    assert became([first], at(100)) == {"coalesced": 4}

    rest = catch_up(a_shard(job, step=2), Cursor.from_row(first.cursor.to_row()), at(101))

    assert became(rest, at(101)) == {"coalesced": 2, "late": 1}


def test_a_second_outage_stands_behind_the_first() -> None:
    shard = a_shard(a_job(missed=Missed.ALL, missed_grace_s=0.0, schedule="@every 1s"))
    first = catch_up(shard, begun(shard), at(200))
    last = max(run.not_before for run in runs_of(*first) if run.as_of)
    second = catch_up(shard, first[-1].cursor, at(260))

    assert min(run.not_before for run in runs_of(*second) if run.as_of) > last
    assert first[-1].cursor.behind_since is None


def test_nothing_is_left_of_a_catch_up_once_all_has_started() -> None:
    shard = a_shard(a_job(missed=Missed.ALL, missed_grace_s=0.0))
    [done] = catch_up(shard, begun(shard), at(60))
    assert done.cursor.course is not None

    assert shard.plan(done.cursor, at(85)).cursor.course is None


def test_what_would_wait_for_hours_is_skipped_as_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FARTHEST", timedelta(seconds=2))
    shard = a_shard(a_job(missed=Missed.ALL, missed_grace_s=0.0))
    plans = catch_up(shard, begun(shard), at(100))

    assert became(plans, at(100)) == {"made up for": 3, "missed": 3, "late": 1}


def test_what_stands_for_all_is_run_however_many_jobs_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "FARTHEST", timedelta(seconds=0.3))
    jobs = [
        a_job(f"job-{n}", "@every 1h", missed=Missed.ONCE, missed_grace_s=0.0) for n in range(9)
    ]
    shard = a_shard(*jobs)
    now = at(HOUR + 1)

    assert became(catch_up(shard, begun(shard), now), now) == {"made up for": 9}


def test_starts_that_a_clock_that_was_ahead_has_given_out_count_no_more() -> None:
    far = Course(None, at(DAY * 2), (("backup", at(DAY * 2)),))
    near = Course(None, at(50), (("backup", at(52)),))

    assert pace.Pace(at(0), far).start("backup") == at(0)
    assert pace.Pace(at(0), near).start("backup") == at(52)
    assert pace.Pace(at(0), near).start("other") == at(50)


def test_how_long_a_run_may_wait_counts_from_when_its_turn_comes() -> None:
    shard = a_shard(a_job(missed=Missed.ALL, missed_grace_s=0.0, start_within_s=5.0))
    runs = [run for run in runs_of(*catch_up(shard, begun(shard), at(60))) if run.as_of]

    for run in runs:
        assert run.start_within_s is not None
        until = run.scheduled_at + timedelta(seconds=run.start_within_s)
        assert until == run.not_before + timedelta(seconds=5)


def test_an_edit_within_its_grace_is_late_and_gives_way_to_nothing() -> None:
    """What an edit asks for anew was not missed: nothing before it was."""
    shard = a_shard(a_job(missed=Missed.ONCE))
    cursor = begun(shard, 100)
    edited = a_job(missed=Missed.ONCE, schedule="@every 5s", effective_from=at(95))
    shard.learn(edited, 1)
    plan = shard.plan(cursor, at(101))

    late = [run for run in runs_of(plan) if run.scheduled_at <= at(101)]
    assert [(run.scheduled_at - START).total_seconds() for run in late] == [95, 100]


def test_a_partition_that_was_away_is_made_up_for_at_a_pace_too() -> None:
    shard = a_shard(a_job(missed=Missed.ALL, missed_grace_s=0.0), step=3)
    plan = shard.plan(fresh(), START)
    shard.accept(plan)
    lag, cursor = plan.base._replace(noted=None, taken=1, at=plan.cursor.at), plan.cursor
    for now in (60, 120):
        plan = shard.plan(cursor, at(now))
        shard.accept(plan, [lag])
        cursor = plan.cursor
    starts: list[float] = []
    while lag.at < cursor.at:
        step = shard.catch_up(lag, cursor, at(120), lambda *_: True)
        runs: list[Any] = [m for _, m in step.messages if isinstance(m, Run) and m.as_of]
        starts += [(run.not_before - at(120)).total_seconds() for run in runs]
        lag = step.reached
    assert starts[:4] == [0, 1, 2, 3]
    assert starts == sorted(set(starts))


def test_the_reason_stands_in_the_skip() -> None:
    shard = a_shard(a_job(missed=Missed.ONCE, missed_grace_s=15.0))
    plans = catch_up(shard, begun(shard), at(100))
    [skip] = [m for plan in plans for _, m in plan.messages if isinstance(m, Skip)]

    assert (skip.reason, skip.count, skip.to_at) == (SkipReason.COALESCED, 6, at(90))


@pytest.mark.parametrize("within_s", [5.0, 60.0])
def test_what_stands_for_all_may_still_start_though_its_own_time_to_start_is_over(
    within_s: float,
) -> None:
    job = a_job("one", "@every 30s", missed=Missed.ONCE, missed_grace_s=30.0)
    shard = a_shard(job.derive(start_within_s=within_s))
    plans = catch_up(shard, begun(shard), at(110))

    assert became(plans, at(110))["coalesced"] > 0
    [run] = [run for run in runs_of(*plans) if run.scheduled_at <= at(110)]
    assert run.scheduled_at == at(90)
    assert run.start_within_s is not None
    assert run.scheduled_at + timedelta(seconds=run.start_within_s) >= at(110)
    assert (run.as_of is None) == (within_s > 20)
