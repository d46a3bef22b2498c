"""``cronstream backfill`` over a broker of lists."""

from datetime import datetime, timedelta

import pytest

from cronstream import clock
from cronstream.cli import backfill
from cronstream.core.wire.entries import Level, Skip, Skipped
from cronstream.core.wire.enumerations import Cause, SkipReason
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Run
from tests.builders import NAMES, a_run
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import PARTITIONS, FakeBroker

#: The last midnight, and so many days before it.
MIDNIGHT = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)


def days(number: float) -> datetime:
    return MIDNIGHT - timedelta(days=number)


@pytest.fixture
def broker() -> FakeBroker:
    """Give a broker whose logs take what level 4 has, with a job that is due at midnight."""
    found = FakeBroker("cluster-a", "cluster-b")
    for cluster in ("cluster-a", "cluster-b"):
        for number in range(3 * PARTITIONS):
            found.log(f"{number}", Level(level=4), when=days(20), cluster=cluster)
        found.log("backup", Level(level=4), when=days(20), cluster=cluster)
    found.create(NAMES.jobs, 1)
    found.job(a_job(effective_from=days(10)), days(10))
    return found


def published(broker: FakeBroker) -> list[Run]:
    return [run for run in broker.published if isinstance(run, Run)]


def ids(*numbers: int) -> list[str]:
    return [f"backup@{days(n).strftime('%Y-%m-%dT%H:%M:%SZ')}!backfill-0" for n in numbers]


def test_each_due_time_is_published_once_and_starts_in_its_turn(
    broker: FakeBroker, command: Command
) -> None:
    result = command("backfill", "backup", "--from", days(2).isoformat(), "--rate", "6/min")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == ids(2, 1, 0)
    runs = published(broker)
    assert [run.scheduled_at for run in runs] == [days(2), days(1), days(0)]
    waits = [(run.not_before - runs[0].not_before).total_seconds() for run in runs]
    assert waits == [0, 10, 20]
    assert {run.cause for run in runs} == {Cause.BACKFILL}
    assert all(run.by for run in runs)
    assert "3 runs published" in result.stderr


def test_what_was_backfilled_before_is_left_out(broker: FakeBroker, command: Command) -> None:
    command("backfill", "backup", "--from", days(1.5).isoformat(), "--to", days(0.5).isoformat())
    broker.published.clear()
    result = command("backfill", "backup", "--from", days(2).isoformat())

    assert result.stdout.splitlines() == ids(2, 0)
    assert "left out: 1 that were backfilled before" in result.stderr


def test_what_was_run_is_left_out_and_what_was_skipped_is_not(
    broker: FakeBroker, command: Command
) -> None:
    made, skipped = (
        a_run(scheduled_at=days(n), not_before=days(n), revision=0, job="backup") for n in (3, 2)
    )
    broker.log("backup", made, when=days(3))
    version = broker.log("backup", skipped, when=days(2))
    word = Skipped(run=skipped.id, version=version, reason=SkipReason.OVERLAP)
    broker.log("backup", word, when=days(2))
    span = Skip(
        job="backup", revision=0, reason=SkipReason.MISSED, from_at=days(1), to_at=days(0), count=2
    )
    broker.log("backup", span, when=days(0))
    result = command("backfill", "backup", "--from", days(3).isoformat())

    assert result.stdout.splitlines() == ids(2, 1, 0)
    assert "left out: 1 that were run as they were due" in result.stderr


def test_again_runs_them_all_under_other_ids(broker: FakeBroker, command: Command) -> None:
    command("backfill", "backup", "--from", days(1).isoformat())
    result = command("backfill", "backup", "--from", days(1).isoformat(), "--again")

    assert result.exit_code == 0, result.stderr
    assert len({run.id for run in published(broker)}) == 4


def test_each_follows_the_definition_of_its_time(broker: FakeBroker, command: Command) -> None:
    edited = a_job(command="new", cluster="cluster-b", effective_from=days(0.5))
    broker.job(edited, days(0.5))
    command("backfill", "backup", "--from", days(1).isoformat())

    assert [run.command for run in published(broker)] == ["true", "new"]
    assert {run.cluster for run in published(broker)} == {"cluster-b"}


def test_what_is_from_before_the_first_definition_is_said(
    broker: FakeBroker, command: Command
) -> None:
    result = command("backfill", "backup", "--from", days(12).isoformat(), "--yes")

    assert len(published(broker)) == 11
    assert "no definition of job 'backup' is known from before" in result.stderr


def test_a_dry_run_publishes_nothing(broker: FakeBroker, command: Command) -> None:
    result = command("backfill", "backup", "--from", "2d", "--dry-run", "--json", "--by", "ada")
    fields = json_lines(result)

    assert [one["run"] for one in fields] == ids(1, 0)
    assert {one["by"] for one in fields} == {"ada"}
    assert published(broker) == []


def test_very_many_need_a_yes(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_ASKED_ABOVE", 2)
    refused = command("backfill", "backup", "--from", days(2).isoformat())
    assert (refused.exit_code, published(broker)) == (2, [])
    assert "confirm with --yes" in refused.stderr

    assert command("backfill", "backup", "--from", days(2).isoformat(), "--yes").exit_code == 0
    assert len(published(broker)) == 3


def test_there_is_a_limit_even_so(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_MOST", 2)
    result = command("backfill", "backup", "--from", days(2).isoformat(), "--yes")

    assert (result.exit_code, published(broker)) == (2, [])
    assert "choose less" in result.stderr


def test_what_is_broken_off_goes_on_where_it_was(
    broker: FakeBroker, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_LOT", 2)

    def press_ctrl_c(_: Message) -> None:
        if len(broker.published) == 2:
            raise KeyboardInterrupt

    broker.after_publish = press_ctrl_c
    command("backfill", "backup", "--from", days(4).isoformat())
    assert len(published(broker)) == 2
    broker.after_publish = lambda _: None
    result = command("backfill", "backup", "--from", days(4).isoformat())

    assert result.stdout.splitlines() == ids(2, 1, 0)
    assert [run.id for run in published(broker)] == ids(4, 3, 2, 1, 0)


def test_workers_that_do_not_know_it_are_not_given_it(command: Command, broker: FakeBroker) -> None:
    for topic in (NAMES.log("cluster-a"), NAMES.log("cluster-b")):
        broker.create(topic, PARTITIONS)
    broker.log("backup", Level(level=3), when=days(3))
    result = command("backfill", "backup", "--from", "2d")

    assert (result.exit_code, published(broker)) == (1, [])
    assert "is at level 3, and a backfill needs 4" in result.stderr


def test_a_job_that_never_was_is_an_error(command: Command) -> None:
    result = command("backfill", "bakcup", "--from", "2d")
    assert result.exit_code == 3
    assert "did you mean 'backup'?" in result.stderr


@pytest.mark.parametrize(
    ("rate", "sentence"),
    [("often", "is not like 1/s"), ("0/s", "it can be"), ("11/s", "it can be")],
)
def test_a_rate_that_is_none_is_said(command: Command, rate: str, sentence: str) -> None:
    result = command("backfill", "backup", "--from", "2d", "--rate", rate)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_span_that_is_none_is_said(command: Command) -> None:
    result = command("backfill", "backup", "--from", "1d", "--to", "2d")
    assert result.exit_code == 2
    assert "--from has to be before --to" in result.stderr


def test_where_nothing_is_left_it_says_so(broker: FakeBroker, command: Command) -> None:
    command("backfill", "backup", "--from", "2d")
    broker.published.clear()
    result = command("backfill", "backup", "--from", "2d")
    assert (result.exit_code, published(broker)) == (0, [])
    assert "nothing to run" in result.stderr
