import pytest

from chaos.incident import Incident
from chaos.judge import Evidence, Wrong, delays, findings, takeovers
from chaos.plan import FaultKind, Target
from chaos.workload import Temper
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap
from cronstream.history.story import RunState
from tests.chaos.evidence import (
    RUN,
    a_job,
    a_story,
    after,
    an_attempt,
    an_execution,
    an_incident,
    evidence,
)

ONCE = a_job(delivery=Delivery.AT_MOST_ONCE)
LOST = an_attempt(1, outcome=Outcome.LOST, ended_at=after(7))
AGAIN = an_attempt(2, claimed_at=after(7.1), started_at=after(7.2), ended_at=after(8.2))


def wrongs(known: Evidence) -> list[Wrong]:
    return [finding.wrong for finding in findings(known)]


def made_again(*incidents: Incident) -> Evidence:
    executions = an_execution(1, end_s=None), an_execution(2, 7.2, 8.2)
    return evidence(*executions, story=a_story(LOST, AGAIN), incidents=incidents)


def test_a_run_that_went_as_it_should_is_no_finding() -> None:
    assert wrongs(evidence(an_execution(), story=a_story())) == []


def test_a_run_on_no_ledger_is_lost() -> None:
    assert wrongs(evidence(story=None)) == [Wrong.LOST]


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.SKIPPED])
def test_a_run_without_an_end_that_was_earned_is_lost(state: RunState) -> None:
    assert Wrong.LOST in wrongs(evidence(an_execution(), story=a_story(state=state)))


def test_a_success_that_no_command_has_seen_is_lost() -> None:
    assert wrongs(evidence(story=a_story())) == [Wrong.LOST]
    assert wrongs(evidence(an_execution(end_s=None), story=a_story())) == [Wrong.LOST]


def test_a_run_may_be_skipped_for_its_overlap_only_if_it_may_not_overlap() -> None:
    story = a_story(state=RunState.SKIPPED, reason="overlap")
    assert wrongs(evidence(story=story, job=a_job(overlap=Overlap.SKIP))) == []
    assert wrongs(evidence(story=story)) == [Wrong.LOST]
    other = a_story(state=RunState.SKIPPED, reason="missed")
    assert wrongs(evidence(story=other, job=a_job(overlap=Overlap.SKIP))) == [Wrong.LOST]


def test_a_fenced_command_may_be_made_again_after_a_shorter_pause() -> None:
    interrupted = an_attempt(1, outcome=Outcome.INTERRUPTED, ended_at=after(4))
    story = a_story(interrupted, AGAIN)
    both = an_execution(1, end_s=None), an_execution(2, 7.2, 8.2)
    short = (an_incident(FaultKind.PAUSE, at_s=0.5, lasts_s=3.0),)
    assert wrongs(evidence(*both, story=story, incidents=short)) == [Wrong.DOUBLED]
    assert wrongs(evidence(*both, story=story, job=a_job(fence=True), incidents=short)) == []


def test_a_stray_run_is_never_lost_but_may_be_doubled() -> None:
    stray = a_job(is_stray=True)
    assert wrongs(evidence(story=None, job=stray)) == []
    twice = an_execution(), an_execution(start_s=0.5)
    assert Wrong.DOUBLED in wrongs(evidence(*twice, story=a_story(), job=stray))


def test_what_is_doomed_may_be_discarded_after_its_last_failure_only() -> None:
    job = a_job(temper=Temper.DOOMED, max_attempts=1)
    story = a_story(an_attempt(outcome=Outcome.FAILED), state=RunState.DISCARDED, failures=1)
    assert wrongs(evidence(an_execution(), story=story, job=job)) == []
    assert wrongs(
        evidence(an_execution(), story=story, job=a_job(temper=Temper.DOOMED, max_attempts=2))
    ) == [Wrong.LOST]


def test_at_most_once_may_be_given_up_only_if_its_worker_was_struck() -> None:
    story = a_story(LOST, state=RunState.DISCARDED)
    execution = an_execution(end_s=None)
    assert wrongs(evidence(execution, story=story, job=ONCE, incidents=(an_incident(),))) == []
    assert wrongs(evidence(execution, story=story, job=ONCE)) == [Wrong.LOST]
    assert wrongs(evidence(execution, story=story, incidents=(an_incident(),))) == [Wrong.LOST]


def test_an_attempt_that_two_have_started_is_doubled_whoever_was_struck() -> None:
    executions = an_execution(), an_execution()
    known = evidence(*executions, story=a_story(), incidents=(an_incident(),))
    assert wrongs(known) == [Wrong.DOUBLED]


def test_at_most_once_is_doubled_by_any_second_start() -> None:
    executions = an_execution(1, end_s=None), an_execution(2, 7.2, 8.2)
    story = a_story(LOST, AGAIN)
    known = evidence(*executions, story=story, job=ONCE, incidents=(an_incident(),))
    assert wrongs(known) == [Wrong.DOUBLED_ONCE]


def test_an_attempt_may_be_made_again_if_its_worker_was_killed() -> None:
    assert wrongs(made_again(an_incident())) == []


@pytest.mark.parametrize(
    "incidents",
    [
        (),
        (an_incident(process="w.2"),),
        (an_incident(at_s=60.0),),
        (an_incident(FaultKind.PAUSE, lasts_s=3.0),),
        (an_incident(target=Target.SCHEDULER, process="s.1"),),
    ],
    ids=["nobody", "another", "later", "too short a pause", "a scheduler"],
)
def test_an_attempt_that_is_made_again_is_doubled_if_its_worker_was_well(
    incidents: tuple[Incident, ...],
) -> None:
    assert wrongs(made_again(*incidents)) == [Wrong.DOUBLED]


def test_what_was_made_again_and_then_replaced_is_not_doubled_by_its_last_attempt() -> None:
    executions = an_execution(1, end_s=None), an_execution(2, 7.2, 8.2)
    last = an_attempt(2, started_at=after(7.2), outcome=Outcome.INTERRUPTED, ended_at=after(30))
    story = a_story(LOST, last)

    assert Wrong.DOUBLED not in wrongs(
        evidence(*executions, story=story, incidents=(an_incident(),))
    )


def test_a_start_before_its_time_is_early() -> None:
    assert wrongs(evidence(an_execution(start_s=-0.1), story=a_story())) == [Wrong.EARLY]
    assert wrongs(evidence(an_execution(start_s=-0.005), story=a_story())) == []


def test_a_start_that_no_claim_has_gone_before_is_found() -> None:
    story = a_story(an_attempt(claimed_at=None))
    assert wrongs(evidence(an_execution(), story=story)) == [Wrong.UNCLAIMED]


def test_a_late_start_is_blamed_on_what_concerned_its_cluster() -> None:
    mine = an_incident(at_s=-1.0)
    others = an_incident(at_s=-1.0, cluster="b", process="x.1")
    [delay] = delays(evidence(an_execution(start_s=4), story=a_story(), incidents=(mine, others)))
    assert (delay.seconds, delay.blame) == (4.0, (mine,))


def test_a_scheduler_is_blamed_only_if_nothing_else_was_done() -> None:
    scheduler = an_incident(target=Target.SCHEDULER, process="s.1", at_s=-1.0)
    worker = an_incident(at_s=-1.0)
    late = an_execution(start_s=4)
    [delay] = delays(evidence(late, story=a_story(), incidents=(scheduler,)))
    assert delay.blame == (scheduler,)
    [delay] = delays(evidence(late, story=a_story(), incidents=(scheduler, worker)))
    assert delay.blame == (worker,)


def test_a_killed_workers_attempt_is_taken_over_when_the_next_one_starts() -> None:
    kill = an_incident(at_s=0.5)
    [takeover] = takeovers(made_again(kill))
    assert (takeover.run, round(takeover.seconds, 3), takeover.blame) == (RUN, 6.7, (kill,))


def test_an_attempt_that_was_not_due_yet_is_taken_over_from_its_due_time_on() -> None:
    [takeover] = takeovers(made_again(an_incident(at_s=-4.0)))
    assert round(takeover.seconds, 3) == 7.2


def test_a_paused_workers_attempt_is_no_takeover() -> None:
    assert takeovers(made_again(an_incident(FaultKind.PAUSE))) == []


def test_an_attempt_that_a_pause_had_cost_before_the_kill_is_no_takeover() -> None:
    assert takeovers(made_again(an_incident(at_s=8.0))) == []
