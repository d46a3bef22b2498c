"""``discarded`` and ``replay``: nothing is published that a person did not choose."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cronstream import clock
from cronstream.core.wire.codec import to_json
from cronstream.core.wire.enumerations import Cause, Outcome
from cronstream.core.wire.levels import needed_level
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Attempt, Discarded, Run
from cronstream.settings import settings
from cronstream.trust.signer import new_key
from tests.builders import NAMES, NOON, a_run, at
from tests.cli.conftest import Command, a_job, json_lines
from tests.cli.fake_broker import PARTITIONS, FakeBroker
from tests.signing import trusted

RUN = "backup@2026-01-01T12:00:00Z"
SINCE = ("--since", "2026-01-01T00:00:00")


NINE_PAST = at(9)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings that a test sets for itself, and clears from the cache."""
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def discard(broker: FakeBroker, when: datetime = NINE_PAST, **fields: Any) -> Run:
    run = a_run(max_attempts=3, attempt=3, attempts_left=1, **fields)
    broker.discard(Discarded(run=run, reason="3 of 3 failures", discarded_at=when))
    return run


def published(broker: FakeBroker) -> list[Run]:
    return [record for record in broker.published if isinstance(record, Run)]


def test_discarded_runs_are_listed_once_with_their_reason(
    broker: FakeBroker, command: Command
) -> None:
    discard(broker)
    discard(broker, at(10))
    result = command("discarded", *SINCE)
    assert result.exit_code == 0, result.stderr
    _, row = result.stdout.splitlines()
    assert [cell.strip() for cell in row.split("  ") if cell] == [
        RUN,
        "3 of 3",
        "3 of 3 failures",
        "2026-01-01T12:00:09Z",
    ]


def test_a_replay_publishes_the_run_again_with_all_its_attempts(
    broker: FakeBroker, command: Command
) -> None:
    former = Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=NOON)
    discard(broker, attempts=[former], as_of=at(1), env={"A": "1"})
    before = clock.now()
    result = command("replay", RUN, "--by", "ada")
    assert result.exit_code == 0, result.stderr
    [run] = published(broker)
    assert result.stdout == f"{run.id}\n"
    assert (run.by, needed_level(run)) == ("ada", 1)
    assert run.id.startswith(f"{RUN}!replay-")
    assert (run.cause, run.revision, run.attempts, run.env) == (
        Cause.REPLAY,
        None,
        None,
        {"A": "1"},
    )
    assert (run.attempt, run.attempts_left, run.max_attempts) == (1, 3, 3)
    assert run.scheduled_at == NOON
    assert run.as_of == run.not_before
    assert run.not_before >= before
    assert abs(run.number - before.timestamp() * 1000) < 60_000


def test_a_replay_keeps_fields_that_only_a_later_version_knows(
    broker: FakeBroker, command: Command
) -> None:
    run = a_run(max_attempts=3, attempt=3, attempts_left=1)
    vars(run)["unknown"] = {"owner": {"team": "a"}}
    broker.discard(Discarded(run=run, reason="3 of 3 failures", discarded_at=NINE_PAST))

    assert command("replay", RUN).exit_code == 0
    [replayed] = published(broker)
    assert to_json(replayed)["owner"] == {"team": "a"}


def test_who_signs_replays_by_itself_only_what_was_signed(
    broker: FakeBroker, command: Command, tmp_path: Path, variables: pytest.MonkeyPatch
) -> None:
    discard(broker)
    key, file = new_key(tmp_path / "key"), tmp_path / "trusted"
    file.write_text(trusted(key).line())
    variables.setenv("CRONSTREAM_TRUSTED_KEYS", str(file))
    variables.setenv("CRONSTREAM_SIGNING_KEY", str(tmp_path / "key"))

    result = command("replay", RUN)

    assert "it is not signed, so it may be anybody's: nothing was replayed" in result.stderr
    assert not published(broker)
    assert command("replay", RUN, "--distrusted").exit_code == 0
    assert len(published(broker)) == 1


def test_a_replayed_run_is_listed_with_its_replay(broker: FakeBroker, command: Command) -> None:
    discard(broker)
    discard(broker, scheduled_at=at(60))
    new_id = command("replay", RUN).stdout.strip()
    lines = json_lines(command("discarded", "--json", *SINCE))
    assert [(line["run"], line["replays"]) for line in lines] == [
        (RUN, [new_id]),
        ("backup@2026-01-01T12:01:00Z", []),
    ]


def test_an_unknown_run_among_those_named_stops_the_replay_of_all(
    broker: FakeBroker, command: Command
) -> None:
    discard(broker)
    result = command("replay", RUN, "backup@2026-01-01T13:00:00Z")
    assert result.exit_code == 3
    assert "backup@2026-01-01T13:00:00Z" in result.stderr
    assert broker.published == []


def test_by_options_what_was_replayed_already_is_left_out(
    broker: FakeBroker, command: Command
) -> None:
    discard(broker)
    discard(broker, scheduled_at=at(60))
    discard(broker, job="report")
    command("replay", RUN)
    broker.published.clear()
    result = command("replay", "--job", "backup", "--yes")
    assert result.exit_code == 0, result.stderr
    assert [run.scheduled_at for run in published(broker)] == [at(60)]
    assert "left out: 1" in result.stderr

    broker.published.clear()
    command("replay", "--job", "backup", "--yes", "--again")
    assert len(published(broker)) == 2


def test_a_span_of_time_chooses_by_when_it_was_discarded(
    broker: FakeBroker, command: Command
) -> None:
    for hour in range(4):
        discard(broker, at(3600 * hour), scheduled_at=at(3600 * hour))
    span = ("--since", "2026-01-01T13:00:00Z", "--until", "2026-01-01T15:00:00Z")
    command("replay", *span, "--yes")
    assert sorted(run.scheduled_at for run in published(broker)) == [at(3600), at(7200)]


def test_by_options_without_a_terminal_nothing_is_replayed_unless_yes_is_said(
    broker: FakeBroker, command: Command
) -> None:
    discard(broker)
    result = command("replay", "--all")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert broker.published == []


def test_a_dry_run_publishes_nothing_and_needs_no_yes(broker: FakeBroker, command: Command) -> None:
    discard(broker)
    result = command("replay", "--all", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, f"{RUN}\n")
    [line] = json_lines(command("replay", "--all", "--dry-run", "--json"))
    assert line == {"run": None, "replays": RUN, "cluster": "cluster-a"}
    assert broker.published == []


def test_nothing_chosen_is_wrong_usage_and_both_ways_too(command: Command) -> None:
    assert command("replay").exit_code == 2
    assert command("replay", RUN, "--all").exit_code == 2


def test_nothing_to_replay_is_no_error(command: Command) -> None:
    result = command("replay", "--all", "--yes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing to replay" in result.stderr


def test_a_replay_that_the_broker_got_too_late_is_sent_again(
    broker: FakeBroker, command: Command
) -> None:
    discard(broker)
    late = clock.now() + timedelta(minutes=11)
    broker.ack_times = [late, late]
    result = command("replay", RUN)
    assert result.exit_code == 0, result.stderr
    first, second = published(broker)
    assert first.id == second.id
    assert second.as_of == late


def test_a_replay_goes_to_the_cluster_where_its_job_is_now(
    broker: FakeBroker, command: Command
) -> None:
    """The one that it was moved from may have no workers any more."""
    for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded):
        broker.create(topic("cluster-b"), PARTITIONS)
    broker.create(NAMES.jobs, 1)
    broker.job(a_job(cluster="cluster-a"), NOON)
    discard(broker)
    broker.job(a_job(cluster="cluster-b"), at(20))
    broker.after_publish = lambda record: keep(broker, record)

    dry = command("replay", "--all", "--dry-run", "--json")
    result = command("replay", "--all", "--yes", "--json")

    assert json_lines(dry) == [{"run": None, "replays": RUN, "cluster": "cluster-b"}]
    assert "is in cluster 'cluster-b' now" in dry.stderr
    assert [run.cluster for run in published(broker)] == ["cluster-b"]
    assert json_lines(result)[0]["cluster"] == "cluster-b"
    assert "job 'backup' is in cluster 'cluster-b' now, and is replayed there" in result.stderr
    [listed] = json_lines(command("discarded", *SINCE, "--json"))
    assert listed["replays"] == [published(broker)[0].id]
    assert "nothing to replay" in command("replay", "--all", "--yes").stderr


def keep(broker: FakeBroker, record: Message) -> None:
    """Put on its log what a command has published."""
    if isinstance(record, Run):
        broker.log(record.job, record, when=clock.now(), cluster=record.cluster)
