"""What a change of jobs means for their due times."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.crontab.change import Change, compare
from cronstream.core.crontab.outlook import Outlook, Shift, Span, outlook
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.runs import Job
from tests.builders import NOON, at
from tests.core.crontab.test_change import a_job

DAY = Span(NOON, NOON + timedelta(days=1), timedelta(seconds=30))


def edit(before: Job | None, after: Job | None) -> Change:
    return compare([before] if before else [], [after] if after else [])


def look(before: Job | None, after: Job | None, *, keep: int = 100, most: int = 10_000) -> Outlook:
    return outlook(edit(before, after), DAY, keep=keep, most=most)


def test_a_job_that_comes_adds_its_due_times_from_the_first_moment_on() -> None:
    found = look(None, a_job())
    assert (found.added, found.removed, found.moved) == (24, 0, 0)
    assert [shift.after for shift in found.first[:2]] == [NOON, NOON + timedelta(hours=1)]
    assert {shift.kind for shift in found.first} == {"added"}


def test_a_job_that_goes_removes_them() -> None:
    found = look(a_job(), None)
    assert (found.added, found.removed, found.moved) == (0, 24, 0)
    assert found.first[0] == Shift(a_job(), NOON, None)
    assert (found.first[0].kind, found.first[0].at) == ("removed", NOON)


def test_a_job_that_the_file_disables_has_no_due_times_until_it_is_enabled() -> None:
    enabled, disabled = a_job(), a_job(enabled=False)
    assert look(enabled, disabled).removed == look(disabled, enabled).added == 24
    assert look(None, disabled).total == look(disabled, None).total == 0
    assert look(disabled, a_job(enabled=False, schedule="0 3 * * *")).total == 0


def test_where_as_many_come_as_go_they_are_moved_one_after_another() -> None:
    after = a_job(schedule="0 4 * * *")
    found = look(a_job(schedule="0 3 * * *"), after)
    three = NOON + timedelta(hours=15)
    assert found.first == (Shift(after, three, three + timedelta(hours=1)),)
    assert (found.moved, found.total, found.first[0].kind) == (1, 1, "moved")
    assert str(found) == "1 moved"


def test_what_is_due_as_before_is_not_counted() -> None:
    found = look(a_job(schedule="0 * * * *"), a_job(schedule="*/30 * * * *"))
    assert (found.added, found.removed) == (24, 0)


def test_those_that_come_and_go_stand_in_the_order_of_time() -> None:
    found = look(a_job(schedule="*/20 * * * *"), a_job(schedule="*/30 * * * *"))
    kinds = [(shift.kind, (shift.at - NOON).seconds // 60) for shift in found.first[:4]]
    assert kinds == [("removed", 20), ("added", 30), ("removed", 40), ("removed", 80)]


def test_another_command_changes_no_due_time() -> None:
    found = look(a_job(), a_job(command="false"))
    assert (found.total, str(found)) == (0, "the same")


def test_another_zone_moves_them() -> None:
    found = look(a_job(schedule="0 3 * * *"), a_job(schedule="0 3 * * *", timezone="Europe/Berlin"))
    assert str(found) == "1 moved"


def test_a_job_that_changes_its_cluster_is_changed_only_beyond_the_look_ahead() -> None:
    before, after = a_job(schedule="* * * * *"), a_job(schedule="*/15 * * * * *")
    assert look(before, after).first[0].at == at(15)
    moved = look(before, after.derive(cluster="cluster-b"))
    assert (moved.first[0].at, moved.first[0].job.cluster) == (at(30), "cluster-b")


def test_only_the_earliest_are_kept_of_all_jobs_together() -> None:
    jobs = [a_job(f"job-{minute}", schedule=f"{minute} * * * *") for minute in (30, 10, 20)]
    found = outlook(Change(added=tuple(jobs)), DAY, keep=4)
    assert [(s.job.name, s.after) for s in found.first] == [
        ("job-10", at(600)),
        ("job-20", at(1200)),
        ("job-30", at(1800)),
        ("job-10", at(4200)),
    ]
    assert found.added == 72
    assert outlook(Change(added=tuple(jobs)), DAY).first == ()


def test_jobs_whose_due_times_are_too_many_are_left_out_and_said() -> None:
    often = a_job("often", schedule="* * * * * *")
    jobs = (a_job("a"), often, a_job("b"), a_job("c", schedule="5 * * * *"))
    found = outlook(Change(added=jobs), DAY, keep=1, most=1000)
    assert (found.added, found.unknown) == (48, 2)
    assert str(found) == "at least 48 added (2 jobs not counted)"
    assert str(outlook(Change(added=(often,)), DAY, most=1000)) == "1 job not counted"


def test_a_schedule_of_a_newer_version_is_left_out() -> None:
    assert str(look(a_job(schedule="whenever it suits"), a_job())) == "1 job not counted"


SCHEDULES = st.sampled_from(
    ["@hourly", "*/7 * * * *", "30 2 * * *", "@every 11m", "0 0 29 2 *", "15,45 9-17 * * mon-fri"]
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"])


def dues(job: Job | None, span: Span) -> set[datetime]:
    if job is None:
        return set()
    found = compile_schedule(job.schedule, job.timezone)
    tick = timedelta(microseconds=1)
    return set(found.between(span.start - tick, span.until - tick))


@settings(deadline=None)
@given(
    before=st.builds(lambda s, z: a_job(schedule=s, timezone=z), SCHEDULES, ZONES) | st.none(),
    after=st.builds(lambda s, z: a_job(schedule=s, timezone=z), SCHEDULES, ZONES) | st.none(),
    start=st.timedeltas(timedelta(0), timedelta(days=365)).map(lambda length: NOON + length),
)
def test_what_was_due_and_the_shifts_give_what_is_due(
    before: Job | None, after: Job | None, start: datetime
) -> None:
    span = Span(start, start + timedelta(days=2), timedelta())
    found = outlook(edit(before, after), span, keep=1000)
    gone = {shift.before for shift in found.first if shift.before}
    come = {shift.after for shift in found.first if shift.after}
    old = dues(before, span)
    assert gone <= old
    assert (old - gone) | come == dues(after, span)
    assert found.total == len(found.first)
    assert list(found.first) == sorted(found.first, key=lambda shift: shift.at)
