"""Messages of the old layout: what they say, which runs they become, which are left alone."""

import contextlib
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.crontab.parser import parse_crontab
from cronstream.core.planning.legacy import (
    AHEAD,
    SETTLE,
    KnownJobs,
    LegacyMessage,
    job_name,
    legacy_run,
    may_be_judged,
    number_of,
    parse_legacy,
    place_of,
    starting_offsets,
)
from cronstream.core.wire.codec import decode_entries, encode
from cronstream.core.wire.enumerations import Cause, Delivery
from cronstream.core.wire.runs import Backoff, Job
from cronstream.errors import LegacyError, MessageError
from tests.builders import NOON, at

WRITTEN = at(3.25)


def raw(**fields: Any) -> bytes:
    return orjson.dumps(
        {"job": "backup", "command": "true", "scheduled_at": "2026-01-01", **fields}
    )


def a_job(**fields: Any) -> Job:
    values: dict[str, Any] = {
        "name": "backup",
        "cluster": "cluster-a",
        "schedule": "*/5 * * * *",
        "timezone": "UTC",
        "command": "new",
        "effective_from": NOON,
        **fields,
    }
    return Job(**values)


def known(*jobs: Job) -> KnownJobs:
    jobs_topic = KnownJobs()
    for revision, job in enumerate(jobs):
        jobs_topic.fold(revision, encode(job))
    return jobs_topic


def a_message(seconds: float = 0, job: str = "backup") -> LegacyMessage:
    return LegacyMessage(job, "old", at(seconds))


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T12:00:00+00:00", NOON),
        ("2026-01-01T14:00:00+02:00", NOON),
        ("2026-01-01T12:00:00", NOON),
        ("2026-01-01 12:00", NOON),
        ("2026-01-01T12:00:00.250Z", at(0.25)),
        (NOON.timestamp(), NOON),
        (int(NOON.timestamp()), NOON),
        (NOON.timestamp() + 0.5, at(0.5)),
        (None, WRITTEN),
    ],
)
def test_scheduled_at_may_be_written_in_any_of_these_ways(
    given_time: Any, expected: datetime
) -> None:
    found = parse_legacy(raw(scheduled_at=given_time), WRITTEN).scheduled_at
    assert found == expected
    assert found.utcoffset() == timedelta(0)


def test_a_message_without_scheduled_at_is_due_when_it_was_written() -> None:
    message = parse_legacy(b'{"job":"backup","command":"true"}', WRITTEN)
    assert message == LegacyMessage("backup", "true", WRITTEN)


def test_fields_that_are_not_known_are_ignored() -> None:
    assert parse_legacy(raw(priority=3, __faust={"ns": "x"}), None).command == "true"


@pytest.mark.parametrize("command", ["echo 'ü'", ["/bin/echo", "a b"]])
def test_a_command_is_text_or_a_list_and_kept_as_it_is(command: Any) -> None:
    assert parse_legacy(raw(command=command), None).command == command


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 3000, "not JSON"),
        (b"[]", "object"),
        (b"7", "object"),
        (b'{"command":"true"}', "job None is not text"),
        (raw(job=7), "job 7 is not text"),
        (raw(job="//"), "no ASCII letter or digit"),
        (raw(command=None), "neither text nor a list"),
        (raw(command=["a", 1]), "neither text nor a list"),
        (raw(command="  "), "empty"),
        (raw(command=[]), "empty"),
        (raw(command="a\0b"), "NUL"),
        (raw(command="x" * 140_000), "longer"),
        (raw(scheduled_at="tomorrow"), "not a time"),
        (raw(scheduled_at="0001-01-01T00:00:00+05:00"), "not a time"),
        (raw(scheduled_at=1_767_225_600_000_000), "not a time"),
        (raw(scheduled_at=True), "neither text nor a number"),
        (raw(scheduled_at={}), "neither text nor a number"),
        (raw(scheduled_at=None), "no timestamp"),
    ],
)
def test_what_cannot_be_a_run_is_refused_with_the_reason(value: bytes, reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        parse_legacy(value, None)


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_being_refused(value: bytes) -> None:
    with contextlib.suppress(MessageError):
        parse_legacy(value, WRITTEN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("backup", "backup"),
        ("db.nightly-2_x", "db.nightly-2_x"),
        ("db/nightly backup", "db-nightly-backup"),
        ("a@b!c#d", "a-b-c-d"),
        ("_hidden", "hidden"),
        ("x" * 200, "x" * 128),
    ],
)
def test_a_name_becomes_one_that_the_crontab_takes(old: str, new: str) -> None:
    assert job_name(old) == new


@given(st.integers(0, 2**13 - 1), st.integers(0, 2**40 - 1))
def test_a_number_tells_partition_and_offset(partition: int, offset: int) -> None:
    number = number_of(partition, offset)
    assert place_of(number) == (partition, offset)
    assert number < 2**53


@pytest.mark.parametrize("place", [(2**13, 0), (0, 2**40), (-1, 0)])
def test_a_place_that_no_number_can_tell_is_refused(place: tuple[int, int]) -> None:
    with pytest.raises(MessageError, match="too large"):
        number_of(*place)


def test_a_run_has_its_own_command_and_everything_else_of_the_job_in_force() -> None:
    job = a_job(
        max_attempts=4,
        backoff=Backoff(first_s=3),
        timeout_s=9.0,
        env={"A": "b"},
        cwd="/srv",
        delivery=Delivery.AT_MOST_ONCE,
    )
    run = legacy_run(a_message(5), job, number_of(2, 7), at(60))

    assert (run.job, run.command, run.cluster) == ("backup", "old", "cluster-a")
    assert (run.scheduled_at, run.not_before, run.as_of) == (at(5), at(5), at(60))
    assert (run.attempt, run.attempts_left, run.max_attempts) == (1, 4, 4)
    assert (run.backoff.first_s, run.timeout_s, run.env, run.cwd) == (3, 9.0, {"A": "b"}, "/srv")
    assert (run.delivery, run.revision, run.cause) == (Delivery.AT_MOST_ONCE, None, Cause.LEGACY)
    assert run.id == f"backup@2026-01-01T12:00:05Z!legacy-{2 * 2**40 + 7}"
    assert decode_entries(encode(run)) == ([run], [])


def test_the_same_message_becomes_a_run_of_the_same_id_whenever_it_is_read() -> None:
    first, again = (
        legacy_run(parse_legacy(raw(), None), job, number_of(1, 1), now)
        for job, now in ((a_job(), NOON), (a_job(cluster="cluster-b", max_attempts=9), at(9e5)))
    )
    assert first.id == again.id


def test_a_job_that_is_not_in_the_crontab_goes_to_the_only_cluster() -> None:
    job = parse_crontab("version: 1\nclusters: {cluster-a: }\njobs: []").default
    assert job is not None
    run = legacy_run(a_message(job="ad-hoc"), job, 0, NOON)
    assert (run.job, run.cluster, run.max_attempts) == ("ad-hoc", "cluster-a", 1)


def test_with_several_clusters_it_cannot_be_told_where_such_a_job_runs() -> None:
    two = "version: 1\nclusters: {cluster-a: , cluster-b: }\njobs: []\n"
    assert parse_crontab(two).default is None


def test_such_a_job_is_as_the_crontabs_defaults_say() -> None:
    text = (
        "version: 1\nclusters: {cluster-a: , cluster-b: }\njobs: []\n"
        "defaults: {cluster: cluster-b, max_attempts: 4, timeout: 1m}"
    )
    job = parse_crontab(text).default
    assert job is not None
    run = legacy_run(a_message(job="ad-hoc"), job, 0, NOON)
    assert (run.cluster, run.max_attempts, run.timeout_s) == ("cluster-b", 4, 60.0)


@pytest.mark.parametrize(
    ("seconds", "left"),
    [
        (0, True),  # due, and just in force
        (300, True),
        (300.9, True),  # the old scheduler woke up a little late
        (301, False),  # no due time
        (-300, False),  # due, but before the definition was in force
        (-0.001, False),
    ],
)
def test_only_a_due_time_of_the_schedule_in_force_is_left_to_it(seconds: float, left: bool) -> None:
    assert known(a_job()).schedule_has(a_message(seconds)) is left


def test_a_due_time_follows_the_definition_that_was_in_force_then() -> None:
    jobs = known(a_job(), a_job(schedule="0 * * * *", effective_from=at(600)))
    assert jobs.schedule_has(a_message(300))
    assert not jobs.schedule_has(a_message(900))
    assert jobs.schedule_has(a_message(3600))


def test_a_job_that_has_been_removed_leaves_nothing_to_the_new_schedule_from_then_on() -> None:
    jobs = known(a_job(), a_job(removed=True, effective_from=at(600)))
    assert jobs.schedule_has(a_message(300))
    assert not jobs.schedule_has(a_message(900))
    assert jobs.last("backup") is None


def test_another_jobs_due_time_is_run() -> None:
    assert not known(a_job()).schedule_has(a_message(job="report"))


def test_a_schedule_that_cannot_be_read_is_never_due() -> None:
    assert not known(a_job(schedule="often")).schedule_has(a_message())


def test_a_schedule_is_judged_in_its_own_zone() -> None:
    jobs = known(a_job(schedule="0 13 * * *", timezone="Europe/Berlin"))
    assert jobs.schedule_has(a_message(0))


def test_what_the_jobs_topic_has_that_cannot_be_read_changes_nothing() -> None:
    jobs = known(a_job())
    jobs.fold(1, b"\xff")
    jobs.fold(2, None)
    assert jobs.schedule_has(a_message(300))


@pytest.mark.parametrize(
    ("late_s", "judged"),
    [
        (SETTLE.total_seconds(), True),
        (SETTLE.total_seconds() - 0.001, False),
        (0, False),
        (-AHEAD.total_seconds(), False),
        (-AHEAD.total_seconds() - 0.001, True),
    ],
)
def test_a_message_is_judged_once_every_definition_that_holds_for_it_is_published(
    late_s: float, judged: bool
) -> None:
    assert may_be_judged(NOON, at(late_s)) is judged


def test_it_begins_where_the_old_group_has_come_to() -> None:
    assert starting_offsets("old", {0: 0, 1: 0, 2: 4}, {}, {0: 7, 2: 2}) == {0: 7, 1: 0, 2: 4}


def test_it_goes_on_where_the_group_that_got_furthest_has_come_to() -> None:
    assert starting_offsets("old", {0: 0, 1: 0}, {0: 9, 1: 3}, {0: 7, 1: 5}) == {0: 9, 1: 5}


def test_once_it_has_begun_it_needs_no_other_group() -> None:
    assert starting_offsets("old", {0: 0, 1: 0}, {0: 9}, None) == {0: 9, 1: 0}


@pytest.mark.parametrize(("old", "remedy"), [(None, "with --legacy-group"), ({}, "check its name")])
def test_without_any_offset_it_refuses_rather_than_run_everything_again(
    old: dict[int, int] | None, remedy: str
) -> None:
    with pytest.raises(LegacyError, match=remedy):
        starting_offsets("old", {0: 0}, {}, old)
