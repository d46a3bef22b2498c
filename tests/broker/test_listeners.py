"""Where else Kafka listens: what is asked for, what is refused, and what is warned of."""

import socket

import pytest
from click.testing import CliRunner

from cronstream.broker.listeners import Address, check_free, pair, warnings
from cronstream.cli.main import main
from cronstream.errors import BrokerError

OURS = Address("192.0.2.7", 9092)
EVERYWHERE = Address("0.0.0.0", 9092)
NAME = Address("kafka.example.org", 9092)


@pytest.mark.parametrize("text", ["192.0.2.7:9092", "kafka-1.example.org:1", "[::1]:65535"])
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":9092", "h:0", "h:65536", "::1:9092", "a b:1"]
)
def test_what_is_no_address_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="write HOST:PORT"):
        Address.parse(text)


def test_an_address_that_is_not_advertised_otherwise_is_told_as_it_is() -> None:
    [listener] = pair([OURS], [])

    assert listener.advertised == OURS


@pytest.mark.parametrize(
    ("listen", "advertise", "told"),
    [
        ([EVERYWHERE], [], r"clients cannot be sent to 0\.0\.0\.0:9092: .* --advertise HOST:PORT"),
        ([OURS], [Address("::", 9092)], r"clients cannot be sent to \[::\]:9092"),
        ([], [NAME], "once for each --listen"),
        ([OURS], [NAME, NAME], "once for each --listen"),
        ([OURS, EVERYWHERE], [NAME, NAME], "another port for each --listen"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_give(
    listen: list[Address], advertise: list[Address], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        pair(listen, advertise)


def test_a_listener_that_others_reach_is_said_to_have_no_password() -> None:
    [line] = warnings(pair([EVERYWHERE], [NAME]))

    assert "whoever reaches 0.0.0.0:9092 may read and write everything" in line


def test_one_that_only_this_machine_reaches_is_not_warned_of() -> None:
    assert warnings(pair([Address("127.0.0.2", 9092)], [])) == []


def test_a_listener_that_sends_others_to_themselves_is_warned_of() -> None:
    *_, line = warnings(pair([EVERYWHERE], [Address("localhost", 9092)]))

    assert "sent to localhost:9092, which to other machines means themselves" in line


def test_an_address_that_is_not_this_machines_is_told_before_kafka_is_started() -> None:
    with pytest.raises(BrokerError, match=r"cannot listen at 192\.0\.2\.7:9092 \(cannot assign"):
        check_free(pair([OURS], []))


def test_a_port_that_is_in_use_is_told_before_kafka_is_started() -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        address = Address("127.0.0.2", other.getsockname()[1])
        with pytest.raises(BrokerError, match="address already in use"):
            check_free(pair([address], []))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--listen", "9092"], "write HOST:PORT"),
        (["--listen", "0.0.0.0:9092"], "clients cannot be sent to 0.0.0.0:9092"),
        (["--port", "9000", "--listen", "127.0.0.2:9000"], "another port for --listen than --port"),
    ],
)
def test_the_command_refuses_what_cannot_work_as_wrong_usage(
    arguments: list[str], told: str
) -> None:
    result = CliRunner().invoke(main, ["broker", *arguments])

    assert result.exit_code == 2
    assert told in result.stderr
