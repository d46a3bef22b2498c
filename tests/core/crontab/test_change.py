"""What differs between two crontabs."""

from typing import Any

import pytest

from cronstream.core.crontab.change import (
    Change,
    compare,
    describe,
    describe_some,
    differences,
    missing,
    without,
)
from cronstream.core.wire.codec import decode, encode
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.enumerations import Background, Delivery, Overlap
from cronstream.core.wire.runs import Backoff, Job, Ping, RetryOn
from tests.builders import NOON


def a_job(name: str = "backup", **fields: Any) -> Job:
    values = {"cluster": "cluster-a", "schedule": "@hourly", "timezone": "UTC", "command": "true"}
    return Job(name=name, **{**values, **fields})


def test_jobs_are_added_removed_and_changed_by_name() -> None:
    old = [a_job("a"), a_job("b"), a_job("c")]
    new = [a_job("d"), a_job("c", command="false"), a_job("a")]
    change = compare(old, new)
    assert change == Change(added=(new[0],), removed=(old[1],), changed=(new[1],), before=(old[2],))


def test_the_same_jobs_in_another_order_are_no_change() -> None:
    assert not compare([a_job("a"), a_job("b")], [a_job("b"), a_job("a")])


NOBODY = Confinement(user="nobody", umask=0o27, files=64)


def test_since_when_a_job_holds_makes_no_difference() -> None:
    assert not compare([a_job(effective_from=NOON)], [a_job()])


def test_a_job_that_comes_back_from_the_topic_is_the_same() -> None:
    job = a_job(
        command=["a", "b"],
        env={"A": "b"},
        backoff=Backoff(first_s=1.0),
        retry_on=RetryOn(statuses=[1]),
        delivery=Delivery.AT_MOST_ONCE,
        timeout_s=5.0,
    )
    assert not compare([decode(encode(job.derive(effective_from=NOON)), Job)], [job])


def test_a_job_that_was_removed_before_is_added_when_it_comes_back() -> None:
    assert compare([a_job(removed=True)], [a_job()]) == Change(added=(a_job(),))
    assert not compare([a_job(removed=True)], [])


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({}, {"schedule": "*/5 * * * *"}, "schedule '@hourly' → '*/5 * * * *'"),
        ({}, {"max_attempts": 3, "cwd": "/srv"}, "max_attempts 1 → 3, cwd none → '/srv'"),
        ({"timeout_s": 90.0}, {}, "timeout 1m30s → none"),
        ({}, {"background": Background.WAIT}, "background 'kill' → 'wait'"),
        ({}, {"grace_s": 3600.0}, "grace 10s → 1h"),
        ({}, {"drain_s": 0.0}, "drain none → 0s"),
        (
            {},
            {"overlap": Overlap.SKIP, "fence": True},
            "overlap 'allow' → 'skip', fence false → true",
        ),
        (
            {},
            {"overlap": Overlap.QUEUE, "max_queue": 5},
            "overlap 'allow' → 'queue', max_queue 100 → 5",
        ),
        ({}, {"delivery": Delivery.AT_MOST_ONCE}, "delivery 'at_least_once' → 'at_most_once'"),
        (
            {"backoff": Backoff(first_s=5.0, factor=1.5, jitter=0.0)},
            {},
            "backoff 5s times 1.5 up to 1h, jitter 0 → 15s times 2 up to 1h, jitter 0.1",
        ),
        (
            {},
            {"retry_on": RetryOn(statuses=[1, 75], timeouts=False)},
            "retry_on statuses all, timeouts true → statuses [1, 75], timeouts false",
        ),
        (
            {},
            {"confinement": NOBODY},
            "user, umask, limits none → user nobody, umask 027, files 64",
        ),
        (
            {"env": {"A": "1", "B": "from:B"}},
            {"env": {"A": "1"}, "secrets": {"B": "from:B"}},
            "env changed (B)",
        ),
        ({"confinement": Confinement(files=64)}, {}, "user, umask, limits files 64 → none"),
        ({}, {"command": ["a", "b"]}, "command 'true' → ['a', 'b']"),
        ({}, {"command": "x" * 100}, f"command 'true' → '{'x' * 58}…"),
    ],
)
def test_a_change_is_told_in_one_line_with_what_was_and_what_is(
    before: dict[str, Any], after: dict[str, Any], line: str
) -> None:
    assert describe(compare([a_job(**before)], [a_job(**after)])) == [f"job backup: {line}"]


def test_the_values_of_variables_are_not_told() -> None:
    change = compare(
        [a_job(env={"KEPT": "x", "TOKEN": "old-secret", "GONE": "y"})],
        [a_job(env={"KEPT": "x", "TOKEN": "new-secret"})],
    )
    assert describe(change) == ["job backup: env changed (GONE, TOKEN)"]


def test_a_zone_is_told_once_though_the_command_is_told_of_it_too() -> None:
    tokyo, berlin = (
        a_job(timezone=zone, env={"TZ": zone}) for zone in ("Asia/Tokyo", "Europe/Berlin")
    )
    told = "job backup: timezone 'Asia/Tokyo' → 'Europe/Berlin'"
    assert describe(compare([tokyo], [berlin])) == [told]
    before, after = tokyo.derive(env={"A": "b"}), berlin.derive(env={"A": "c"})
    assert describe(compare([before], [after])) == [f"{told}, env changed (A)"]
    assert describe(compare([tokyo.derive(env=None)], [tokyo])) == ["job backup: env changed (TZ)"]


def test_added_and_removed_jobs_have_a_line_each() -> None:
    assert describe(compare([a_job("a")], [a_job("b")])) == [
        "job b added (cluster-a, @hourly)",
        "job a removed",
    ]


def test_jobs_that_are_missing_are_counted_and_some_are_named() -> None:
    old = [a_job(name=name) for name in "abcde"]
    assert missing(old, old) == ""
    assert missing(old[:2], []) == "2 of its jobs (a, b)"
    assert missing(old, old[:1]) == "4 of its jobs (b, c, d, …)"


def test_what_is_put_in_force_on_a_cluster_can_be_left_out_but_not_what_leaves_it() -> None:
    old = [a_job("gone"), a_job("edited"), a_job("leaves"), a_job("b", cluster="b")]
    new = [
        a_job("edited", command="false"),
        a_job("new"),
        a_job("leaves", cluster="b"),
        a_job("b", cluster="b", command="false"),
    ]
    change = without(compare(old, new), {"cluster-a"})
    assert change == Change(removed=(old[0],), changed=(new[2], new[3]), before=(old[2], old[3]))


def test_monitors_and_limits_are_shown_in_the_words_of_the_file() -> None:
    plain = a_job()
    watched = plain.derive(
        ping=Ping(healthchecks="file:/run/check"),
        confinement=Confinement(umask=0, cpu_s=600, memory_bytes=1024, file_bytes=9),
    )
    assert [str(one) for one in differences(plain, watched)] == [
        "user, umask, limits none → umask 000, cpu 10m, memory 1024, file_size 9",
        "ping none → healthchecks file:/run/check",
    ]


def test_of_a_great_change_some_jobs_are_told_and_how_many_more_there_are() -> None:
    old = [a_job("gone"), *(a_job(f"kept-{n}") for n in range(3))]
    new = [a_job(f"new-{n}") for n in range(9)] + [
        a_job(f"kept-{n}", command="false") for n in range(3)
    ]
    change = compare(old, new)

    assert describe_some(change, 13) == describe(change)
    assert describe_some(change, 12) == [*describe(change)[:11], "and 2 more jobs"]
    assert describe_some(change, 3) == [*describe(change)[:2], "and 11 more jobs"]
    assert describe_some(Change(), 3) == []
