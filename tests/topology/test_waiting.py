"""What a process says while it waits for Kafka, and when it waits no longer."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition

from cronstream.errors import BrokerError, SetupError, TopologyError, TruncatedError
from cronstream.settings import Settings
from cronstream.topology import installation_level, waiting
from cronstream.topology.installation_level import look_at_installation
from cronstream.topology.waiting import GIVE_UP_S, wait_for_topics
from tests.builders import NAMES


class Kafka:
    """Refuses with one fault after another, and then is as it should be; time is its own."""

    def __init__(self) -> None:
        self.faults: Iterator[Exception] = iter(())
        self.mono, self.step_s = 100.0, 1.0
        self.told: list[str] = []

    async def ensure(self, _specs: Any, _settings: Any) -> list[str]:
        self.mono += self.step_s
        for fault in self.faults:
            raise fault
        return ["grown"]

    def monotonic(self) -> float:
        return self.mono

    async def wait(self) -> list[str]:
        settings = Settings(broker="kafka://127.0.0.1:1")
        return await wait_for_topics([], settings, self.told.append, self._may)

    async def _may(self) -> None:
        """All is allowed."""


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    fake = Kafka()
    monkeypatch.setattr(waiting, "ensure_topics", fake.ensure)
    monkeypatch.setattr(waiting, "clock", fake)
    monkeypatch.setattr(waiting, "_AGAIN_S", 0)
    return fake


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == waiting.__name__]


async def test_what_is_waited_for_is_said_when_it_changes_and_from_time_to_time(
    kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.faults = iter([BrokerError("a"), BrokerError("b"), *[BrokerError("c")] * 65])

    with caplog.at_level(logging.WARNING):
        assert await kafka.wait() == ["grown"]

    assert _lines(caplog) == [f"{text}; waiting for it" for text in ("a", "b", "c", "c", "c")]
    assert kafka.told[:2] == ["waiting for Kafka: a", "waiting for Kafka: b"]


async def test_what_waiting_does_not_mend_ends_it_at_once(kafka: Kafka) -> None:
    kafka.faults = iter([TopologyError("no right")])

    with pytest.raises(TopologyError, match="no right"):
        await kafka.wait()


async def test_a_kafka_that_lacks_something_is_waited_for_as_long_as_it_may_be_starting(
    kafka: Kafka,
) -> None:
    shortly = int(GIVE_UP_S) // 2
    kafka.faults = iter(
        [*[SetupError("x")] * shortly, BrokerError("away"), *[SetupError("x")] * shortly]
    )
    assert await kafka.wait() == ["grown"]

    kafka.faults = iter([SetupError("too few brokers")] * int(GIVE_UP_S + 2))
    with pytest.raises(TopologyError, match="too few brokers"):
        await kafka.wait()


async def test_an_address_where_nobody_answers_is_told_as_no_kafka(
    kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.faults = iter([KafkaConnectionError("refused")])

    with caplog.at_level(logging.WARNING):
        await kafka.wait()

    assert _lines(caplog) == ["no Kafka at 127.0.0.1:1 yet (KafkaConnectionError); waiting for it"]


class Client:
    """Has been told of one broker, by one that answers."""

    def __init__(self, port: int) -> None:
        self.cluster = self
        self._port = port

    def brokers(self) -> list[Any]:
        return [type("Node", (), {"nodeId": 1, "host": "127.0.0.1", "port": self._port})]

    async def bootstrap(self) -> None: ...
    async def close(self) -> None: ...

    async def ready(self, _node: int) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        return True


async def test_an_advertised_address_that_nobody_reaches_is_named(
    kafka: Kafka, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.faults = iter([KafkaConnectionError("not ready")] * 2)
    with socket.create_server(("127.0.0.1", 0)) as there:
        ports = iter([1, there.getsockname()[1]])
        monkeypatch.setattr(waiting, "new_client", lambda _: Client(next(ports)))
        with caplog.at_level(logging.WARNING):
            await kafka.wait()

    advertised, starting = _lines(caplog)
    assert "Kafka answers at 127.0.0.1:1, but names 127.0.0.1:1 as the address" in advertised
    assert "advertised.listeners" in advertised
    assert starting.startswith("Kafka at 127.0.0.1:1 is not ready yet")


async def test_what_is_asked_is_said_when_it_lasts_and_asked_on(
    kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.step_s = 2.0
    kafka.faults = iter([OSError("a moment"), OSError("two"), KafkaError(), *[OSError("away")] * 2])

    assert await waiting.until_answered(kafka.ensure, (), None) == ["grown"]
    assert _lines(caplog) == [
        "Kafka has not answered yet (KafkaError); waiting for it",
        "Kafka has not answered yet (away); waiting for it",
    ]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            TopicAuthorizationFailedError("t"),
            "topic t cannot be read: .* --operation Read --topic t",
        ),
        (TopicAuthorizationFailedError({"u", "t"}), "topic t cannot be read"),
        (TopicAuthorizationFailedError(TopicPartition("t", 3)), "topic t cannot be read"),
        (TopicAuthorizationFailedError(), "topic TOPIC cannot be read"),
        (GroupAuthorizationFailedError("g"), "kafka-acls .* --operation Read --group g"),
        (ClusterAuthorizationFailedError(), "kafka-acls .* --cluster"),
    ],
)
async def test_a_right_that_is_missing_ends_the_wait_at_once(
    kafka: Kafka, error: Exception, sentence: str
) -> None:
    for ask in (kafka.wait, partial(waiting.until_answered, kafka.ensure, (), None)):
        kafka.faults = iter([error])
        with pytest.raises(TopologyError, match=sentence):
            await ask()


class Refused:
    """A reader that may connect, and no more."""

    names = NAMES

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def kafka_id(self) -> None: ...

    async def ends(self, *_: Any) -> Any:
        return await self._kafka.ensure(None, None)


async def test_a_level_that_may_not_be_read_is_a_sentence(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.faults = iter([TopicAuthorizationFailedError(TopicPartition(NAMES.jobs, 0))])
    monkeypatch.setattr(installation_level, "Reader", lambda _: Refused(kafka))

    with pytest.raises(TopologyError, match=rf"--operation Read --topic {NAMES.jobs}"):
        await waiting.until_answered(look_at_installation, Settings())


async def test_a_topic_that_was_truncated_is_not_asked_again() -> None:
    async def ask() -> int:
        raise TruncatedError("jobs/0 ends at 3, but went up to 7")

    with pytest.raises(TruncatedError):
        await waiting.until_answered(ask)
