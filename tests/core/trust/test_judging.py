from datetime import timedelta
from typing import Any

import pytest

from cronstream.core.ledger.following import to_publish
from cronstream.core.ledger.retry import next_attempt, with_attempt
from cronstream.core.planning.making import run_of
from cronstream.core.trust.judging import Standing
from cronstream.core.trust.signing import signed_bytes
from cronstream.core.wire.codec import decode, encode, from_json, to_json
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.enumerations import (
    Background,
    Cause,
    ControlAction,
    Delivery,
    Ending,
    Missed,
    Outcome,
    Overlap,
    Verdict,
)
from cronstream.core.wire.runs import Attempt, Backoff, Following, Job, Ping, RetryOn, Run, Then
from tests.builders import NOON, a_run, at
from tests.ledger_builders import Told
from tests.signing import a_judge, a_key, trusted

KEY = a_key()
ALL_SET = a_run(
    max_attempts=3,
    attempts_left=3,
    command=["make", "it"],
    backoff=Backoff(first_s=1.0),
    retry_on=RetryOn(statuses=[1]),
    timeout_s=60.0,
    grace_s=3.0,
    drain_s=5.0,
    env={"B": "2", "A": "1"},
    cwd="/tmp",
    delivery=Delivery.AT_MOST_ONCE,
    overlap=Overlap.QUEUE,
    max_queue=7,
    max_running=2,
    then=[Following(on=Ending.SETTLED, run=a_run(revision=None, cause=Cause.CHAIN))],
    fence=True,
    background=Background.WAIT,
    start_within_s=9.0,
    pause_after=4,
    expect_within_s=7.0,
    ping=Ping(healthchecks="file:/a"),
    on_success="from:A",
    on_discard="from:B",
    number=4,
    as_of=at(1),
    secrets={"TOKEN": "file:/run/token"},
    confinement=Confinement(user="nobody"),
)
A_PAUSE = Control(action=ControlAction.PAUSE, cluster="cluster-a", by="ada", at=at(0))
#: What later attempts change; all else is signed.
UNSIGNED = {
    *("attempt", "attempts_left", "not_before", "attempts", "retry_as_of", "signature"),
    "previous",
}
#: What a job and its runs have alike; what follows is of another kind in a job.
ALIKE = (
    *("max_attempts", "backoff", "retry_on", "timeout_s", "grace_s", "drain_s", "env", "cwd"),
    "delivery",
    *("overlap", "max_queue", "max_running", "fence", "background", "start_within_s"),
    *("secrets", "confinement", "expect_within_s", "ping", "on_success", "on_discard"),
    *("pause_after", "then"),
)
#: Another value of each field than `ALL_SET` has.
OTHERS: dict[str, Any] = {
    "job": "other",
    "cluster": "cluster-b",
    "scheduled_at": at(-60),
    "command": "rm -rf /",
    "by": "somebody",
    "revision": 2,
    "max_attempts": 4,
    "backoff": Backoff(first_s=0.0),
    "retry_on": RetryOn(),
    "timeout_s": None,
    "grace_s": 4.0,
    "drain_s": None,
    "env": {"B": "2", "A": "2"},
    "cwd": None,
    "delivery": Delivery.AT_LEAST_ONCE,
    "overlap": Overlap.ALLOW,
    "max_queue": 8,
    "max_running": 3,
    "then": None,
    "fence": False,
    "background": Background.KILL,
    "pause_after": 5,
    "start_within_s": 10.0,
    "expect_within_s": None,
    "ping": Ping(healthchecks="file:/b"),
    "on_success": None,
    "on_discard": "from:C",
    "cause": Cause.REPLAY,
    "number": 5,
    "as_of": at(2),
    "secrets": {"TOKEN": "file:/other"},
    "confinement": Confinement(user="root"),
}


def a_job(**fields: Any) -> Job:
    values: dict[str, Any] = {
        "name": "backup",
        "cluster": "cluster-a",
        "schedule": "@daily",
        "timezone": "UTC",
        "command": "true",
        "effective_from": NOON,
        **fields,
    }
    return Job(**values)


def test_what_is_signed_by_a_key_that_may_ask_for_it_is_trusted() -> None:
    judge = a_judge(trusted(KEY, "schedule", clusters=frozenset({"cluster-a"})), requires=True)

    assert judge.judge(KEY.sign(ALL_SET)).standing is Standing.TRUSTED
    assert judge.judge(KEY.sign(a_job())).standing is Standing.TRUSTED


@pytest.mark.parametrize("field", sorted(Run.fields.keys() - UNSIGNED))
def test_a_run_of_which_one_field_was_changed_is_forged(field: str) -> None:
    fields = {field: OTHERS[field]}
    if field == "cause":
        fields["revision"] = None
    signed = KEY.sign(ALL_SET).derive(**fields)

    judged = a_judge(trusted(KEY)).judge(signed)

    assert (judged.standing, judged.reason) == (Standing.REFUSED, "forged")


def test_no_field_is_forgotten_that_a_job_and_its_runs_have_alike() -> None:
    others = {"cluster", "command", "by", "signature"}

    assert set(ALIKE) == (Job.fields.keys() & Run.fields.keys()) - others


@pytest.mark.parametrize(
    "then",
    [
        [],
        [Following(on=Ending.SUCCEEDED, run=(ALL_SET.then or [])[0].run)],
        [Following(on=Ending.SETTLED, run=a_run(revision=None, cause=Cause.CHAIN, command="rm"))],
        2 * (ALL_SET.then or []),
    ],
)
def test_a_run_of_which_anything_was_changed_that_follows_is_forged(then: list[Following]) -> None:
    signed = KEY.sign(ALL_SET).derive(then=then)

    assert a_judge(trusted(KEY)).judge(signed).reason == "forged"


AFTER = Then(on=Ending.SETTLED, job=a_job(name="after"))


@pytest.mark.parametrize(
    "then",
    [
        None,
        [AFTER.derive(on=Ending.SUCCEEDED)],
        [AFTER.derive(job=a_job(name="after", command="rm"))],
        [AFTER, AFTER],
    ],
)
def test_a_job_of_which_anything_was_changed_that_follows_is_forged(
    then: list[Then] | None,
) -> None:
    signed = KEY.sign(a_job(then=[AFTER]))

    assert a_judge(trusted(KEY)).judge(signed).standing is Standing.TRUSTED
    assert a_judge(trusted(KEY)).judge(signed.derive(then=then)).reason == "forged"


@pytest.mark.parametrize("field", sorted(Job.fields.keys() - {"signature"}))
def test_a_job_of_which_one_field_was_changed_is_forged(field: str) -> None:
    others = {**OTHERS, "name": "x", "schedule": "@hourly", "timezone": "Asia/Tokyo"}
    others |= {
        "missed_grace_s": 1.0,
        "missed": Missed.ALL,
        "allow_args": True,
        "allow_env": ["PATH"],
        "then": None,
        "description": "x",
        "enabled": False,
        "control": A_PAUSE,
        "by": "somebody",
        "effective_from": at(1),
        "removed": True,
        "file": "x.yaml",
        "line": 7,
    }
    job = a_job(**{**{name: getattr(ALL_SET, name) for name in ALIKE}, "then": [AFTER]})
    signed = KEY.sign(job).derive(**{field: others[field]})

    assert a_judge(trusted(KEY)).judge(signed).reason == "forged"


def test_what_follows_a_run_is_signed_with_it_and_trusted_as_it_is_published() -> None:
    job = a_job(then=[Then(on=Ending.SETTLED, job=a_job(name="after"))])
    signed = KEY.sign(run_of(job, 1, NOON))
    [following] = signed.then or []
    told = Told(revision=False)
    told.tell(Level(level=4))
    told.tell(Withdrawal(job="backup", revision=1, effective_from=NOON))
    told.tell(signed)
    told.finish(signed)
    [after] = to_publish(told.live, Verdict.SUCCEEDED, at(700))
    judge = a_judge(trusted(KEY, "schedule"), requires=True)

    assert after.signature == following.run.signature
    assert (after.as_of, after.retry_as_of) == (None, at(700))
    assert judge.judge(decode(encode(after), Run)).standing is Standing.TRUSTED
    assert judge.judge(after.derive(command="rm")).reason == "forged"
    elsewhere = after.derive(cluster="cluster-b")
    assert judge.judge(elsewhere).standing is Standing.REFUSED


def test_later_attempts_keep_the_signature_of_the_first() -> None:
    run = KEY.sign(ALL_SET.derive(as_of=None))
    attempt = Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=at(9), exit_status=1)
    later = next_attempt(with_attempt(run, attempt), at(20), at(10))

    read = decode(encode(later), Run)

    assert (read.attempt, read.attempts_left, read.retry_as_of) == (2, 2, at(10))
    assert a_judge(trusted(KEY), requires=True).judge(read).standing is Standing.TRUSTED


def test_when_a_person_asked_is_signed_and_no_retry_changes_it() -> None:
    run = KEY.sign(a_run(revision=None, as_of=at(1), max_attempts=2))

    later = next_attempt(run, at(20), at(10))

    assert (later.as_of, later.retry_as_of, later.judged_at) == (at(1), at(10), at(10))
    assert a_judge(trusted(KEY)).judge(later.derive(as_of=at(11))).reason == "forged"


def test_a_retry_of_a_run_that_is_not_signed_is_as_it_was_before_there_were_signatures() -> None:
    later = next_attempt(a_run(max_attempts=2), at(20), at(10))

    assert (later.as_of, later.retry_as_of) == (at(10), None)
    assert to_json(later).get("v", 1) == 1


def test_fields_that_are_not_known_here_are_signed_and_passed_on() -> None:
    item = {**to_json(ALL_SET), "colour": "blue"}
    signed = KEY.sign(from_json(item, {"Run": Run}))
    read = decode(encode(signed), Run)
    changed = from_json({**to_json(signed), "colour": "red"}, {"Run": Run})

    assert a_judge(trusted(KEY)).judge(read).standing is Standing.TRUSTED
    assert a_judge(trusted(KEY)).judge(changed).reason == "forged"


def test_a_field_cannot_be_hidden_by_a_lower_level() -> None:
    item = to_json(KEY.sign(ALL_SET))
    hidden = from_json({**item, "v": 1}, {"Run": Run})

    assert (hidden.background, hidden.signature) == (Background.KILL, None)
    assert a_judge(trusted(KEY), requires=True).judge(hidden).reason == "unsigned"


def test_a_signature_of_something_else_is_none() -> None:
    run, job = KEY.sign(ALL_SET), KEY.sign(a_job())

    assert a_judge(trusted(KEY)).judge(a_job(signature=run.signature)).reason == "forged"
    assert a_judge(trusted(KEY)).judge(ALL_SET.derive(signature=job.signature)).reason == "forged"
    assert signed_bytes(ALL_SET).startswith(b"cronstream signature 1\n")


def test_what_is_not_signed_is_taken_unless_that_is_required() -> None:
    assert a_judge(trusted(KEY)).judge(ALL_SET).standing is Standing.TRUSTED

    judged = a_judge(trusted(KEY), requires=True).judge(ALL_SET)

    assert (judged.standing, judged.reason) == (Standing.REFUSED, "unsigned")


@pytest.mark.parametrize("requires", [False, True])
def test_a_key_that_is_not_known_is_waited_for(requires: bool) -> None:
    judged = a_judge(trusted(a_key(2)), requires=requires).judge(KEY.sign(ALL_SET))

    assert (judged.standing, judged.key) == (Standing.UNKNOWN_KEY, KEY.id)
    assert judged.why == f"its key {KEY.id!r} is not among the trusted ones"


@pytest.mark.parametrize(
    ("run", "causes", "why"),
    [
        (ALL_SET, ("run-now", "replay"), "may not sign what has the cause schedule"),
        (a_run(revision=None), ("schedule",), "may not sign what has the cause run-now"),
        (a_run(cluster="cluster-b"), ("schedule",), "may not sign for cluster-b"),
        (a_job(cluster="cluster-b"), ("schedule",), "may not sign for cluster-b"),
        (a_job(), ("run-now",), "may not sign what has the cause schedule"),
        (A_PAUSE, ("run-now",), "may not sign what has the cause control"),
    ],
)
def test_a_key_may_ask_for_nothing_else_than_its_line_says(
    run: Run | Job | Control, causes: tuple[str, ...], why: str
) -> None:
    key = trusted(KEY, *causes, clusters=frozenset({"cluster-a"}), name="alice")

    judged = a_judge(key).judge(KEY.sign(run))

    assert (judged.reason, judged.why) == ("not-allowed", f"key {KEY.id} (alice) {why}")


@pytest.mark.parametrize("signature", [KEY.id, f"{KEY.id}:", f"{KEY.id}:no base64", f"{KEY.id}:AA"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    assert a_judge(trusted(KEY)).judge(ALL_SET.derive(signature=signature)).reason == "forged"


def test_nothing_starts_before_its_due_time() -> None:
    early = KEY.sign(ALL_SET).derive(not_before=NOON - timedelta(seconds=1))

    assert a_judge(trusted(KEY)).judge(early).reason == "too-early"


def test_what_a_schedule_asks_for_is_signed_as_it_will_be_read() -> None:
    run = KEY.sign(run_of(a_job(grace_s=3, timeout_s=60, backoff=Backoff(first_s=1)), 7, NOON))

    read = decode(encode(run), Run)

    assert a_judge(trusted(KEY), requires=True).judge(read).standing is Standing.TRUSTED


@pytest.mark.parametrize("signature", ["", "x", ":", "K" * 16 + ":AAAA", "0" * 17 + ":AAAA"])
def test_what_names_nothing_that_a_key_can_be_called_does_not_wait_for_one(signature: str) -> None:
    judged = a_judge(trusted(KEY)).judge(a_run(signature=signature))

    assert (judged.standing, judged.reason) == (Standing.REFUSED, "forged")
