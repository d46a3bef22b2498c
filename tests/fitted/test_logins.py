"""What is said when a process that has begun is not let in any more."""

import ssl
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from cronstream.fitted.to_aiokafka import logins
from cronstream.fitted.to_aiokafka.bootstrap import AtStart
from cronstream.fitted.to_aiokafka.logins import LastLogged, ShownError, log_refusal

CONNECTION = SimpleNamespace(host="kafka.example.org", port=9096)


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(logins, "clock", fake)
    monkeypatch.setattr(LastLogged, "at", float("-inf"))
    monkeypatch.setattr(AtStart, "waits", True)
    return fake


@pytest.mark.parametrize(
    "error",
    [
        SaslAuthenticationFailed("no such user"),
        ssl.SSLCertVerificationError("it has expired"),
        ShownError("CRONSTREAM_BROKER_TOKEN_COMMAND: no token"),
    ],
)
def test_each_refusal_is_said_with_its_reason_and_only_now_and_then(
    clock: Clock, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    for _ in range(65):
        log_refusal(CONNECTION, error)
        clock.now += 1

    first, *_ = said = caplog.messages
    assert len(said) == 3
    assert first == (
        "Kafka at kafka.example.org:9096 does not let this process in any more, which goes on "
        f"asking: {error}"
    )


def test_a_broker_that_is_away_is_no_refusal(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert clock.now
    for error in (KafkaConnectionError("closed"), ConnectionRefusedError("away"), TimeoutError()):
        log_refusal(CONNECTION, error)

    assert caplog.messages == []


def test_at_its_start_a_process_says_it_otherwise(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clock.now
    monkeypatch.setattr(AtStart, "waits", False)

    log_refusal(CONNECTION, SaslAuthenticationFailed("no such user"))

    assert caplog.messages == []
