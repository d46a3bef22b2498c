"""``repair``, and what ``doctor`` says of it, over logs that a clock that was ahead has left."""

import pytest

from cronstream import clock
from cronstream.core.wire.entries import Entry, Level, Repair, Withdrawal
from cronstream.core.wire.runs import Backoff
from cronstream.topology.publish import partition_of
from tests.builders import NAMES, a_run, at
from tests.cli.conftest import Command, json_lines
from tests.cli.fake_broker import PARTITIONS, FakeBroker
from tests.core.health.test_presence import a_process, a_scheduler

AHEAD_S = 10_800.0
PLACE = f"cronstream.cluster-a/{partition_of('backup', PARTITIONS)}"
BY = ("--by", "ada@desk")
NOTHING = "there is nothing to repair: no due time to come counts as run"


@pytest.fixture(autouse=True)
def began(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a minute past noon, and everybody who is there agrees on it."""
    monkeypatch.setattr(clock, "now", lambda: at(60))
    broker.create(NAMES.workers, 1)
    for who in (
        a_scheduler(clock_s=0.0),
        a_process(clock_s=0.0),
        a_process("n.r", role="retry-worker"),
    ):
        broker.put(NAMES.workers, who.name, who.encode(), at(60))
    for log in (broker.log, broker.retry):
        log("backup", Level(level=2), when=at(-60))
    broker.log("backup", Withdrawal(job="backup", revision=1, effective_from=at(-60)), when=at(-60))


def run_ahead(broker: FakeBroker) -> None:
    """What was due three hours from now has been published, by clocks that were ahead."""
    due = at(AHEAD_S)
    broker.log("backup", a_run(scheduled_at=due), when=due)


def test_where_no_clock_was_wrong_there_is_nothing_to_repair(
    broker: FakeBroker, command: Command
) -> None:
    broker.log("backup", a_run(scheduled_at=at(90)), when=at(60))

    for arguments in (("--dry-run",), ("--yes",), ()):
        result = command("repair", *arguments)
        assert (result.exit_code, result.stdout, result.stderr.strip()) == (0, "", NOTHING)
    assert broker.published == []


def test_a_dry_run_says_what_counts_as_run_and_changes_nothing(
    broker: FakeBroker, command: Command
) -> None:
    run_ahead(broker)

    result = command("repair", "--dry-run")

    until = "2026-01-01T15:00:00Z"
    what = f"due times of job 'backup' up to {until} count as run, by a clock that was ahead"
    assert (result.exit_code, result.stdout) == (0, f"{PLACE}: {what}\n")
    assert broker.published == []


def test_the_doctor_names_it_and_what_helps(broker: FakeBroker, command: Command) -> None:
    run_ahead(broker)

    result = command("doctor")

    assert result.exit_code == 1
    assert result.stdout.startswith(f"clock: {PLACE}: due times of job 'backup' up to")
    assert "cronstream repair --dry-run" in result.stdout


def test_repaired_once_it_is_right_and_stays_so(broker: FakeBroker, command: Command) -> None:
    run_ahead(broker)

    first = command("repair", "--yes", *BY)
    again = command("repair", "--yes", *BY)

    assert first.exit_code == 0, first.stderr
    assert first.stdout.endswith("by a clock that was ahead: undone\n")
    assert again.stderr.strip() == NOTHING
    assert broker.published == [Repair(by="ada@desk")]


def test_only_the_partitions_that_need_it_are_told(broker: FakeBroker, command: Command) -> None:
    run_ahead(broker)
    json_lines(command("repair", "--yes", "--json"))

    told = [
        partition
        for partition, messages in enumerate(broker.topics[NAMES.log("cluster-a")])
        if any(b"Repair" in message.value for message in messages if message.value)
    ]
    assert told == [partition_of("backup", PARTITIONS)]


def test_a_retry_that_waits_for_hours_is_found_too(broker: FakeBroker, command: Command) -> None:
    backoff = Backoff(first_s=15.0, ceiling_s=60.0)
    run = a_run(attempt=2, not_before=at(AHEAD_S), backoff=backoff)
    broker.retry("backup", run, when=at(AHEAD_S))

    [row] = json_lines(command("repair", "--yes", "--json"))

    assert (row["topic"], row["jobs"], row["retries"], row["until"], row["repaired"]) == (
        "cronstream.cluster-a.retry",
        [],
        [run.id],
        None,
        True,
    )
    assert command("doctor").exit_code == 0


def test_nothing_is_changed_without_a_word_of_the_person(
    broker: FakeBroker, command: Command
) -> None:
    run_ahead(broker)

    result = command("repair")

    assert result.exit_code == 2
    assert "what 1 jobs have run too early would run again when it is due: confirm with --yes" in (
        result.stderr
    )
    assert broker.published == []


def test_clocks_that_differ_are_to_be_set_right_before(
    broker: FakeBroker, command: Command
) -> None:
    run_ahead(broker)
    for number in range(2):
        who = a_process(f"node{number}.x", clock_s=600.0)
        broker.put(NAMES.workers, who.name, who.encode(), at(60))

    result = command("repair", "--yes")

    assert result.exit_code == 1
    assert "set the clocks right before that: " in result.stderr
    assert broker.published == []


def test_workers_that_are_too_old_are_upgraded_before(broker: FakeBroker, command: Command) -> None:
    other = next(n for n in ("a", "b", "c", "d", "e") if f"/{_of(n)}" not in PLACE)
    entries: list[Entry] = [Withdrawal(job=other, revision=1, effective_from=at(-60))]
    broker.log(other, *entries, a_run(job=other, scheduled_at=at(AHEAD_S)), when=at(AHEAD_S))

    result = command("repair", "--yes")

    assert result.exit_code == 1
    assert "is at level 1, and a repair needs 2" in result.stderr


def _of(job: str) -> int:
    return partition_of(job, PARTITIONS)
