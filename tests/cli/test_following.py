"""A broker that goes away while somebody follows is waited for."""

from datetime import timedelta

import pytest
from aiokafka.errors import KafkaConnectionError

from cronstream import clock
from cronstream.cli import following
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError
from tests.builders import a_run
from tests.cli.conftest import Command
from tests.cli.fake_broker import FakeBroker


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_RETRY_S", 0)


def run(second: int) -> Run:
    due = clock.now().replace(microsecond=0) + timedelta(seconds=second)
    return a_run(scheduled_at=due, revision=None, cause="run-now", number=second)


class Away:
    """Before poll `at` the broker goes away; so many connections are refused before it is back."""

    def __init__(self, broker: FakeBroker, at: int, refuses: int) -> None:
        self.broker, self.at, self.refuses = broker, at, refuses
        self.runs = [run(second) for second in range(6)]
        self.polls = 0

    def before_poll(self) -> None:
        self.polls += 1
        if self.polls <= len(self.runs):
            one = self.runs[self.polls - 1]
            self.broker.log(one.job, one, when=clock.now())
        if self.polls == self.at:
            self.broker.before_probe = self.before_probe
            raise KafkaConnectionError("the broker went away")

    def before_probe(self) -> None:
        self.refuses -= 1
        if self.refuses >= 0:
            raise BrokerError("no Kafka answers")


@pytest.mark.parametrize("at", [1, 2, 5])
def test_it_goes_on_where_it_was_and_tells_nothing_twice(
    command: Command, broker: FakeBroker, at: int
) -> None:
    away = Away(broker, at, refuses=3)
    broker.before_poll = away.before_poll
    result = command("runs", "--follow")
    assert result.exit_code == 130, "in the end somebody presses Ctrl-C"
    lines = result.stdout.splitlines()
    assert [one.id for one in away.runs] == [line.split()[1] for line in lines]
    assert result.stderr.splitlines()[:2] == [
        "Kafka has failed: KafkaConnectionError: the broker went away; waiting for it, Ctrl-C ends",
        "Kafka answers again: going on",
    ]


def test_a_broker_that_is_not_there_at_the_start_is_not_waited_for(
    command: Command, broker: FakeBroker
) -> None:
    broker.before_probe = Away(broker, 0, refuses=1).before_probe
    result = command("runs", "--follow")
    assert (result.exit_code, result.stderr) == (1, "cronstream: no Kafka answers\n")


def test_a_log_that_was_created_anew_meanwhile_ends_it(
    command: Command, broker: FakeBroker
) -> None:
    away = Away(broker, 4, refuses=0)

    def before_poll() -> None:
        try:
            away.before_poll()
        except KafkaConnectionError:
            for partition in broker.topics["cronstream.cluster-a"]:
                partition.clear()
            raise

    broker.before_poll = before_poll
    result = command("runs", "--follow")
    assert result.exit_code == 1
    assert "it was truncated, or recreated; start over too" in result.stderr.splitlines()[-1]
