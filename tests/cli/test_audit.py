"""``audit`` over logs that a test has written."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from cronstream.cli.audit_output import Progress
from cronstream.cli.main import main
from cronstream.core.planning.cursor import Cursor, Lag, Place
from cronstream.core.planning.recent import Recent, mark_of
from cronstream.core.wire import naming
from cronstream.core.wire.codec import encode, to_json
from cronstream.core.wire.entries import Claimed, Finished, Forwarded, Settled, Started, Withdrawal
from cronstream.core.wire.enumerations import Cause, HouseState, Outcome, Verdict
from cronstream.core.wire.installation import House
from cronstream.core.wire.runs import Discarded, Run
from cronstream.history import auditing
from cronstream.topology import jobs
from tests.builders import NAMES, a_run, at
from tests.cli.conftest import Command
from tests.cli.fake_broker import FakeBroker
from tests.core.audit.books import a_job

SINCE = ("--since", "2026-01-01T12:00:00", "--until", "2026-01-01T12:05:00")


def define(
    broker: FakeBroker, *names: str, cluster: str = "cluster-a", max_attempts: int = 1
) -> None:
    if NAMES.jobs not in broker.topics:
        broker.create(NAMES.jobs, 1)
    for name in names:
        job = a_job(name=name, cluster=cluster, max_attempts=max_attempts)
        revision = len(broker.topics[NAMES.jobs][0])
        broker.job(job, at(-3600))
        entry = Withdrawal(job=name, revision=revision, effective_from=at(0))
        broker.log(name, entry, when=at(-60), cluster=cluster)


def make(
    broker: FakeBroker,
    job: str,
    due: float,
    *,
    revision: int | None = 0,
    delay: float = 0.02,
    **fields: Any,
) -> Run:
    """Let a run be made on time by w1, or start it as said."""
    run = a_run(job=job, scheduled_at=at(due), revision=revision, **fields)
    version = broker.log(job, run, when=at(due - 30), cluster=run.cluster)
    named: dict[str, Any] = {"run": run.id, "worker": "w1"}
    claimed = Claimed(version=version, number=1, **named)
    started = Started(claim=version, started_at=at(due + delay), **named)
    ended: dict[str, Any] = {"started_at": at(due + delay), "ended_at": at(due + delay + 1)}
    finished = Finished(claim=version, outcome=Outcome.SUCCEEDED, **ended, **named)
    broker.log(job, claimed, when=at(due - 20), cluster=run.cluster)
    broker.log(job, started, finished, when=at(due + delay + 1), cluster=run.cluster)
    return run


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_clean_ledger_is_said_to_be_clean(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in range(6):
        make(broker, "backup", 60 * minute)
    result = command("audit", *SINCE)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "due         6 from 2026-01-01T12:00:00Z to 2026-01-01T12:05:00Z",
        "verdicts    6 succeeded, 0 discarded, 0 skipped",
        "open        0",
        "start delay p50 20 ms, p90 20 ms, p99 20 ms, max 20 ms",
        "",
        "Clean: every due time is accounted for, and no attempt was started twice.",
    ]
    assert result.stderr == ""


def test_the_summary_has_the_documented_fields(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in range(6):
        make(broker, "backup", 60 * minute)
    [summary] = lines(command("audit", "--json", *SINCE))

    assert summary["kind"] == "summary"
    assert summary["verdicts"] == {"succeeded": 6, "discarded": 0, "skipped": 0}
    assert set(summary["start_delay_s"]) == {"p50", "p90", "p99", "max"}
    assert summary["clean"] is True
    fields = ("due", "open", "unexplained", "doubled", "late", "lost", "overrun")
    assert [summary[name] for name in fields] == [6, 0, 0, 0, 0, 0, 0]


def test_a_due_time_without_a_run_fails_the_audit(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in (0, 1, 3, 4, 5):
        make(broker, "backup", 60 * minute)
    found, summary = lines(result := command("audit", "--json", *SINCE))

    assert result.exit_code == 1
    assert (found["kind"], found["run"]) == ("unexplained", "backup@2026-01-01T12:02:00Z")
    assert (found["job"], found["cluster"]) == ("backup", "cluster-a")
    assert (summary["unexplained"], summary["clean"]) == (1, False)
    told = command("audit", *SINCE).stdout.splitlines()
    assert told[:2] == [
        "unexplained: 1",
        "  backup@2026-01-01T12:02:00Z  never published, though later due times were",
    ]
    assert told[-1] == "Not clean: 1 unexplained."


def test_due_times_that_no_scheduler_has_come_to_are_no_riddle(
    broker: FakeBroker, command: Command
) -> None:
    cursors = naming.changelog("cronstream-scheduler", naming.CURSORS)
    broker.create(cursors, 1)
    define(broker, "backup")
    for minute in range(3):
        make(broker, "backup", 60 * minute)
    broker.put(cursors, '"0"', b"{", at(149))
    assert lines(command("audit", "--json", *SINCE))[-1]["unexplained"] == 3
    broker.put(cursors, '"0"', orjson.dumps(Cursor(0, at(150), taken=1).to_row()), at(150))
    *found, summary = lines(result := command("audit", "--json", *SINCE))

    assert result.exit_code == 1
    assert [(one["kind"], one["run"]) for one in found] == [
        ("unpublished", f"backup@2026-01-01T12:0{minute}:00Z") for minute in (3, 4, 5)
    ]
    assert "schedulers have come to 12:02:30Z of 2026-01-01, and no further" in found[0]["text"]
    assert found[0]["past_due_s"] > 60
    fields = ("due", "open", "unexplained", "unpublished")
    assert [summary[name] for name in fields] == [6, 3, 0, 3]
    behind = {Place("cluster-a", partition): Lag(at(90), 1) for partition in range(12)}
    broker.put(cursors, '"0"', orjson.dumps(Cursor(0, at(1e6), 1, behind=behind).to_row()), at(151))
    assert lines(command("audit", "--json", *SINCE))[-1]["unpublished"] == 3


def test_late_starts_fail_it_only_if_a_limit_is_given(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in range(6):
        make(broker, "backup", 60 * minute)

    assert command("audit", *SINCE).exit_code == 0
    strict = command("audit", "--late-after", "0.01s", *SINCE)
    assert strict.exit_code == 1
    assert "6 started late" in strict.stdout
    assert strict.stdout.splitlines()[-1] == "Not clean: 6 late."


def test_strictly_every_finding_fails_it(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in range(6):
        make(broker, "backup", 60 * minute, delay=5 if minute == 2 else 0.02)

    assert command("audit", *SINCE).exit_code == 0
    strict = command("audit", "--strict", *SINCE)
    assert strict.exit_code == 1
    assert strict.stdout.splitlines()[-1] == "Not clean: 1 late."


def test_only_a_job_or_a_cluster_is_audited(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup", "sweep")
    for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded):
        broker.create(topic("cluster-b"), 3)
    define(broker, "mail", cluster="cluster-b")
    for minute in range(6):
        make(broker, "backup", 60 * minute)
        make(broker, "mail", 60 * minute, revision=2, cluster="cluster-b")

    assert command("audit", "--job", "backup", *SINCE).exit_code == 0
    assert command("audit", "--cluster", "cluster-b", *SINCE).exit_code == 0
    assert command("audit", *SINCE).exit_code == 1
    whole = lines(command("audit", "--json", *SINCE))
    assert {line["job"] for line in whole[:-1]} == {"sweep"}
    assert sorted(whole[-1]["clusters"]) == ["cluster-a", "cluster-b"]


def test_a_ledger_is_read_in_pieces_of_time(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(broker, "backup", "sweep", "mail")
    for minute in range(90):
        for revision, job in enumerate(("backup", "sweep", "mail")):
            make(broker, job, 60 * minute, revision=revision)
    window = ("--since", "2026-01-01T12:00:00", "--until", "2026-01-01T13:29:00", "--json")
    whole = lines(command("audit", *window))
    monkeypatch.setattr(auditing, "PIECE", 20)
    monkeypatch.setattr(auditing, "_SHORTEST", timedelta(seconds=1))

    assert lines(command("audit", *window)) == whole
    assert (whole[-1]["due"], whole[-1]["clean"]) == (270, True)


def test_a_window_may_begin_in_the_middle(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in range(120):
        make(broker, "backup", 60 * minute)
    window = ("--since", "2026-01-01T13:00:30", "--until", "2026-01-01T13:59:00", "--json")
    [summary] = lines(command("audit", *window))

    assert (summary["due"], summary["clean"]) == (59, True)


def test_what_retention_has_deleted_is_left_out(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in range(60):
        make(broker, "backup", 60 * minute)
    partition = next(p for p in broker.topics[NAMES.log("cluster-a")] if p)
    gone = sum(message.at < at(600) for message in partition)
    broker.delete_before(NAMES.log("cluster-a"), partition[0].partition, gone)
    window = ("--since", "2026-01-01T12:00:00", "--until", "2026-01-01T12:59:00", "--json")
    [summary] = lines(result := command("audit", *window))

    assert (summary["due"], summary["clean"]) == (34, True)
    assert "due times before 12:25:01Z of 2026-01-01 are left out" in result.stderr


def test_a_partition_that_retention_has_emptied_is_left_out(
    broker: FakeBroker, command: Command
) -> None:
    define(broker, "backup")
    log = NAMES.log("cluster-a")
    partition = next(p for p in broker.topics[log] if p)
    broker.delete_before(log, partition[0].partition, len(partition))
    [summary] = lines(result := command("audit", "--since", "2h", "--json"))

    assert (summary["due"], summary["clean"]) == (0, True)
    assert "are left out" in result.stderr


def test_discarded_runs_and_messages_that_nobody_can_read_are_looked_at(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "_TELL_EVERY", 1)
    define(broker, "backup")
    *_, run = [make(broker, "backup", 60 * minute) for minute in range(6)]
    broker.discard(Discarded(run=run, reason="none", discarded_at=at(310)))
    broker.put(NAMES.discarded("cluster-a"), "backup", b"{", at(311))
    broker.put(NAMES.log("cluster-a"), "backup", b"{", at(312))
    found, summary = lines(command("audit", "--json", *SINCE))

    assert (found["kind"], found["run"]) == ("contradiction", run.id)
    assert summary["contradiction"] == 1


def test_a_window_that_ends_before_it_begins_is_wrong_usage(command: Command) -> None:
    assert command("audit", "--since", "1h", "--until", "2h").exit_code == 2
    assert command("audit", "--late-after", "soon").exit_code == 2


def test_a_cluster_that_is_not_there_is_said(command: Command) -> None:
    result = command("audit", "--cluster", "cluster-b")

    assert result.exit_code == 3
    assert "did you mean 'cluster-a'?" in result.stderr


def test_without_jobs_and_runs_it_is_clean(command: Command) -> None:
    result = command("audit")

    assert result.exit_code == 0
    assert "start delay nothing was started" in result.stdout


def test_people_are_shown_some_findings_of_a_kind_and_told_of_the_others(
    broker: FakeBroker, command: Command
) -> None:
    define(broker, "backup")
    make(broker, "backup", 60 * 30)
    window = ("--since", "2026-01-01T12:00:00", "--until", "2026-01-01T12:30:00")
    told = command("audit", *window).stdout.splitlines()

    assert told[0] == "unexplained: 30"
    assert told[21] == "  … and 10 more (--json prints all)"


def test_a_broker_without_any_cluster_is_not_called_clean() -> None:
    result = CliRunner().invoke(main, ["audit"], obj=FakeBroker().connections)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "cronstream: nothing has run on this broker yet" in result.stderr


def test_a_job_that_never_was_is_not_called_clean(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    result = command("audit", *SINCE, "--job", "bakcup")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "no job 'bakcup' was ever defined" in result.stderr
    assert "did you mean 'backup'?" in result.stderr


def test_a_job_whose_runs_were_moved_needs_no_definition(
    broker: FakeBroker, command: Command
) -> None:
    make(broker, "old-job", 60, revision=None, cause=Cause.LEGACY, number=1)
    result = command("audit", *SINCE, "--job", "old-job")
    assert result.exit_code == 0, result.stderr
    assert "(1 of them asked for by hand or moved)" in result.stdout


def test_what_people_asked_for_and_each_cluster_is_counted(
    broker: FakeBroker, command: Command
) -> None:
    for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded):
        broker.create(topic("cluster-b"), 3)
    define(broker, "backup")
    define(broker, "mail", cluster="cluster-b")
    make(broker, "backup", 100, revision=None, cause=Cause.RUN_NOW, number=1)
    for minute in range(6):
        make(broker, "backup", 60 * minute)
        make(broker, "mail", 60 * minute, revision=1, cluster="cluster-b")
    told = command("audit", *SINCE).stdout

    assert "due         13 from" in told
    assert "(1 of them asked for by hand or moved)" in told
    assert "  cluster-b: p50 20 ms" in told


def test_a_terminal_is_shown_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(is_shown=True)
    progress.show(500, 2000)
    progress.end()
    line, blank = capsys.readouterr().err.removeprefix("\r").split("\r")[:2]

    assert line.startswith("auditing: 500 of 2,000 messages (25 %, ")
    assert blank == " " * len(line)


def test_elsewhere_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(is_shown=False)
    progress.show(500, 2000)
    progress.end()

    assert capsys.readouterr().err == ""


# -- what cannot be known -------------------------------------------------------------------------


def test_a_jobs_topic_that_was_deleted_is_named_and_no_fault_of_the_runs(
    broker: FakeBroker, command: Command
) -> None:
    define(broker, "backup")
    for minute in range(6):
        make(broker, "backup", 60 * minute)
    broker.delete_before(NAMES.jobs, 0, 1)
    [summary] = lines(command("audit", "--json", *SINCE))
    assert (summary["clean"], summary["due"]) == (True, 6)
    [limit] = summary["limits"]
    assert limit == (
        "cronstream.jobs has been deleted in part: what was defined before is not audited, and "
        "6 runs of such definitions are not held against them"
    )
    told = command("audit", *SINCE).stdout
    assert "not known   cronstream.jobs has been deleted in part" in told
    assert "Clean, as far as the topics show" in told


def test_a_jobs_topic_that_was_made_anew_is_named(broker: FakeBroker, command: Command) -> None:
    define(broker, "other")
    held = Withdrawal(job="backup", revision=5, effective_from=at(0))
    broker.log("backup", held, when=at(-60))
    make(broker, "backup", 60, revision=5)
    broker.topics[NAMES.jobs][0].clear()
    [summary] = lines(command("audit", "--json", *SINCE))
    assert summary["clean"]
    assert "cronstream.jobs was recreated" in summary["limits"][0]


@pytest.fixture
def aged(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    """An installation with edits behind it, of which only what is kept can be read any more."""
    monkeypatch.setattr(jobs, "KEEP_EVERY", 1)
    known = Recent()
    broker.create(NAMES.jobs, 1)
    broker.create(NAMES.kept_jobs, 1)
    for name in ["gone", "gone", *["backup"] * 8]:
        removed = name == "gone" and bool(known.position)
        since = at(3600 * (known.position - 100))
        broker.job(a_job(name=name, removed=removed, effective_from=since), since)
        known.fold(known.position, broker.topics[NAMES.jobs][0][-1].value)
    row = orjson.dumps(known.to_row())
    broker.put(NAMES.kept_jobs, "0", row, at(-3600))
    for offset in range(9):
        lost = broker.topics[NAMES.jobs][0][offset]
        broker.topics[NAMES.jobs][0][offset] = replace(lost, value=b"{")
    return broker


def test_what_is_kept_of_the_jobs_is_begun_from_if_it_is_old_enough(
    aged: FakeBroker, command: Command
) -> None:
    held = Withdrawal(job="backup", revision=9, effective_from=at(-86_400))
    aged.log("backup", held, when=at(-60))
    for minute in range(6):
        make(aged, "backup", 60 * minute, revision=9)
    aged.job(a_job(name="backup", removed=True, effective_from=at(301)), at(301))
    [summary] = lines(command("audit", "--json", *SINCE))
    assert (summary["clean"], summary["due"], summary["limits"]) == (True, 6, [])


@pytest.mark.usefixtures("aged")
def test_if_it_is_not_old_enough_all_is_read(command: Command) -> None:
    earlier = ("--since", "2025-12-28T12:00:00", "--until", "2025-12-28T12:05:00")
    [summary] = lines(command("audit", "--json", *earlier))
    assert summary["due"] == 0, "the only definition that can be read holds from later on"


def test_a_job_that_is_not_kept_was_defined_all_the_same(
    aged: FakeBroker, command: Command
) -> None:
    gone = aged.topics[NAMES.jobs][0][0]
    told = encode(a_job(name="gone", effective_from=at(-400_000)))
    aged.topics[NAMES.jobs][0][0] = replace(gone, value=told)
    known = command("audit", *SINCE, "--job", "gone")
    assert known.exit_code == 0, known.output
    unknown = command("audit", *SINCE, "--job", "gonne")
    assert "no job 'gonne' was ever defined" in unknown.output
    assert "did you mean 'gone'?" in unknown.output


@pytest.mark.parametrize(
    ("word", "is_enough"),
    [
        (House(state=HouseState.OPEN, export="x", at=at(-90_000)), True),
        (House(state=HouseState.OPEN, export="x"), False),
        (House(state=HouseState.CLOSED, export="x", at=at(-90_000)), False),
    ],
    ids=["moved in", "taken back", "moved away"],
)
def test_of_moving_what_is_kept_has_the_last_word_alone(
    aged: FakeBroker, command: Command, word: House, *, is_enough: bool
) -> None:
    kept = aged.topics[NAMES.kept_jobs][0]
    row = {**orjson.loads(kept[0].value or b""), "house": to_json(word)}
    kept[0] = replace(kept[0], value=orjson.dumps(row))
    aged.topics[NAMES.jobs][0][9] = replace(aged.topics[NAMES.jobs][0][9], value=b"{")
    row["mark"] = mark_of(b"{")
    kept[0] = replace(kept[0], value=orjson.dumps(row))
    [*_, summary] = lines(command("audit", "--json", *SINCE))
    assert (summary["due"] > 0) == is_enough


def test_partitions_that_somebody_has_added_are_named(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    for minute in range(6):
        make(broker, "backup", 60 * minute)
    broker.surplus = {"theirs": (9, 1), NAMES.log("cluster-a"): (24, 3)}
    [summary] = lines(command("audit", "--json", *SINCE))
    assert summary["limits"] == [
        "cronstream.cluster-a was given partitions: it has 24, and only 3 are in use and audited"
    ]


def test_retries_and_discards_that_were_deleted_are_named(
    broker: FakeBroker, command: Command
) -> None:
    define(broker, "backup", max_attempts=2)
    run = a_run(job="backup", scheduled_at=at(0), revision=0, max_attempts=2, attempts_left=2)
    version = broker.log("backup", run, when=at(-30))
    named: dict[str, Any] = {"run": run.id, "worker": "w1", "claim": version}
    broker.log("backup", Claimed(run=run.id, worker="w1", version=version, number=1), when=at(-9))
    failed = Finished(outcome=Outcome.FAILED, started_at=at(0), ended_at=at(1), **named)
    decided = broker.log("backup", failed, when=at(1))
    broker.log("backup", Forwarded(run=run.id, version=decided), when=at(2))
    settled = Settled(run=run.id, verdict=Verdict.DISCARDED, attempt=2)
    broker.log("backup", settled, when=at(20))
    broker.retry("backup", settled, when=at(20))
    broker.discard(Discarded(run=run, reason="none", discarded_at=at(21)))
    for topic in (NAMES.retry_log("cluster-a"), NAMES.discarded("cluster-a")):
        partition = next(p for p in broker.topics[topic] if p)[0].partition
        broker.delete_before(topic, partition, 1)
    window = ("--since", "2026-01-01T12:00:00", "--until", "2026-01-01T12:00:30")
    [summary] = lines(command("audit", "--json", *window))
    assert summary["clean"]
    assert [limit.partition(": ")[0] for limit in summary["limits"]] == [
        "the retries of 1 runs cannot be judged",
        "the discard of 1 runs cannot be judged",
    ]


def test_what_is_left_out_is_in_the_summary_too(broker: FakeBroker, command: Command) -> None:
    define(broker, "backup")
    log = NAMES.log("cluster-a")
    partition = next(p for p in broker.topics[log] if p)
    broker.delete_before(log, partition[0].partition, len(partition))
    [summary] = lines(command("audit", "--since", "2h", "--json"))
    assert "are left out in 1 partitions, whose logs have been deleted" in summary["limits"][0]
