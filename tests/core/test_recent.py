"""What is remembered of the ``jobs`` topic is enough for whoever takes a shard over."""

from collections.abc import Iterable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.cursor import Cursor, Lag, Place
from cronstream.core.due import Shard
from cronstream.core.recent import BEYOND, KEEP, Recent
from cronstream.core.records import Job
from tests.core.test_due import a_job, at

_HOUR_S = KEEP.total_seconds()


def recalled(*jobs: Job) -> Recent:
    recent = Recent()
    for revision, job in enumerate(jobs):
        recent.take(revision, [job])
    return recent


def test_definitions_that_were_replaced_long_ago_are_dropped() -> None:
    jobs = [a_job(effective_from=at(n * 2 * _HOUR_S)) for n in range(50)]
    other = a_job("other", effective_from=at(0))
    kept = recalled(*jobs, other).definitions()
    assert [(d.job.name, d.revision) for d in kept] == [
        ("backup", 48),
        ("backup", 49),
        ("other", 50),
    ]


def test_it_serves_only_cursors_that_are_beyond_what_was_dropped() -> None:
    recent = recalled(*(a_job(effective_from=at(n * 2 * _HOUR_S)) for n in range(3)))
    fine = Cursor(0, at(2 * _HOUR_S) + BEYOND + timedelta(seconds=1), taken=2)
    assert recent.serves(fine)
    assert not recent.serves(Cursor(0, fine.at, taken=1))
    assert not recent.serves(Cursor(0, at(2 * _HOUR_S) + BEYOND, taken=2))
    behind = {Place("a", 0): Lag(fine.at, 1)}
    assert not recent.serves(Cursor(0, fine.at, 2, behind=behind))
    assert not Recent().serves(fine)


def test_what_is_read_twice_counts_once_and_what_says_no_time_not_at_all() -> None:
    recent = recalled(a_job(), a_job("never", effective_from=None))
    recent.take(0, [a_job()])
    assert [d.revision for d in recent.definitions()] == [0]
    assert recent.position == 2


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 9000)), max_size=30),
    st.integers(0, 20_000),
    st.integers(0, 30),
)
@settings(max_examples=200, deadline=None)
def test_a_shard_that_knows_it_plans_as_one_that_has_read_all(
    edits: list[tuple[str, int]], beyond_s: int, untaken: int
) -> None:
    now, jobs = 0, list[Job]()
    for name, seconds in edits:
        now += seconds
        schedule = f"@every {7 + len(jobs) % 5}m"
        jobs.append(a_job(name, schedule, cluster=name, effective_from=at(now)))
    recent = recalled(*jobs)
    cursor = Cursor(0, at(now + beyond_s - 5_000), taken=max(0, len(jobs) - untaken))
    if not recent.serves(cursor):
        return
    whole, part = Shard(30.0), Shard(30.0)
    for revision, job in enumerate(jobs):
        whole.learn(job, revision)
    for job, revision in recent.definitions():
        part.learn(job, revision)
    plans = [shard.plan(cursor, at(now + beyond_s)) for shard in (whole, part)]
    assert _told(plans[1].messages) == _told(plans[0].messages)
    assert plans[1].cursor == plans[0].cursor


def _told(messages: Iterable[object]) -> list[str]:
    return sorted(map(repr, messages))
