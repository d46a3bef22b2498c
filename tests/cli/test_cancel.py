"""``cancel`` over logs that a test has written, and workers that answer."""

from itertools import count

import orjson
import pytest
from click.testing import CliRunner

from cronstream import clock
from cronstream.cli.main import main
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import to_row
from cronstream.core.wire.codec import decode_entries
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Finished,
    Heartbeat,
    Level,
    Released,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Outcome, SkipReason
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Run
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import partition_of
from tests.builders import NAMES, NOON, a_run, at
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import PARTITIONS, FakeBroker

RUN = "backup@2026-01-01T12:00:00Z"
BY = ("--by", "ada@desk")


@pytest.fixture(autouse=True)
def began(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installation is of this version, and ``backup`` is in force; it is a minute past noon."""
    monkeypatch.setattr(clock, "now", lambda: at(60))
    announce(broker)


def announce(broker: FakeBroker, job: str = "backup", cluster: str = "cluster-a") -> None:
    entry = Withdrawal(job=job, revision=1, effective_from=at(-86_400))
    broker.log(job, Level(level=2, version="1"), entry, when=at(-3600), cluster=cluster)


def claimed(broker: FakeBroker, run: Run) -> int:
    """Put a run on the log with its claim; return that."""
    version = broker.log(run.job, run, when=NOON, cluster=run.cluster)
    claim = Claimed(run=run.id, version=version, worker="w1.1", number=1)
    broker.log(run.job, claim, when=NOON, cluster=run.cluster)
    return version


def running(broker: FakeBroker, run: Run) -> int:
    version = claimed(broker, run)
    entry = Started(run=run.id, claim=version, worker="w1.1", started_at=NOON, pid=7)
    broker.log(run.job, entry, when=NOON, cluster=run.cluster)
    return version


def ended(run: Run, claim: int, outcome: Outcome = Outcome.INTERRUPTED) -> Finished:
    return Finished(run.id, claim, "w1.1", outcome, started_at=NOON, ended_at=at(61))


def answer(broker: FakeBroker, *answers: tuple[Run, Entry]) -> None:
    """Have workers answer, once they have been asked."""

    def say(asked: Message) -> None:
        for run, entry in answers:
            if isinstance(asked, Cancelled) and asked.run == run.id:
                broker.log(run.job, entry, when=at(61), cluster=run.cluster)

    broker.after_publish = say


def test_a_command_that_runs_is_ended_and_told_with_where_it_ran(
    broker: FakeBroker, command: Command
) -> None:
    claim = running(broker, a_run())
    answer(broker, (a_run(), ended(a_run(), claim)))

    result = command("cancel", RUN, *BY)

    assert result.exit_code == 0, result.stderr
    said = "skipped (cancelled by ada@desk); it was running on w1.1"
    assert result.stdout == f"{RUN}  {said}\n"
    assert broker.published == [
        Cancelled(run=RUN, version=None, reason=SkipReason.CANCELLED, by="ada@desk")
    ]


def test_what_waits_never_starts(broker: FakeBroker, command: Command) -> None:
    first, second = a_run(), a_run(scheduled_at=at(30))
    claim = claimed(broker, first)
    broker.log("backup", second, when=NOON)
    answer(broker, (first, Released(run=RUN, claim=claim, worker="w1.1")))

    result = command("cancel", "--job", "backup", *BY)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"{first.id}  skipped (cancelled by ada@desk); it was claimed on w1.1",
        f"{second.id}  skipped (cancelled by ada@desk); it was queued",
    ]


def test_all_live_runs_of_a_job_are_cancelled_on_all_clusters(
    broker: FakeBroker, command: Command
) -> None:
    for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded):
        broker.create(topic("cluster-b"), PARTITIONS)
    announce(broker, cluster="cluster-b")
    moved = a_run(cluster="cluster-b", scheduled_at=at(30))
    other = a_run(job="report")
    announce(broker, "report")
    for run in (a_run(), moved, other):
        broker.log(run.job, run, when=NOON, cluster=run.cluster)

    rows = json_lines(command("cancel", "--job", "backup", "--json"))
    only = json_lines(command("cancel", "--job", "report", "--cluster", "cluster-a", "--json"))

    assert [(row["run"], row["cluster"]) for row in rows] == [
        (RUN, "cluster-a"),
        (moved.id, "cluster-b"),
    ]
    assert only == [
        {
            "run": other.id,
            "job": "report",
            "cluster": "cluster-a",
            "before": "queued",
            "worker": None,
            "state": "skipped",
            "reason": "cancelled",
            "cancelled": True,
        }
    ]


def test_what_succeeds_before_it_can_be_ended_has_succeeded(
    broker: FakeBroker, command: Command
) -> None:
    claim = running(broker, a_run())
    answer(broker, (a_run(), ended(a_run(), claim, Outcome.SUCCEEDED)))

    result = command("cancel", RUN)

    assert result.exit_code == 1
    assert result.stdout == (
        f"{RUN}  succeeded (attempt 1) before it could be cancelled; it was running on w1.1\n"
    )


def test_a_run_may_be_named_by_the_beginning_of_its_id(
    broker: FakeBroker, command: Command
) -> None:
    broker.log("backup", a_run(), when=NOON)
    assert command("cancel", "backup@2026-01-01T12:00", *BY).stdout.startswith(f"{RUN}  skipped")


def test_nothing_is_done_when_a_beginning_may_be_any_of_several(
    broker: FakeBroker, command: Command
) -> None:
    broker.log("backup", a_run(), a_run(scheduled_at=at(30)), when=NOON)
    result = command("cancel", "backup@2026-01-01")
    assert result.exit_code == 2
    assert "may be any of 2 runs: backup@2026-01-01T12:00:00Z, backup@" in result.stderr
    assert not broker.published


def test_a_run_that_is_over_or_has_never_been_is_told_and_the_others_are_cancelled(
    broker: FakeBroker, command: Command
) -> None:
    claim = running(broker, a_run())
    broker.log("backup", ended(a_run(), claim, Outcome.SUCCEEDED), when=at(2))
    waiting = a_run(scheduled_at=at(30))
    broker.log("backup", waiting, when=at(3))

    result = command("cancel", RUN, "backup@2026-01-01T13:00:00Z", waiting.id, waiting.id)

    assert result.exit_code == 3
    over, unknown = result.stderr.splitlines()
    assert over == f"run {RUN}: it already has its verdict: succeeded"
    assert unknown.startswith("run 'backup@2026-01-01T13:00:00Z': no run with this id is without")
    assert result.stdout.startswith(f"{waiting.id}  skipped (cancelled by ")
    assert len(broker.published) == 1


def test_a_job_without_live_runs_has_nothing_to_cancel(
    broker: FakeBroker, command: Command
) -> None:
    broker.create(NAMES.jobs, 1)
    broker.job(a_job("backup"), NOON)
    result = command("cancel", "--job", "backup")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "nothing to cancel: job 'backup' has no run without a verdict\n"


def test_a_job_that_nobody_knows_is_told_with_the_nearest(
    broker: FakeBroker, command: Command
) -> None:
    broker.create(NAMES.jobs, 1)
    broker.job(a_job("backup"), NOON)
    result = command("cancel", "--job", "bakcup")
    assert result.exit_code == 3
    assert "there is no job 'bakcup', and there never was one; did you mean 'backup'?" in (
        result.stderr
    )


def test_either_runs_or_a_job_are_named(command: Command) -> None:
    assert command("cancel").exit_code == 2
    assert command("cancel", RUN, "--job", "backup").exit_code == 2


def test_a_worker_that_is_there_and_does_not_end_it_is_named(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(broker, a_run())
    answer(broker, (a_run(), Heartbeat(worker="w1.1", number=9)))
    monkeypatch.setattr(clock, "monotonic", count(0.0, 10.0).__next__)

    result = command("cancel", RUN, "--within", "15")

    assert (result.exit_code, result.stdout) == (1, "")
    hint = "it is running on w1.1; see that worker's log, and its /health"
    assert result.stderr == f"run {RUN}: it was asked to end, but has not yet: {hint}\n"


def test_it_is_told_that_no_worker_is_there_to_heed_it(
    broker: FakeBroker, command: Command
) -> None:
    running(broker, a_run())
    result = command("cancel", RUN, "--within", "0", "--json")
    assert result.exit_code == 1
    assert "start a worker of cluster-a: this stands on the log" in result.stderr
    row = orjson.loads(result.stdout)
    assert (row["state"], row["reason"], row["cancelled"]) == ("running", None, False)


def test_what_waits_for_its_retry_is_for_two_workers_to_heed(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(max_attempts=3)
    claim = running(broker, run)
    broker.log("backup", ended(run, claim, Outcome.FAILED), when=at(2))
    answer(broker, (run, Heartbeat(worker="w1.1", number=9)))
    monkeypatch.setattr(clock, "monotonic", count(0.0, 10.0).__next__)

    result = command("cancel", RUN, "--within", "15")

    assert result.exit_code == 1
    assert "see that a worker and a retry worker of cluster-a are there" in result.stderr


def test_an_installation_that_may_be_too_old_is_asked_for_nothing() -> None:
    broker = FakeBroker("cluster-a")
    entry = Withdrawal(job="backup", revision=1, effective_from=at(-86_400))
    broker.log("backup", entry, a_run(), when=NOON)
    result = CliRunner().invoke(main, ["cancel", RUN], obj=broker.connections)
    assert result.exit_code == 1
    assert "is at level 1, and cancelling needs 2: upgrade its workers" in result.stderr
    assert not broker.published


def test_a_run_that_has_left_the_log_is_found_in_its_owners_snapshot(
    broker: FakeBroker, command: Command
) -> None:
    running(broker, a_run())
    partition = partition_of("backup", PARTITIONS)
    log = broker.topics[NAMES.log("cluster-a")][partition]
    ledger = Ledger(retry=False)
    for message in log:
        ledger.fold(message.offset, message.at, decode_entries(message.value)[0])
    rows = [None, b"{", orjson.dumps(to_row(ledger, partition)), b"[]"]
    topic = "cronstream-cluster-a-ledgers-changelog"
    broker.topics[topic] = [
        [LogMessage(topic, p, n, NOON, b"", row) for n, row in enumerate(rows)]
        for p in range(PARTITIONS)
    ]
    broker.delete_before(NAMES.log("cluster-a"), partition, len(log))

    row = orjson.loads(command("cancel", "--job", "backup", "--within", "0", "--json").stdout)

    assert (row["run"], row["before"], row["worker"]) == (RUN, "running", "w1.1")


def test_who_asked_is_the_user_on_this_machine(broker: FakeBroker, command: Command) -> None:
    broker.log("backup", a_run(), when=NOON)
    command("cancel", RUN)
    [asked] = broker.published
    assert isinstance(asked, Cancelled)
    assert "@" in (asked.by or "")
