"""The runs between two moments: what a shard publishes, and that it is the same however split."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.planning import agenda, due
from cronstream.core.planning.cursor import Cursor, Lag, Noted, Place
from cronstream.core.planning.due import Shard
from cronstream.core.planning.making import run_of
from cronstream.core.planning.plan import Plan
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.enumerations import SkipReason
from cronstream.core.wire.runs import Job, Run
from cronstream.errors import MessageError, ScheduleError

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LOOK_AHEAD_S = 30.0


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_job(name: str = "backup", schedule: str = "@every 10s", **fields: object) -> Job:
    given = {"cluster": "a", "timezone": "UTC", "command": "true", "effective_from": START}
    return Job(name=name, schedule=schedule, **{**given, **fields})  # type: ignore[arg-type]  # a builder takes any field


def a_shard(*jobs: Job) -> Shard:
    shard = Shard(LOOK_AHEAD_S)
    for revision, job in enumerate(jobs):
        shard.learn(job, revision)
    return shard


def fresh() -> Cursor:
    return Cursor(0, START)


def publish(shard: Shard, cursor: Cursor, now: datetime) -> tuple[Plan, Cursor]:
    plan = shard.plan(cursor, now)
    shard.accept(plan)
    return plan, plan.cursor


def publish_all(shard: Shard, cursor: Cursor, now: datetime) -> tuple[list[Plan], Cursor]:
    plans: list[Plan] = []
    while not plans or not plans[-1].complete:
        plan, cursor = publish(shard, cursor, now)
        plans.append(plan)
    return plans, cursor


def runs(*plans: Plan) -> list[tuple[str, str, int | None, float]]:
    """Cluster, job, revision and seconds after START of each run."""
    return [
        (cluster, m.job, m.revision, (m.scheduled_at - START).total_seconds())
        for plan in plans
        for cluster, m in plan.messages
        if isinstance(m, Run)
    ]


def due_seconds(*plans: Plan) -> list[float]:
    return [seconds for _, _, _, seconds in runs(*plans)]


def of_kind(kind: type, *plans: Plan) -> list[tuple[str, object]]:
    return [(c, m) for plan in plans for c, m in plan.messages if isinstance(m, kind)]


def covered(messages: Iterable[object], schedules: dict[int, str]) -> Counter[tuple[int, datetime]]:
    """Each due time that a run or a skip stands for, with its revision."""
    found: Counter[tuple[int, datetime]] = Counter()
    for m in messages:
        if isinstance(m, Run):
            found[m.revision or 0, m.scheduled_at] += 1
        elif isinstance(m, Skip):
            schedule = compile_schedule(schedules[m.revision], "UTC")
            dues = list(schedule.between(m.from_at - timedelta(microseconds=1), m.to_at))
            assert (dues[0], dues[-1], len(dues)) == (m.from_at, m.to_at, m.count)
            found.update((m.revision, moment) for moment in dues)
    return found


# -- a run --------------------------------------------------------------------------------------


def test_a_run_carries_all_that_its_execution_needs() -> None:
    job = a_job(
        command=["tar", "c"], max_attempts=3, timeout_s=5.0, env={"A": "1"}, cwd="/", grace_s=1.0
    )
    run = run_of(job, 7, at(60))
    assert (run.id, run.revision, run.cluster) == ("backup@2026-03-02T12:01:00Z", 7, "a")
    assert (run.attempt, run.attempts_left, run.max_attempts) == (1, 3, 3)
    assert run.not_before == run.scheduled_at == at(60)
    assert (run.command, run.env, run.cwd) == (["tar", "c"], {"A": "1"}, "/")
    assert (run.timeout_s, run.grace_s) == (5.0, 1.0)
    assert (run.delivery, run.overlap) == (job.delivery, job.overlap)
    assert (run.backoff, run.retry_on) == (job.backoff, job.retry_on)


# -- the first plan -----------------------------------------------------------------------------


def test_a_new_installation_tells_the_log_of_its_jobs_before_their_runs() -> None:
    plan, cursor = publish(a_shard(a_job()), fresh(), at(2))
    [(cluster, first), *others] = plan.messages
    assert cluster == "a"
    assert first == Withdrawal(job="backup", revision=0, effective_from=START)
    assert all(isinstance(m, Run) for _, m in others)
    assert due_seconds(plan) == [0, 10, 20, 30]
    assert (cursor.at, cursor.taken, cursor.noted) == (at(32), 1, None)


def test_a_new_installation_does_not_look_back_before_its_jobs_were_put_in() -> None:
    plan, _ = publish(a_shard(a_job(effective_from=at(-25))), fresh(), START)
    assert due_seconds(plan)[0] == -20


def test_a_lost_cursor_looks_back_no_further_than_an_hour() -> None:
    old = a_job(schedule="@every 10m", effective_from=START - timedelta(days=90))
    plans, _ = publish_all(a_shard(old), fresh(), START)
    skips = [m for _, m in of_kind(Skip, *plans)]
    assert [(s.from_at, s.to_at, s.count) for s in skips if isinstance(s, Skip)] == [
        (at(-3600), at(-600), 6)
    ]
    assert due_seconds(*plans) == [0]


def test_a_shard_without_jobs_has_nothing_to_publish_and_leaves_its_cursor() -> None:
    plan, cursor = publish(a_shard(), fresh(), at(5))
    assert plan.messages == []
    assert cursor == fresh()


# -- tick by tick --------------------------------------------------------------------------------


def test_a_tick_publishes_what_the_look_ahead_has_come_to_and_nothing_twice() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    found = []
    for second in range(1, 31):
        plan, cursor = publish(shard, cursor, at(second))
        found += due_seconds(plan)
    assert found == [40, 50, 60]


def test_runs_go_by_due_time_whatever_job_they_are_of() -> None:
    shard = a_shard(a_job("slow", "@every 20s"), a_job("quick", "@every 10s"))
    plan, _ = publish(shard, fresh(), START)
    assert due_seconds(plan) == [0, 0, 10, 20, 20, 30]


def test_a_clock_that_steps_back_does_not_move_the_cursor_back() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), at(60))
    plan, after = publish(shard, cursor, at(20))
    assert (plan.messages, after.at) == ([], cursor.at)


def test_a_plan_that_was_not_published_is_the_same_when_it_is_made_again() -> None:
    shard = a_shard(a_job(), a_job("other", "* * * * *"))
    _, cursor = publish(shard, fresh(), START)
    first = shard.plan(cursor, at(60))
    assert shard.plan(cursor, at(60)) == first
    assert first.messages


def test_another_process_makes_the_same_plan_from_the_row() -> None:
    jobs = [a_job(), a_job("other", "* * * * *"), a_job(schedule="@every 5s", effective_from=at(3))]
    shard = a_shard(*jobs[:2])
    _, cursor = publish(shard, fresh(), START)
    shard.learn(jobs[2], 2)
    successor = a_shard(*jobs)
    row = Cursor.from_row(cursor.to_row())
    assert successor.plan(row, at(9)) == shard.plan(cursor, at(9))


def test_a_cursor_that_was_passed_is_refused_because_its_revisions_are_forgotten() -> None:
    shard = a_shard(a_job())
    _, early = publish(shard, fresh(), START)
    publish(shard, early, at(60))
    with pytest.raises(ValueError, match="is before"):
        shard.plan(early, at(61))


def test_a_cursor_goes_through_its_row_unchanged() -> None:
    cursor = Cursor(3, at(1), 7, Noted(at(2), at(3)), {"backup": at(0)})
    assert Cursor.from_row(cursor.to_row()) == cursor
    behind = {Place("a-1", 3): Lag(at(0), 2, Noted(at(1), at(5))), Place("b", 0): Lag(at(1), 7)}
    aside = replace(cursor, behind=behind, holds={6: at(4)})
    assert Cursor.from_row(aside.to_row()) == aside
    assert Cursor.from_row(fresh().to_row()) == fresh()


@pytest.mark.parametrize(
    "damage",
    [
        {"at": "2026-01-01T00:00:00"},
        {"at": "soon"},
        {"taken": None},
        {"plan": {"now": 1}},
        {"behind": {"a": {}}},
        {"holds": []},
    ],
)
def test_a_damaged_row_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(MessageError, match="damaged cursor row"):
        Cursor.from_row({**fresh().to_row(), **damage})


# -- edits ---------------------------------------------------------------------------------------


def test_an_edit_publishes_again_what_was_published_ahead_under_the_former_revision() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(schedule="@every 15s", effective_from=at(1)), 1)
    plan, cursor = publish(shard, cursor, at(2))
    assert plan.messages[0] == ("a", Withdrawal(job="backup", revision=1, effective_from=at(1)))
    assert runs(plan) == [("a", "backup", 1, 15), ("a", "backup", 1, 30)]
    assert cursor.taken == 2


def test_each_revision_since_passes_through_in_order_with_the_due_times_of_its_span() -> None:
    shard = a_shard(a_job(schedule="@every 5s"))
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(schedule="@every 20s", effective_from=at(31)), 1)
    shard.learn(a_job(schedule="@every 30s", effective_from=at(70)), 2)
    plan, _ = publish(shard, cursor, at(100))
    assert [m.revision for _, m in plan.messages[:2] if isinstance(m, Withdrawal)] == [1, 2]
    assert [(r, s) for _, _, r, s in runs(plan)] == [(1, 40), (1, 60), (2, 90), (2, 120)]


def test_due_times_before_an_edit_follow_the_definition_of_that_time() -> None:
    shard = a_shard(a_job(effective_from=at(-3600)))
    _, cursor = publish_all(shard, fresh(), START)
    shard.learn(a_job(schedule="@every 30s", effective_from=at(55)), 1)
    plan, _ = publish(shard, cursor, at(60))
    assert [(r, s) for _, _, r, s in runs(plan)] == [(0, 40), (0, 50), (1, 60), (1, 90)]


def test_an_edit_by_a_clock_that_was_set_back_outdates_the_one_before() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(schedule="@every 7s", effective_from=at(20)), 1)
    shard.learn(a_job(schedule="@every 15s", effective_from=at(5)), 2)
    plan, _ = publish(shard, cursor, at(21))
    assert {r for _, _, r, _ in runs(plan)} == {2}
    assert due_seconds(plan) == [15, 30, 45]


def test_an_edit_that_outdates_one_ahead_of_it_takes_over_from_the_first() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(schedule="@every 7s", effective_from=at(60)), 1)
    shard.learn(a_job(schedule="@every 15s", effective_from=at(45)), 2)
    plan, _ = publish(shard, cursor, at(60))
    assert [(r, s) for _, _, r, s in runs(plan)] == [(0, 40), (2, 45), (2, 60), (2, 75), (2, 90)]


def test_an_edit_dated_long_ago_does_not_run_the_past_again() -> None:
    shard = a_shard(a_job(effective_from=at(-7200)))
    _, cursor = publish_all(shard, fresh(), START)
    shard.learn(a_job(schedule="@every 60s", effective_from=at(-86_400)), 1)
    plan, _ = publish(shard, cursor, at(1))
    [withdrawal] = [m for _, m in plan.messages if isinstance(m, Withdrawal)]
    assert withdrawal.effective_from == cursor.at - timedelta(seconds=LOOK_AHEAD_S) - due.REACH


def test_a_removal_is_a_withdrawal_and_no_run() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(removed=True, effective_from=at(4)), 1)
    plan, cursor = publish(shard, cursor, at(5))
    gone = Withdrawal(job="backup", revision=1, effective_from=at(4), removed=True)
    assert plan.messages == [("a", gone)]
    assert publish(shard, cursor, at(500))[0].messages == []
    assert shard.jobs == 0


def test_a_job_that_was_removed_during_an_outage_runs_up_to_its_removal() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(removed=True, effective_from=at(55)), 1)
    plan, _ = publish(shard, cursor, at(60))
    assert [(r, s) for _, _, r, s in runs(plan)] == [(0, 40), (0, 50)]


def test_a_job_that_comes_back_runs_again_from_then_on() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(removed=True, effective_from=at(4)), 1)
    _, cursor = publish(shard, cursor, at(5))
    shard.learn(a_job(effective_from=at(12)), 2)
    plan, _ = publish(shard, cursor, at(13))
    assert [(r, s) for _, _, r, s in runs(plan)] == [(2, 20), (2, 30), (2, 40)]


def test_an_edit_that_comes_while_a_plan_is_out_is_in_the_next_one() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    plan = shard.plan(cursor, at(10))
    shard.learn(a_job(schedule="@every 15s", effective_from=at(10)), 1)
    shard.accept(plan)
    following, _ = publish(shard, plan.cursor, at(11))
    assert [(r, s) for _, _, r, s in runs(following)] == [(1, 15), (1, 30)]


def test_a_schedule_that_cannot_be_read_costs_only_its_own_job() -> None:
    shard = a_shard(a_job("good"))
    with pytest.raises(ScheduleError, match="'bad', revision 1"):
        shard.learn(a_job("bad", "61 * * * *"), 1)
    plan, cursor = publish(shard, fresh(), START)
    assert {job for _, job, _, _ in runs(plan)} == {"good"}
    assert cursor.taken == 2


def test_a_job_that_does_not_say_from_when_it_holds_is_refused() -> None:
    with pytest.raises(MessageError, match="from when"):
        a_shard(a_job(effective_from=None))


def test_what_is_learnt_twice_counts_once() -> None:
    shard = a_shard(a_job())
    shard.learn(a_job(), 0)
    plan, _ = publish(shard, fresh(), START)
    assert len(of_kind(Withdrawal, plan)) == 1


# -- moving to another cluster --------------------------------------------------------------------


def test_a_job_that_moves_begins_on_its_new_cluster_beyond_the_cursor() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(cluster="b", effective_from=at(1)), 1)
    plan, cursor = publish(shard, cursor, at(12))
    moved = Withdrawal(job="backup", revision=1, effective_from=at(30) + timedelta(microseconds=1))
    assert plan.messages[:2] == [("a", moved), ("b", moved)]
    assert runs(plan) == [("b", "backup", 1, 40)]
    assert cursor.moved == {"backup": at(30)}


def test_a_job_that_was_taken_out_and_comes_back_elsewhere_loses_no_due_time() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(removed=True, effective_from=at(3)), 1)
    _, cursor = publish(shard, cursor, at(4))
    shard.learn(a_job(cluster="b", effective_from=at(9)), 2)
    plan, cursor = publish(shard, cursor, at(10))
    assert runs(plan) == [("b", "backup", 2, 10), *(("b", "backup", 2, s) for s in (20, 30, 40))]
    assert plan.noted is not None
    shard.learn(a_job("backup", "@every 5s", cluster="b", effective_from=at(0)), 3)
    plan, _ = publish(shard, cursor, at(11))
    assert due_seconds(plan)[0] == 10


def test_a_job_that_moves_and_is_put_elsewhere_anew_begins_beyond_its_first_move() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(cluster="b", effective_from=at(1)), 1)
    _, cursor = publish(shard, cursor, at(2))
    shard.learn(a_job(cluster="b", removed=True, effective_from=at(3)), 2)
    _, cursor = publish(shard, cursor, at(4))
    shard.learn(a_job(cluster="c", effective_from=at(5)), 3)
    plan, _ = publish(shard, cursor, at(12))
    assert due_seconds(plan) == [40]


def test_a_job_that_is_taken_out_and_put_elsewhere_at_once_begins_when_workers_have_heard() -> None:
    shard = a_shard(a_job(schedule="@every 1s"))
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(removed=True, effective_from=at(20)), 1)
    shard.learn(a_job(schedule="@every 1s", cluster="b", effective_from=at(21)), 2)
    plan, _ = publish(shard, cursor, at(22))
    successor = a_shard(a_job(schedule="@every 1s"))
    successor.learn(a_job(removed=True, effective_from=at(20)), 1)
    successor.learn(a_job(schedule="@every 1s", cluster="b", effective_from=at(21)), 2)
    again = successor.plan(plan.noted or cursor, at(25))
    assert due_seconds(plan) == list(range(28, 53))
    assert again.messages == plan.messages


def test_an_edit_after_a_move_does_not_reach_back_before_it() -> None:
    jobs = [
        a_job(),
        a_job(cluster="b", effective_from=at(1)),
        a_job(cluster="b", schedule="@every 5s", effective_from=at(3)),
    ]
    shard = a_shard(*jobs[:2])
    _, cursor = publish(a_shard(jobs[0]), fresh(), START)
    _, cursor = publish(shard, cursor, at(2))
    successor = a_shard(*jobs)
    plan, _ = publish(successor, Cursor.from_row(cursor.to_row()), at(6))
    assert runs(plan) == [("b", "backup", 2, 35)]


def test_a_job_that_moves_there_and_back_in_one_step_is_due_once() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(cluster="b", effective_from=at(1)), 1)
    shard.learn(a_job(cluster="a", effective_from=at(2)), 2)
    plan, _ = publish(shard, cursor, at(12))
    assert [(c, m.revision) for c, m in plan.messages if isinstance(m, Withdrawal)] == [
        ("a", 1),
        ("b", 1),
        ("b", 2),
        ("a", 2),
    ]
    assert runs(plan) == [("a", "backup", 2, 40)]


def test_a_move_that_comes_while_a_plan_is_out_is_told_to_the_former_cluster() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    plan = shard.plan(cursor, at(10))
    shard.learn(a_job(cluster="b", effective_from=at(1)), 1)
    shard.accept(plan)
    following, _ = publish(shard, plan.cursor, at(11))
    assert [cluster for cluster, _ in of_kind(Withdrawal, following)] == ["a", "b"]
    assert publish(shard, following.cursor, at(20))[0].messages[0][0] == "b"


def test_where_a_job_was_before_is_remembered_for_an_hour_only() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    shard.learn(a_job(cluster="b", effective_from=at(1)), 1)
    _, cursor = publish(shard, cursor, at(2))
    _, cursor = publish_all(shard, cursor, at(4000))
    assert cursor.moved == {}


# -- after an outage -----------------------------------------------------------------------------


# -- what a log has not taken ----------------------------------------------------------------------


def test_a_log_that_was_away_for_long_gets_what_was_missed_as_a_skip_and_the_rest_as_runs() -> None:
    shard = a_shard(a_job(missed_grace_s=60.0), a_job("other", cluster="b"))
    plan, cursor = publish(shard, fresh(), START)
    lag = plan.base._replace(noted=None)
    for now in range(1, 100_000, 2_000):
        while not (plan := shard.plan(cursor, at(now))).complete:
            shard.accept(plan, [lag])
            cursor = plan.cursor
        shard.accept(plan, [lag])
        cursor = plan.cursor
    step = shard.catch_up(lag, cursor, at(now), lambda cluster, _: cluster == "a")
    assert step.noted is not None
    assert step.noted.noted == Noted(step.reached.at, at(now))
    again = shard.catch_up(step.noted, cursor, at(now + 500), lambda cluster, _: cluster == "a")
    assert (again.messages, again.reached, again.noted) == (step.messages, step.reached, None)
    assert step.reached == Lag(cursor.at, cursor.taken)
    [(_, withdrawal), (_, skip), *due] = step.messages
    assert isinstance(withdrawal, Withdrawal)
    assert isinstance(skip, Skip)
    assert (skip.from_at, skip.to_at) == (at(0), at(now - 61 - (now - 61) % 10))
    assert [m.scheduled_at for _, m in due if isinstance(m, Run)][-1] == cursor.at.replace(
        second=cursor.at.second // 10 * 10, microsecond=0
    )


def test_a_log_that_was_away_for_a_moment_needs_no_note() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    plan = shard.plan(cursor, at(15))
    shard.accept(plan, [plan.base])
    step = shard.catch_up(plan.base, plan.cursor, at(16), lambda *_: True)
    assert step.noted is None
    assert step.messages == plan.messages


def test_the_clusters_of_a_shard_are_those_of_its_jobs_in_force() -> None:
    shard = a_shard(a_job(), a_job("gone", cluster="b", removed=True), a_job("c", cluster="c"))
    assert shard.clusters == {"a", "c"}


def test_what_has_been_missed_for_longer_than_its_grace_is_one_skip() -> None:
    shard = a_shard(a_job(missed_grace_s=25.0))
    _, cursor = publish(shard, fresh(), START)
    plans, _ = publish_all(shard, cursor, at(100))
    assert of_kind(Skip, *plans) == [
        (
            "a",
            Skip(
                job="backup",
                revision=0,
                reason=SkipReason.MISSED,
                from_at=at(40),
                to_at=at(70),
                count=4,
            ),
        )
    ]
    assert due_seconds(*plans) == [80, 90, 100, 110, 120, 130]


def test_a_due_time_exactly_at_its_grace_is_run() -> None:
    shard = a_shard(a_job(missed_grace_s=60.0))
    _, cursor = publish(shard, fresh(), START)
    plans, _ = publish_all(shard, cursor, at(100))
    assert due_seconds(*plans)[0] == 40
    assert of_kind(Skip, *plans) == []


def test_a_catch_up_comes_to_its_end_though_time_goes_on_meanwhile() -> None:
    shard = a_shard(a_job(schedule="@every 10s", missed_grace_s=300.0))
    _, cursor = publish(shard, fresh(), START)
    now, plans = at(3600), list[Plan]()
    while not plans or not plans[-1].complete:
        assert len(plans) < 10, f"cursor {(now - cursor.at).total_seconds():.0f} s behind"
        plan, cursor = publish(shard, cursor, now)
        plans.append(plan)
        now += timedelta(milliseconds=5)
    assert cursor.at >= at(3600) + timedelta(seconds=LOOK_AHEAD_S)
    assert due_seconds(*plans) == [float(s) for s in range(3300, 3631, 10)]


def test_a_catch_up_is_noted_before_it_is_published_and_a_repeat_picks_the_same() -> None:
    shard = a_shard(a_job(missed_grace_s=25.0))
    _, cursor = publish(shard, fresh(), START)
    plan = shard.plan(cursor, at(40))
    assert plan.noted is not None
    successor = a_shard(a_job(missed_grace_s=25.0))
    repeat = successor.plan(Cursor.from_row(plan.noted.to_row()), at(70))
    assert (repeat.messages, repeat.cursor) == (plan.messages, plan.cursor)
    assert (repeat.noted, repeat.complete) == (None, plan.complete)


def test_a_tick_in_time_notes_nothing() -> None:
    shard = a_shard(a_job())
    _, cursor = publish(shard, fresh(), START)
    assert publish(shard, cursor, at(1))[0].noted is None


def test_a_catch_up_moves_in_steps_that_end_with_a_whole_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = [a_job(f"job-{n}") for n in range(3)]
    shard = a_shard(*jobs)
    _, cursor = publish(shard, fresh(), START)
    monkeypatch.setattr(due, "STEP", 5)
    plans, cursor = publish_all(shard, cursor, at(100))
    assert [len(plan.messages) for plan in plans[:-1]] == [6] * (len(plans) - 1)
    assert due_seconds(*plans) == sorted(due_seconds(*plans))
    assert len(due_seconds(*plans)) == 3 * 10
    assert (cursor.at, cursor.noted) == (at(130), None)


def test_a_plan_goes_no_further_than_it_is_known_what_holds() -> None:
    shard = a_shard(a_job(missed_grace_s=3600.0))
    _, cursor = publish(shard, fresh(), START)
    plan = shard.plan(cursor, at(100), at(60))
    shard.accept(plan)
    assert (due_seconds(plan), plan.cursor.at, plan.complete) == ([40, 50, 60], at(60), False)
    shard.learn(a_job(effective_from=at(75)), 1)
    again = shard.plan(plan.cursor, at(100), at(50))
    assert (due_seconds(again), again.cursor.at) == ([], at(60)), "nor back"
    shard.accept(again)
    assert publish(shard, again.cursor, at(100))[1].at == at(130)


def test_a_week_of_seconds_is_skipped_in_bounded_steps() -> None:
    shard = a_shard(*(a_job(f"job-{n}", "@every 1s") for n in range(3)))
    _, cursor = publish(shard, fresh(), START)
    week = 7 * 86_400
    plans, _ = publish_all(shard, cursor, at(week))
    skipped: Counter[str] = Counter()
    for _, m in of_kind(Skip, *plans):
        assert isinstance(m, Skip)
        skipped[m.job] += m.count
    assert set(skipped.values()) == {week - 30 - 301}
    assert len(due_seconds(*plans)) == 3 * (300 + 30 + 1)
    assert len(plans) <= week // agenda.LEAP_STEP + 3


def test_runs_in_the_hour_that_comes_twice_are_each_made_once() -> None:
    night = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    job = a_job(
        schedule="30 2 * * *", timezone="Europe/Berlin", effective_from=night, missed_grace_s=1e6
    )
    plans, _ = publish_all(a_shard(job), Cursor(0, night), night)
    shard = a_shard(job)
    cursor = Cursor(0, night)
    found = []
    for minutes in range(0, 3000, 7):
        more, cursor = publish_all(shard, cursor, night + timedelta(minutes=minutes))
        found += [m.scheduled_at for _, m in of_kind(Run, *more) if isinstance(m, Run)]
    assert found == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    ]
    assert plans[-1].complete


# -- properties ----------------------------------------------------------------------------------

SCHEDULES = ("@every 3s", "@every 7s", "@every 10s", "* * * * *", "*/5 * * * * *")


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12), st.sampled_from(SCHEDULES))
@settings(max_examples=60, deadline=None)
def test_any_split_of_time_gives_the_runs_of_one_plan(steps: list[int], schedule: str) -> None:
    jobs = [a_job("one", schedule, missed_grace_s=1e5), a_job("two", missed_grace_s=1e5)]
    shard, cursor, split = a_shard(*jobs), fresh(), []
    _, cursor = publish(shard, cursor, START)
    whole_shard = a_shard(*jobs)
    _, whole_cursor = publish(whole_shard, fresh(), START)
    now = START
    for step in steps:
        now += timedelta(seconds=step)
        plans, cursor = publish_all(shard, cursor, now)
        split += runs(*plans)
    whole, whole_cursor = publish_all(whole_shard, whole_cursor, now)
    assert split == runs(*whole)
    assert cursor == whole_cursor


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Schedules of one job, and how many seconds after the edit before each one came."""
    return draw(
        st.lists(st.tuples(st.sampled_from(SCHEDULES), st.integers(0, 60)), min_size=1, max_size=5)
    )


@given(histories(), st.lists(st.integers(1, 200), min_size=1, max_size=8), st.data())
@settings(max_examples=120, deadline=None)
def test_every_due_time_of_every_span_is_run_or_skipped_exactly_once(
    history: list[tuple[str, int]], steps: list[int], data: st.DataObject
) -> None:
    effective = START
    edits: list[Job] = []
    for schedule, gap in history:
        effective += timedelta(seconds=gap if edits else 0)
        edits.append(a_job(schedule=schedule, effective_from=effective, missed_grace_s=30.0))
    schedules = {n: job.schedule for n, job in enumerate(edits)}
    shard, cursor, now, learnt = a_shard(edits[0]), fresh(), START, 1
    standing: dict[datetime, int] = {}
    for step in [0, *steps]:
        now += timedelta(seconds=step)
        while learnt < len(edits) and (edits[learnt].effective_from or START) <= now:
            shard.learn(edits[learnt], learnt)
            learnt += 1
        plans, cursor = publish_all(shard, cursor, now)
        for plan in plans:
            for _, m in of_kind(Withdrawal, plan):
                assert isinstance(m, Withdrawal)
                standing = {t: r for t, r in standing.items() if t < m.effective_from}
            found = covered((m for _, m in plan.messages), schedules)
            assert set(found.values()) <= {1}
            assert not {moment for _, moment in found} & set(standing)
            standing |= {moment: revision for revision, moment in found}
        if data.draw(st.booleans()):
            shard = a_shard(*edits[:learnt])
    assert standing == _expected(edits[:learnt], cursor.at)


def _expected(edits: list[Job], until: datetime) -> dict[datetime, int]:
    """What the definition says, written down without any cleverness."""
    found = {}
    moment = START
    while moment <= until:
        holding = [n for n, job in enumerate(edits) if (job.effective_from or START) <= moment]
        schedule = compile_schedule(edits[holding[-1]].schedule, "UTC")
        if schedule.next_after(moment - timedelta(microseconds=1)) == moment:
            found[moment] = holding[-1]
        moment += timedelta(seconds=1)
    return found


@given(st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_a_crash_between_publish_and_cursor_publishes_only_what_is_known(
    first: int, second: int
) -> None:
    jobs = [a_job(missed_grace_s=20.0), a_job("other", "@every 7s", missed_grace_s=20.0)]
    shard = a_shard(*jobs)
    _, cursor = publish(shard, fresh(), START)
    lost = shard.plan(cursor, at(first))
    if lost.noted:
        repeat = a_shard(*jobs).plan(lost.noted, at(first + second))
        assert (repeat.messages, repeat.cursor) == (lost.messages, lost.cursor)
    else:
        repeat = a_shard(*jobs).plan(cursor, at(first + min(second, 20)))
        assert repeat.messages[: len(lost.messages)] == lost.messages
