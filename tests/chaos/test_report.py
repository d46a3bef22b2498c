from chaos.audit import Audited, read_audit
from chaos.incident import Incident
from chaos.plan import FaultKind, Target
from chaos.report import NOTHING, SEVERAL, Circumstances, Report, make_report
from tests.chaos.evidence import a_job, a_story, an_execution, an_incident, evidence
from tests.chaos.test_judge import made_again

SCHEDULER = an_incident(target=Target.SCHEDULER, process="s.1", at_s=-1.0)


def report(
    start_s: float, *incidents: Incident, schedulers: int = 2, audited: Audited | None = None
) -> Report:
    known = evidence(an_execution(start_s=start_s), story=a_story(), incidents=incidents)
    given = Circumstances(1, 60.0, schedulers, 2, audited=audited or Audited({"clean": True}, ()))
    return make_report(known, given)


def test_all_is_well_when_every_run_started_in_time() -> None:
    made = report(0.2)
    assert made.all_well
    assert (made.due, made.started, made.delay_s["max"]) == (1, 1, 0.2)


def test_a_late_start_without_a_fault_misses_the_target() -> None:
    [missed] = report(1.5).missed
    assert "1.50 s late; nothing had been done" in missed


def test_a_late_start_after_a_fault_of_its_worker_is_told_and_allowed() -> None:
    made = report(4.0, an_incident(at_s=-1.0))
    assert made.all_well
    assert [(row.label, row.late) for row in made.rows if row.late] == [("kill worker", 1)]


def test_a_fault_that_was_long_over_excuses_no_late_start() -> None:
    [missed] = report(60.0, an_incident(at_s=-1.0)).missed
    assert "60.00 s late; nothing had been done" in missed


def test_with_two_schedulers_a_late_start_after_the_loss_of_one_misses_the_target() -> None:
    [missed] = report(1.5, SCHEDULER).missed
    assert "kill scheduler" in missed
    assert report(1.5, SCHEDULER, schedulers=1).all_well


def test_what_two_faults_may_be_blamed_for_is_under_neither() -> None:
    pause = an_incident(FaultKind.PAUSE, process="w.2", at_s=-2.0, lasts_s=15.0)
    made = report(4.0, an_incident(at_s=-1.0), pause)
    assert [(row.label, row.late) for row in made.rows if row.late] == [(SEVERAL, 1)]
    assert made.rows[-1].label == NOTHING


def test_a_killed_workers_run_that_starts_too_late_misses_the_target() -> None:
    known = made_again(an_incident(at_s=-4.0))
    assert make_report(known, Circumstances(1, 60.0, 2, 2)).all_well
    slow = [execution for execution in known.executions if execution.attempt == 1]
    slow.append(an_execution(2, 12.0, 13.0))
    late = evidence(*slow, story=known.stories[slow[0].run], incidents=tuple(known.incidents))
    [missed] = make_report(late, Circumstances(1, 60.0, 2, 2)).missed
    assert "12.0 s" in missed
    assert make_report(late, Circumstances(1, 60.0, 2, 1)).all_well, "nobody else was there"


def test_what_is_to_harm_nobody_excuses_no_late_start() -> None:
    [missed] = report(1.5, an_incident(FaultKind.POISON, Target.TOPICS, at_s=-1.0)).missed
    assert "nothing had been done" in missed


def test_a_malformed_message_that_was_not_set_aside_misses_the_target() -> None:
    known = evidence(an_execution(), story=a_story())
    given = Circumstances(1, 60.0, 2, 2, poisoned=9, not_aside=(("cronstream.a", 3, 7),))
    made = make_report(known, given)
    assert made.poisoned == 9
    assert made.missed == (
        "1 of 9 malformed messages are not in quarantine, such as offset 7 of cronstream.a/3",
    )


def test_runs_of_stray_jobs_are_not_counted_as_due() -> None:
    made = make_report(evidence(story=None, job=a_job(is_stray=True)), Circumstances(1, 60.0, 2, 2))
    assert (made.due, made.started, made.findings) == (0, 0, ())


def test_what_the_audit_finds_misses_the_target() -> None:
    [missed] = report(0.2, audited=Audited({}, ("gap: j@1: no attempt 2",))).missed
    assert missed == "audit: gap: j@1: no attempt 2"


def test_what_the_audit_allows_is_no_fault_of_it() -> None:
    said = '{"kind": "lost", "run": "j@1", "text": "x"}\n{"kind": "summary", "clean": true}\n'
    assert read_audit(said, "") == Audited({"kind": "summary", "clean": True}, ())


def test_an_audit_that_fails_is_a_fault() -> None:
    [fault] = read_audit("", "no Kafka answers").faults
    assert fault == "it has failed: no Kafka answers"


def test_an_audit_that_is_not_clean_is_a_fault_whatever_it_names() -> None:
    assert read_audit('{"kind": "summary", "clean": false}', "").faults
