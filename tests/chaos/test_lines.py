"""Commands that ran at once though they may not, told by the truth file."""

import pytest

from chaos.incident import Incident
from chaos.judge import Evidence, Wrong
from chaos.lines import overlaps
from chaos.plan import FaultKind, Reach
from chaos.truth import Execution
from chaos.workload import ChaosJob
from cronstream.core.wire.enumerations import Outcome, Overlap
from tests.chaos.evidence import (
    RUN,
    a_job,
    a_story,
    after,
    an_attempt,
    an_execution,
    an_incident,
)

FENCED = a_job(fence=True)
NEXT = "job@2026-01-01T12:00:20Z"


def ran(job: ChaosJob, *executions: Execution, incidents: tuple[Incident, ...] = ()) -> list[Wrong]:
    known = Evidence(
        jobs=[job],
        since=after(-1),
        until=after(11),
        stories={RUN: a_story(an_attempt(1, outcome=Outcome.LOST, ended_at=after(7)))},
        executions=executions,
        incidents=incidents,
        processes={"host.1": "w.1"},
    )
    return [finding.wrong for finding in overlaps(known)]


def the_next(start_s: float, end_s: float) -> Execution:
    return Execution(NEXT, 1, "w.2", 200, after(start_s), after(end_s))


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE])
def test_two_runs_at_once_of_a_job_that_may_not_overlap_are_a_finding(overlap: Overlap) -> None:
    job = a_job(overlap=overlap)
    assert ran(job, an_execution(end_s=12.0), the_next(11.0, 13.0)) == [Wrong.AT_ONCE]
    assert ran(job, an_execution(end_s=11.0), the_next(11.0, 13.0)) == []


def test_runs_that_may_overlap_are_none() -> None:
    assert ran(a_job(), an_execution(end_s=12.0), the_next(11.0, 13.0)) == []
    assert ran(FENCED, an_execution(end_s=12.0), the_next(11.0, 13.0)) == []


def test_two_attempts_at_once_at_a_fenced_run_are_a_finding() -> None:
    both = an_execution(1, end_s=9.0), an_execution(2, start_s=8.0, end_s=10.0)
    assert ran(FENCED, *both) == [Wrong.AT_ONCE]
    assert ran(a_job(), *both) == []


def test_an_execution_is_held_against_the_one_that_ends_last() -> None:
    job = a_job(overlap=Overlap.QUEUE)
    long, short = an_execution(1, end_s=20.0), an_execution(2, start_s=1.0, end_s=2.0)
    assert ran(job, long, short, the_next(11.0, 12.0)) == [Wrong.AT_ONCE, Wrong.AT_ONCE]
    short, long = an_execution(1, end_s=2.0), an_execution(2, start_s=1.0, end_s=20.0)
    assert ran(job, short, long, the_next(11.0, 12.0)) == [Wrong.AT_ONCE, Wrong.AT_ONCE]


def test_a_command_that_was_ended_is_told_of_by_nobody() -> None:
    job = a_job(overlap=Overlap.SKIP)
    assert ran(job, an_execution(end_s=None), the_next(11.0, 13.0)) == []


def test_a_worker_that_stood_still_for_longer_than_its_lease_is_excused() -> None:
    job = a_job(overlap=Overlap.SKIP)
    both = an_execution(end_s=12.0), the_next(11.0, 13.0)
    long, short = (an_incident(FaultKind.PAUSE, at_s=1.0, lasts_s=lasts) for lasts in (7.0, 3.0))
    assert ran(job, *both, incidents=(long,)) == []
    assert ran(job, *both, incidents=(short,)) == [Wrong.AT_ONCE]


def test_of_a_fenced_run_only_an_executor_that_stood_still_is_excused() -> None:
    both = an_execution(1, end_s=9.0), an_execution(2, start_s=8.0, end_s=10.0)
    alone = an_incident(FaultKind.PAUSE, at_s=1.0, lasts_s=7.0)
    whole = an_incident(FaultKind.PAUSE, at_s=1.0, lasts_s=7.0, reach=Reach.TREE)
    assert ran(FENCED, *both, incidents=(alone,)) == [Wrong.AT_ONCE]
    assert ran(FENCED, *both, incidents=(whole,)) == []
