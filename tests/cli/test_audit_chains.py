"""``audit`` of runs that are to follow those of another cluster, and are on their way."""

from typing import Any

import pytest

from cronstream.core.ledger.following import to_publish
from cronstream.core.ledger.state import LiveRun
from cronstream.core.planning.chain import chained
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.entries import Claimed, Entry, Finished, Forwarded, Level, Started
from cronstream.core.wire.enumerations import Cause, Ending, Outcome, Verdict
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Following, Run
from tests.builders import NAMES, a_run, at
from tests.cli.conftest import Command
from tests.cli.fake_broker import PARTITIONS, FakeBroker
from tests.cli.test_audit import SINCE, lines

_AFTER = a_run(job="report", cluster="cluster-b", revision=None, cause=Cause.CHAIN)
PARENT = chained(
    a_run(
        job="backup",
        scheduled_at=at(60),
        revision=None,
        cause=Cause.RUN_NOW,
        number=1,
        then=[Following(on=Ending.SUCCEEDED, run=_AFTER)],
    )
)


@pytest.fixture
def broker() -> FakeBroker:
    """One job that is followed into another cluster, where nothing has come yet."""
    broker = FakeBroker("cluster-a", "cluster-b")
    broker.create(NAMES.jobs, 1)
    broker.create(NAMES.chains, PARTITIONS)

    def log(*entries: Entry, when: float) -> int:
        return broker.log("backup", *entries, when=at(when))

    log(Level(level=LEVEL), when=-60)
    version = log(PARENT, when=60)
    named: dict[str, Any] = {"run": PARENT.id, "worker": "w1"}
    log(Claimed(version=version, number=1, **named), when=60)
    times: dict[str, Any] = {"started_at": at(60), "ended_at": at(61)}
    started = Started(claim=version, started_at=at(60), **named)
    decided = log(
        started, Finished(claim=version, outcome=Outcome.SUCCEEDED, **times, **named), when=61
    )
    log(Forwarded(run=PARENT.id, version=decided), when=62)
    return broker


def follower() -> Run:
    live = LiveRun(PARENT, version=1)
    [run] = to_publish(live, Verdict.SUCCEEDED, at(61))
    return run


def hand_in(broker: FakeBroker) -> tuple[int, int]:
    return broker.put(NAMES.chains, "report", encode_entries([follower()]), at(61))


def test_a_run_that_waits_to_be_handed_over_is_open_and_waiting(
    broker: FakeBroker, command: Command
) -> None:
    hand_in(broker)
    found, summary = lines(result := command("audit", "--json", *SINCE))

    assert result.exit_code == 1
    assert (found["kind"], found["run"]) == ("waiting", follower().id)
    assert (found["job"], found["cluster"]) == ("report", "cluster-b")
    assert "waiting to be handed over to its cluster since 12:01:02Z" in found["text"]
    assert (summary["due"], summary["open"], summary["unexplained"]) == (2, 1, 0)
    assert summary["verdicts"]["succeeded"] == 1


def test_a_run_that_schedulers_are_done_with_and_that_is_on_no_log_is_lost(
    broker: FakeBroker, command: Command
) -> None:
    partition, offset = hand_in(broker)
    broker.committed[NAMES.chains] = {partition: offset + 1}
    found, summary = lines(command("audit", "--json", *SINCE))

    assert (found["kind"], found["run"]) == ("unexplained", follower().id)
    assert (summary["due"], summary["open"], summary["unexplained"]) == (2, 0, 1)


def test_a_run_that_went_round_once_more_waits_and_so_does_one_on_a_topic_made_anew(
    broker: FakeBroker, command: Command
) -> None:
    partition, offset = hand_in(broker)
    broker.committed[NAMES.chains] = {partition: offset + 1}
    hand_in(broker)
    assert lines(command("audit", "--json", *SINCE))[0]["kind"] == "waiting"
    broker.committed[NAMES.chains] = {partition: offset + 9}
    assert lines(command("audit", "--json", *SINCE))[0]["kind"] == "waiting"


def test_a_run_that_was_never_there_is_lost(broker: FakeBroker, command: Command) -> None:
    assert lines(command("audit", "--json", *SINCE))[0]["kind"] == "unexplained"
    del broker.topics[NAMES.chains]
    assert lines(command("audit", "--json", *SINCE))[0]["kind"] == "unexplained"


def test_a_run_that_is_handed_over_while_the_audit_reads_has_come(
    broker: FakeBroker, command: Command
) -> None:
    hand_in(broker)

    class HandsOver(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            broker.log("report", follower(), when=at(400), cluster="cluster-b")
            return {}

    broker.committed = HandsOver()
    [summary] = lines(command("audit", "--json", *SINCE))

    assert summary["clean"] is True
