"""What is healthy, what is not, and what ends a process."""

from dataclasses import replace
from typing import Any

import pytest

from cronstream.core.health.facts import describe
from cronstream.core.health.judgement import HEALTHY, Health, subjects
from cronstream.core.health.judging import (
    Facts,
    SchedulerFacts,
    WorkerFacts,
    faulty,
    judge,
    warn,
)
from cronstream.core.health.lateness import Holders, Late
from cronstream.core.wire.naming import RoleKind

NOW = 1000.0
WORKER = Facts(WorkerFacts(turned_at=NOW), broker_at=NOW, thread_at=NOW, begun_at=900.0)
SCHEDULER = replace(WORKER, role=SchedulerFacts(tick_at=NOW, heard={0: NOW}, shards={0: NOW}))


def _worker(**changes: Any) -> Facts:
    return replace(WORKER, role=replace(WORKER.role, **changes))


def _scheduler(**changes: Any) -> Facts:
    return replace(SCHEDULER, role=replace(SCHEDULER.role, **changes))


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(WORKER, id="a worker"),
        pytest.param(SCHEDULER, id="a scheduler"),
        pytest.param(_scheduler(shards={}), id="a scheduler without a shard, which stands by"),
        pytest.param(_scheduler(heard={0: NOW - 8}), id="a tick that is about to come back"),
        pytest.param(
            _scheduler(heard={0: NOW - 19}, tick_at=NOW - 19), id="a tick that is not out yet"
        ),
        pytest.param(replace(WORKER, waiting_since=NOW - 5), id="waiting a moment for the broker"),
        pytest.param(
            replace(WORKER, waiting_since=NOW - 5, failures=99), id="a few quick failures"
        ),
        pytest.param(replace(WORKER, outside_since=NOW - 5), id="rejoining its group"),
        pytest.param(replace(WORKER, rebalancing_since=NOW - 5), id="in a rebalance"),
        pytest.param(
            replace(SCHEDULER, begun_at=NOW - 1, role=SchedulerFacts(0.0)), id="begun now"
        ),
        pytest.param(replace(WORKER, unowned={0: NOW - 14}), id="a rebalance is about to come"),
        pytest.param(
            replace(WORKER, unowned={0: NOW - 99}, rebalancing_since=NOW - 5),
            id="left out, and in the rebalance that mends it",
        ),
        pytest.param(_worker(unready={1: NOW - 5}), id="an owner that awaits its barrier"),
        pytest.param(_worker(truncated={1: NOW - 5}), id="an owner ahead of a new leader"),
        pytest.param(_worker(unread={1: NOW - 5}), id="an owner with something to read"),
    ],
)
def test_nothing_is_wrong_with(facts: Facts) -> None:
    assert judge(facts, NOW) == HEALTHY
    assert not faulty(facts, NOW)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(WORKER, thread_at=NOW - 16), "the consumer's thread has been stuck for 16 s"),
        (replace(WORKER, outside_since=NOW - 16), "outside its consumer group for 16 s"),
        (replace(WORKER, outside_since=NOW - 16, outside_why="no right"), "for 16 s (no right)"),
        (replace(WORKER, rebalancing_since=NOW - 31), "recovery has made no progress for 31 s"),
        (replace(WORKER, clock_fault="its clock is off"), "its clock is off"),
        (replace(_scheduler(), clock_fault="its clock is off"), "its clock is off"),
        (_worker(has_ended=True), "a task that should never end has ended"),
        (_worker(has_executor=False), "it has no executor"),
        (_worker(turned_at=NOW - 11), "it has decided nothing for 11 s"),
        (replace(WORKER, waiting_since=NOW - 16, failures=20), "its producer is broken"),
        (
            replace(WORKER, waiting_since=NOW - 16, failures=20, failed_why="NoRightError"),
            "a message has failed for 16 s (NoRightError)",
        ),
        (_scheduler(tick_at=NOW - 21), "none of its ticks has been acknowledged for 21 s"),
        (_scheduler(heard={0: NOW, 3: NOW - 9}), "ticks of shard 3 have not come back for 9 s"),
        (_scheduler(shards={0: NOW, 3: NOW - 31}), "shard 3 has not been published for 31 s"),
        (_worker(unready={7: NOW - 31}), "partition 7 has been assigned, but not ready, for 31 s"),
        (_worker(unread={7: NOW - 31}), "partition 7 has not been read for 31 s"),
        (
            replace(WORKER, unowned={0: NOW - 17, 3: NOW - 16, 4: NOW - 1}),
            "it owns no partition, and nobody has owned 2 of them for 16 s",
        ),
        (
            replace(_scheduler(shards={}), unowned={0: NOW - 16}),
            "nobody has owned 1 of them for 16 s",
        ),
        (_worker(truncated={7: NOW - 31}), "partition 7 has lost messages, or was recreated"),
        (replace(SCHEDULER, outside_since=NOW - 16), "outside its consumer group for 16 s"),
        (replace(_scheduler(shards={}), outside_since=NOW - 16), "outside its consumer group"),
    ],
)
def test_what_a_restart_may_mend_ends_the_process(facts: Facts, reason: str) -> None:
    health = judge(facts, NOW)

    assert reason in health.reason
    assert (health.ok, health.ends) == (False, True)
    assert health.subject in faulty(facts, NOW)
    kind = RoleKind.SCHEDULER if isinstance(facts.role, SchedulerFacts) else RoleKind.WORKER
    assert health.subject in subjects(kind)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(WORKER, broker_at=NOW - 11), "no broker has answered for 11 s"),
        (replace(WORKER, waiting_since=NOW - 16), "not acknowledged a message for 16 s"),
        (replace(WORKER, waiting_since=NOW - 16, failures=19), "not acknowledged a message"),
        (_scheduler(clock_is_refused=True), "clock is too far ahead of the broker's"),
        (replace(WORKER, begun_at=None), "it is starting"),
        (replace(SCHEDULER, begun_at=None), "it is starting"),
        (replace(WORKER, is_stopping=True, broker_at=0.0), "it is stopping"),
    ],
)
def test_what_a_restart_would_not_mend_ends_nothing(facts: Facts, reason: str) -> None:
    health = judge(facts, NOW)

    assert reason in health.reason
    assert (health.ok, health.ends) == (False, False)
    assert faulty(facts, NOW) == {health.subject} <= {*subjects(RoleKind.WORKER)}


def test_without_a_broker_nothing_that_follows_from_it_is_blamed() -> None:
    all_at_once = replace(
        _worker(unready={1: 0.0}, unread={1: 0.0}),
        broker_at=0.0,
        thread_at=0.0,
        outside_since=0.0,
        waiting_since=0.0,
        failures=1000,
    )

    assert faulty(all_at_once, NOW) == {
        "broker",
        "consumer",
        "group",
        "publishing",
        "ready",
        "unread",
    }
    assert judge(all_at_once, NOW).reason == "no broker has answered for 1000 s"
    assert not judge(all_at_once, NOW).ends


@pytest.mark.parametrize("what", ["outside_since", "rebalancing_since"])
def test_what_an_outage_has_broken_has_from_its_end_on_to_mend(what: str) -> None:
    since: Any = {what: NOW - 500}
    broken = replace(WORKER, **since)

    assert judge(replace(broken, back_at=NOW - 14), NOW) == HEALTHY
    assert judge(replace(broken, back_at=NOW - 40), NOW).ends


def test_during_a_rebalance_no_partition_is_expected_to_be_read() -> None:
    facts = replace(_worker(unready={1: 0.0}, unread={1: 0.0}), rebalancing_since=NOW - 5)

    assert judge(facts, NOW) == HEALTHY


def test_a_start_that_cannot_join_its_group_ends() -> None:
    assert judge(replace(WORKER, begun_at=None, outside_since=NOW - 16), NOW).ends


def test_a_process_whose_tables_take_long_to_restore_does_nothing_and_says_so() -> None:
    facts = replace(WORKER, restoring_since=NOW - 34, rebalancing_since=NOW - 2)

    health = judge(facts, NOW)

    assert health.reason == "its tables are not restored after 34 s"
    assert not health.ends
    assert describe(facts, NOW)["restoring_s"] == 34.0
    assert judge(replace(facts, restoring_since=NOW - 4), NOW) == HEALTHY


def test_people_are_told_how_long_ago_things_were() -> None:
    worker, scheduler = describe(_worker(unread={3: NOW - 2.04}), NOW), describe(SCHEDULER, NOW + 1)

    assert worker["unread_s"] == {"3": 2.0}
    assert worker["unowned_s"] == worker["truncated_s"] == {}
    assert worker["rebalancing_s"] is None
    assert worker["in_group"] is True
    assert scheduler["tick_s"] == 1.0
    assert scheduler["shards_published_s"] == {"0": 1.0}


@pytest.mark.parametrize(("late_s", "warnings"), [(9.0, 0), (10.0, 1)])
def test_runs_that_are_late_are_a_warning_and_no_fault(late_s: float, warnings: int) -> None:
    facts = _worker(late=Late(2, "a@noon", late_s, (Holders("hung", 4, 99.0),), 0, 4))
    assert judge(facts, NOW) == HEALTHY
    assert len(warn(facts)) == warnings
    assert (describe(facts, NOW)["late_runs"], describe(facts, NOW)["latest_s"]) == (2, late_s)


def test_a_crontab_that_belongs_elsewhere_is_a_warning_and_no_fault() -> None:
    role = SchedulerFacts(tick_at=NOW, foreign="it is not put in force")
    assert warn(replace(SCHEDULER, role=role)) == ["it is not put in force"]


def test_runs_that_were_refused_are_a_warning_and_no_fault() -> None:
    facts = replace(WORKER, role=WorkerFacts(turned_at=NOW, refused=("3 runs were refused",)))

    assert judge(facts, NOW).ok
    assert warn(facts) == ["3 runs were refused"]


def test_what_is_set_aside_is_a_warning_and_no_fault() -> None:
    role = SchedulerFacts(tick_at=NOW, set_aside=["one log takes nothing", "another neither"])
    assert judge(replace(SCHEDULER, role=role), NOW) == HEALTHY
    assert warn(replace(SCHEDULER, role=role)) == ["one log takes nothing", "another neither"]


def test_nothing_is_late_with_a_scheduler_or_a_worker_that_keeps_up() -> None:
    assert warn(SCHEDULER) == warn(WORKER) == []
    assert describe(WORKER, NOW)["late_runs"] == 0


def test_how_it_compares_with_others_is_a_warning_beside_its_own() -> None:
    compared = ("the lease differs",)
    late = Late(1, "a@x", 11.0, (Holders("a", 1, 5.0),), 0, 1)

    assert warn(replace(WORKER, compared=compared)) == ["the lease differs"]
    assert warn(replace(_worker(late=late), compared=compared)) == [late.sentence, *compared]
    assert warn(replace(_scheduler(foreign="whose?"), compared=compared)) == ["whose?", *compared]
    assert judge(replace(WORKER, compared=compared), NOW) == HEALTHY


def test_a_right_that_is_missing_is_the_cause_of_all_else_and_ends_nothing() -> None:
    lacking = "Kafka does not allow user 'alice' to Write topic cronstream.a"
    facts = replace(_worker(has_ended=True), broker_at=0.0, lacking=lacking)

    assert judge(facts, NOW) == Health(ok=False, reason=lacking, subject="rights")
