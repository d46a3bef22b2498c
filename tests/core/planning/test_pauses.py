"""What a shard says of jobs that are paused: their due times by the hour, and nothing twice."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from cronstream.core.planning.cursor import Cursor, Lag
from cronstream.core.planning.due import Shard
from cronstream.core.planning.pauses import TICK, hour_of
from cronstream.core.planning.plan import Plan
from cronstream.core.wire.control import NEVER, Control
from cronstream.core.wire.entries import Skip, Withdrawal
from cronstream.core.wire.enumerations import ControlAction, SkipReason
from cronstream.core.wire.runs import Job
from tests.core.planning.test_due import LOOK_AHEAD_S, START, a_job, at, due_seconds, fresh

HOUR_S = 3600.0
#: A definition that pauses is said to hold beyond what has been published ahead.
BEYOND_S = LOOK_AHEAD_S + 5


def said(
    at_s: float, *, until: float | None = None, retries: bool = False, resumes: bool = False
) -> Control:
    return Control(
        action=ControlAction.RESUME if resumes else ControlAction.PAUSE,
        cluster="a",
        by="ada",
        at=at(at_s),
        job="backup",
        until=None if until is None else at(until),
        retries=retries,
    )


def paused(at_s: float, *, until: float | None = None, **more: Any) -> Job:
    control = said(at_s, until=until)
    return a_job(**{"control": control, "effective_from": at(at_s + BEYOND_S), **more})


def resumed(at_s: float, **more: Any) -> Job:
    return a_job(**{"control": said(at_s, resumes=True), "effective_from": at(at_s), **more})


class Told:
    """A shard that goes on from tick to tick, and what it has said.

    Attributes:
        plans: All plans so far.
    """

    def __init__(self, **fields: Any) -> None:
        self.shard, self.cursor = Shard(LOOK_AHEAD_S), fresh()
        self.learnt: list[Job] = []
        self.plans: list[Plan] = []
        self.learn(a_job(schedule="@every 60s", **fields))

    def learn(self, job: Job) -> None:
        job = job.derive(schedule="@every 60s")
        self.shard.learn(job, len(self.learnt))
        self.learnt.append(job)

    def go_on(self, until_s: float, every_s: float = 10.0, behind: Lag | None = None) -> None:
        """Plan at each tick up to a time."""
        now = self.cursor.at - timedelta(seconds=LOOK_AHEAD_S)
        while now < at(until_s):
            now = min(max(now, START) + timedelta(seconds=every_s), at(until_s))
            self._plan(now, [] if behind is None else [behind])

    def _plan(self, now: datetime, behind: list[Lag]) -> None:
        plan = self.shard.plan(self.cursor, now)
        self.shard.accept(plan, behind)
        reached, holds = plan.cursor, {**plan.cursor.holds, **plan.holds}
        self.cursor = Cursor(**{**_fields(reached), "holds": holds}).without_old_holds()
        self.plans.append(plan)

    def take_over(self) -> None:
        """Another scheduler goes on from the cursor."""
        self.shard = Shard(LOOK_AHEAD_S, Cursor.from_row(self.cursor.to_row()).holds)
        for number, job in enumerate(self.learnt):
            self.shard.learn(job, number)

    @property
    def skips(self) -> list[tuple[float, float, int, int]]:
        """From, to, count and revision of each skip."""
        return [
            (seconds(m.from_at), seconds(m.to_at), m.count, m.revision)
            for plan in self.plans
            for _, m in plan.messages
            if isinstance(m, Skip) and m.reason is SkipReason.PAUSED
        ]

    def words(self) -> list[Withdrawal]:
        return [m for p in self.plans for _, m in p.messages if isinstance(m, Withdrawal)]


def _fields(cursor: Cursor) -> dict[str, Any]:
    names = ("shard", "at", "taken", "noted", "moved", "behind", "holds")
    return {name: getattr(cursor, name) for name in names}


def seconds(moment: datetime) -> float:
    return (moment - START).total_seconds()


def test_the_due_times_of_each_hour_are_skipped_in_one_entry() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600))
    told.go_on(2 * HOUR_S + 60)

    assert told.skips == [(660, 3540, 49, 1), (3600, 7140, 60, 1)]
    assert max(due_seconds(*told.plans)) == 600


def test_what_is_left_of_it_is_skipped_when_it_ends_and_runs_go_on() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600))
    told.go_on(HOUR_S + 600)
    told.learn(resumed(HOUR_S + 610))
    told.go_on(HOUR_S + 720)

    assert told.skips == [(660, 3540, 49, 1), (3600, 4200, 11, 1)]
    assert due_seconds(*told.plans)[-2:] == [4260, 4320]
    assert [word.lifts for word in told.words()] == [False, False, True]


def test_the_log_hears_of_a_pause_and_until_when() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600, control=said(600, until=900, retries=True)))
    told.go_on(620)
    word = told.words()[-1]

    assert (word.paused_to, word.with_retries, word.lifts) == (at(900), True, False)


def test_the_log_hears_that_a_job_is_resumed_while_its_cluster_is_paused() -> None:
    told = Told()
    told.go_on(600)
    of_cluster = said(600, until=900).derive(job=None)
    told.learn(paused(600, control=of_cluster))
    told.learn(paused(610, control=of_cluster.derive(resumed_at=at(610))))
    told.go_on(620)

    assert [(word.paused_to, word.lifts) for word in told.words()[-2:]] == [
        (at(900), False),
        (at(900), True),
    ]


def test_a_pause_ends_by_itself() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600, until=930))
    told.go_on(1200)

    assert told.skips == [(660, 900, 5, 1)]
    assert due_seconds(*told.plans)[-5:] == [960, 1020, 1080, 1140, 1200]
    assert {m.revision for p in told.plans for _, m in p.messages if isinstance(m, Skip)} == {1}


def test_a_pause_that_is_over_before_it_can_hold_skips_nothing_by_the_hour() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600, until=610))
    told.go_on(800)

    assert told.skips == []
    assert due_seconds(*told.plans)[-3:] == [660, 720, 780]


def test_an_edit_does_not_end_a_pause() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600))
    told.go_on(1200)
    told.learn(paused(600, command="false", effective_from=at(1200 + BEYOND_S)))
    told.go_on(HOUR_S + 30)

    assert [(one[0], one[1], one[3]) for one in told.skips] == [(660, 1200, 1), (1260, 3540, 2)]


def test_enabled_false_is_a_pause() -> None:
    told = Told()
    told.go_on(600)
    told.learn(a_job(enabled=False, effective_from=at(600 + BEYOND_S)))
    told.go_on(HOUR_S)

    assert told.skips == [(660, 3540, 49, 1)]
    assert told.words()[-1].paused_to == NEVER


def test_a_pause_that_is_taken_up_late_holds_from_then_on_and_is_told_so_after_a_takeover() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(500, effective_from=at(500)))
    told.go_on(700)
    assert told.words()[-1].effective_from == at(630) + TICK
    told.take_over()
    told.go_on(HOUR_S)

    assert told.skips == [(660, 3540, 49, 1)]


def test_whoever_takes_over_tells_each_hour_once() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600))
    for until in (700, 3500, 3590, 3620, 7000, 7300):
        told.go_on(until)
        told.take_over()
    told.learn(resumed(7310))
    told.go_on(7400)

    assert told.skips == [(660, 3540, 49, 1), (3600, 7140, 60, 1), (7200, 7260, 2, 1)]


def test_a_job_that_is_taken_out_while_it_is_paused_has_its_rest_skipped() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600))
    told.go_on(1200)
    told.learn(a_job(removed=True, effective_from=at(1205)))
    told.go_on(1300)

    assert told.skips == [(660, 1200, 10, 1)]


def test_a_resume_just_after_the_pause_begins_where_that_does() -> None:
    told = Told()
    told.go_on(600)
    told.learn(paused(600))
    told.go_on(605, every_s=1)
    told.learn(resumed(606))
    told.go_on(800)

    assert told.words()[-1].effective_from == at(635)
    assert told.skips == []
    assert due_seconds(*told.plans)[-3:] == [660, 720, 780]


def test_a_partition_that_is_behind_hears_of_the_pause_and_of_its_end() -> None:
    told = Told()
    told.go_on(600)
    lag = Lag(told.cursor.at, told.cursor.taken)
    told.learn(paused(600))
    told.go_on(1200)
    step = told.shard.catch_up(lag, told.cursor, at(1200), lambda *_: True)
    assert [type(m).__name__ for _, m in step.messages] == ["Withdrawal"]
    behind = Lag(told.cursor.at, told.cursor.taken)
    told.learn(resumed(1210))
    told.go_on(1260, behind=behind)
    step = told.shard.catch_up(behind, told.cursor, at(1260), lambda *_: True)

    assert [type(m).__name__ for _, m in step.messages] == ["Withdrawal", "Skip", "Run"]


def test_the_next_run_of_a_paused_job_is_the_first_after_the_pause() -> None:
    told = Told()
    assert told.shard.next_due("backup", at(600)) == at(660)
    told.learn(paused(600, until=930))
    assert told.shard.next_due("backup", at(600)) == at(960)
    told.learn(paused(600))

    assert told.shard.next_due("backup", at(1000)) is None


@pytest.mark.parametrize(("moment_s", "hour_s"), [(0, 0), (3599.9, 0), (3600, 3600)])
def test_an_hour_begins_with_its_first_moment(moment_s: float, hour_s: float) -> None:
    assert hour_of(at(moment_s)) == at(hour_s)
