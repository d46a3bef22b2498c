"""What is kept of the ``jobs`` topic is enough for whoever begins, or takes a shard over."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.planning.cursor import Cursor, Lag, Place
from cronstream.core.planning.due import Shard
from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.planning.plan import Plan
from cronstream.core.planning.recent import BEYOND, KEEP, PART, Recent, Seen, mark_of
from cronstream.core.wire.codec import encode, to_json
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Job
from cronstream.errors import LevelError, MessageError
from tests.core.planning.test_due import a_job, at

_HOUR_S = KEEP.total_seconds()


def recalled(*jobs: Job) -> Recent:
    recent = Recent()
    for revision, job in enumerate(jobs):
        recent.fold(revision, encode(job))
    return recent


def kept(recent: Recent) -> Recent:
    """What somebody else finds where it was kept."""
    return Recent.from_row(orjson.loads(orjson.dumps(recent.to_row())))


def test_very_many_jobs_are_kept_in_parts_and_found_again() -> None:
    jobs = [a_job(f"job-{n}", effective_from=at(n)) for n in range(PART + 3)]
    recent = recalled(*jobs)
    first, *parts = (orjson.loads(orjson.dumps(row)) for row in recent.to_rows())
    assert [len(part) for part in parts] == [PART, 3]
    found = Recent.from_row(first, parts=parts)
    assert found.definitions() == recent.definitions()
    assert found.seen == recent.seen
    with pytest.raises(MessageError, match="damaged"):
        Recent.from_row(first, parts=[7])


def test_few_jobs_are_kept_as_they_always_were() -> None:
    recent = recalled(a_job())
    assert list(recent.to_rows()) == [recent.to_row()]


def test_what_another_reader_has_read_is_not_kept_twice() -> None:
    first, second = recalled(a_job()), Recent()
    second.fold(0, encode(a_job()), first.last)
    assert second.definitions()[0] is first.definitions()[0]


def test_what_another_reader_has_read_otherwise_or_elsewhere_is_kept_for_itself() -> None:
    first, second = recalled(a_job("other"), a_job()), recalled(a_job(command="false"))
    for other in (first, second, Recent()):
        third = Recent()
        third.fold(0, encode(a_job()), other.last)
        assert [(d.revision, d.job) for d in third.definitions()] == [(0, a_job())]


def test_definitions_that_were_replaced_long_ago_are_dropped() -> None:
    jobs = [a_job(effective_from=at(n * 2 * _HOUR_S)) for n in range(50)]
    other = a_job("other", effective_from=at(0))
    found = recalled(*jobs, other).definitions()
    assert [(d.job.name, d.revision) for d in found] == [
        ("backup", 48),
        ("backup", 49),
        ("other", 50),
    ]


def test_what_holds_only_from_far_ahead_is_found_removals_too() -> None:
    known = JobsKnown([0, 1])
    known.of[0] = recalled(
        a_job("late", effective_from=at(0)),
        a_job("late", effective_from=at(7200)),
        a_job("gone", effective_from=at(0)),
        a_job("gone", effective_from=at(7200), removed=True),
        a_job("edited", effective_from=at(7200)),
        a_job("edited", effective_from=at(1)),
        a_job("soon", effective_from=at(300)),
    )
    assert [(job.name, job.removed) for job in known.ahead(at(0))] == [
        ("late", False),
        ("gone", True),
    ]
    assert known.ahead(at(7000)) == []


def test_a_job_that_was_taken_out_long_before_any_edit_is_forgotten_unless_it_is_back() -> None:
    gone = [a_job(name, effective_from=at(1), removed=True) for name in ("gone", "back")]
    recent = recalled(
        a_job("gone", effective_from=at(0)),
        a_job("back", effective_from=at(0)),
        *gone,
        a_job("back", effective_from=at(2)),
        a_job("other", effective_from=at(1 + _HOUR_S)),
    )
    assert recent.jobs == 3
    recent.fold(6, encode(a_job("other", effective_from=at(2 + _HOUR_S))))
    assert [d.revision for d in recent.definitions()] == [1, 3, 4, 5, 6]
    assert [job.name for job in recent.in_force()] == ["back", "other"]
    late = at(1) + BEYOND
    assert not recent.serves(Cursor(0, late, taken=6))
    assert not recent.serves(Cursor(0, late + timedelta(seconds=1), taken=2))
    assert recent.serves(Cursor(0, late + timedelta(seconds=1), taken=3))


def test_it_serves_only_cursors_that_are_beyond_what_was_dropped() -> None:
    recent = recalled(*(a_job(effective_from=at(n * 2 * _HOUR_S)) for n in range(3)))
    fine = Cursor(0, at(2 * _HOUR_S) + BEYOND + timedelta(seconds=1), taken=2)
    assert recent.serves(fine)
    assert not recent.serves(Cursor(0, fine.at, taken=1))
    assert not recent.serves(Cursor(0, at(2 * _HOUR_S) + BEYOND, taken=2))
    assert recent.serves(Cursor(0, fine.at, taken=0))
    for taken, is_enough in ((0, True), (1, False), (2, True)):
        behind = {Place("a", 0): Lag(fine.at, taken)}
        assert recent.serves(Cursor(0, fine.at, 2, behind=behind)) is is_enough
    assert Recent().serves(Cursor(0, at(0)))


def test_what_is_read_twice_counts_once_and_what_says_no_time_not_at_all() -> None:
    recent = recalled(a_job(), a_job("never", effective_from=None))
    recent.fold(0, encode(a_job()))
    assert [d.revision for d in recent.definitions()] == [0]
    assert recent.seen.position == 2


def test_the_last_word_on_a_job_counts() -> None:
    recent = Recent()
    recent.fold(0, orjson.dumps([to_json(a_job("kept")), to_json(a_job("gone"))]))
    recent.fold(1, encode(a_job("kept", command="new")))
    recent.fold(2, encode(a_job("gone", removed=True)))
    recent.fold(3, b"{")
    assert recent.in_force() == [a_job("kept", command="new")]


def test_the_first_installation_on_the_topic_counts_and_is_no_job() -> None:
    all_ = JobsKnown([0, 1])
    assert JobsKnown([0, 1]).installation is None
    for offset, raw in enumerate((
        encode(a_job()),
        None,
        encode(Installation(id="a" * 32)).replace(b"a" * 32, b"../../../etc/cron.d"),
        encode(Installation(id="b" * 32)),
        encode(Installation(id="c" * 32)),
    )):  # fmt: skip
        all_.of[1].fold(offset, raw)
    assert all_.installation == "b" * 32
    assert [job.name for job in all_.jobs] == ["backup"]


def test_a_level_that_is_not_known_here_is_not_passed_over() -> None:
    recent = recalled(a_job())
    with pytest.raises(LevelError):
        recent.fold(1, encode(Level(level=LEVEL + 1, version="9")))
    assert kept(recent).seen.position == 1


def test_what_was_read_last_is_known_again_and_nothing_is_of_what_was_never_read() -> None:
    recent = recalled(a_job(), a_job(command="new"))
    assert recent.seen == Seen(2, mark_of(encode(a_job(command="new"))))
    assert kept(recent).seen == recent.seen
    assert Recent().seen == Seen(0, "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"form": 3}, f"form 3, level {LEVEL}, is not known here"),
        ({"level": LEVEL + 1}, f"level {LEVEL + 1}, is not known"),
        ({"jobs": [[0, {"__faust": {"ns": "cronstream.Job"}}]]}, "Job.name is missing"),
        ({"jobs": [[0, to_json(a_job(effective_from=None))]]}, "from when it holds"),
        ({"jobs": 7}, "damaged"),
        ({"position": None}, "damaged"),
        ({"dropped_at": "soon"}, "damaged"),
        ({"mark": None, "dropped_by": "x"}, "damaged"),
    ],
)
def test_a_row_that_is_damaged_or_newer_is_refused(change: dict[str, object], why: str) -> None:
    row = recalled(a_job()).to_row()
    with pytest.raises(MessageError, match=why):
        Recent.from_row({**row, **change})
    with pytest.raises(MessageError, match="damaged"):
        Recent.from_row({})


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 9000), st.booleans()),
        max_size=30,
    ),
    st.integers(0, 20_000),
    st.integers(0, 30),
    st.integers(0, 30),
)
@settings(max_examples=200, deadline=None)
def test_a_shard_that_knows_it_plans_as_one_that_has_read_all(
    edits: list[tuple[str, int, bool]], beyond_s: int, untaken: int, kept_at: int
) -> None:
    now, jobs = 0, list[Job]()
    for name, seconds, removed in edits:
        now += seconds
        schedule = f"@every {7 + len(jobs) % 5}m"
        effective = {"effective_from": at(now), "removed": removed and len(jobs) % 2 == 0}
        jobs.append(a_job(name, schedule, cluster=name, **effective))
    recent = Recent()
    for revision, job in enumerate(jobs):
        if revision == kept_at:
            recent = kept(recent)
        recent.fold(revision, encode(job))
    cursor = Cursor(0, at(now + beyond_s - 5_000), taken=max(0, len(jobs) - untaken))
    if not recent.serves(cursor):
        return
    whole, part = Shard(30.0), Shard(30.0)
    for revision, job in enumerate(jobs):
        whole.learn(job, revision)
    for job, revision in recent.definitions():
        part.learn(job, revision)
    plans = [shard.plan(cursor, at(now + beyond_s)) for shard in (whole, part)]
    assert _told(plans[1], cursor) == _told(plans[0], cursor)
    assert plans[1].cursor == plans[0].cursor


def _told(plan: Plan, cursor: Cursor) -> list[str]:
    """What a plan has; but for former definitions, of which who has taken none need not hear."""
    return sorted(
        repr(message)
        for _, message in plan.messages
        if cursor.taken or not isinstance(message, Withdrawal)
    )


def test_what_is_kept_says_whether_processes_may_work_and_on_which_kafka() -> None:
    known = JobsKnown([0, 1])
    assert (known.house, known.kafka) == (None, None)
    word = House(state=HouseState.CLOSED, export="e")
    known.of[1].fold(0, encode(Installation(id="a" * 32, kafka="there")))
    known.of[1].fold(1, encode(word))
    known.of[1] = Recent.from_row(orjson.loads(orjson.dumps(known.of[1].to_row())))
    assert (known.house, known.kafka) == (word, "there")


@pytest.mark.parametrize("wrong", [
    {"position": -1},
    {"position": 1e400},
    {"dropped_at": "2026-01-01T12:00:00"},
    {"installation": 7},
    {"kafka": ["x"]},
    {"jobs": {"a": 1}},
    {"jobs": [[1, {"__faust": {"ns": "cronstream.Job"}}]]},
    {"house": 3},
    {"level": None},
])  # fmt: skip
def test_a_row_with_anything_wrong_in_it_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        Recent.from_row({**Recent().to_row(), **wrong})
