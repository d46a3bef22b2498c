"""Every client of Kafka's is made in one place, and reaches it as the settings say."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.configuration import configure
from cronstream.settings import Settings
from cronstream.topology.client import security

PACKAGE = Path(__file__).parents[2] / "cronstream"
HERE = PACKAGE / "topology" / "client.py"
CONSTRUCTORS = {
    "AIOKafkaAdminClient",
    "AIOKafkaClient",
    "AIOKafkaConnection",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "create_conn",
}


def clients_made_in(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in CONSTRUCTORS:
                yield name


def test_every_client_of_kafka_is_made_in_one_module() -> None:
    elsewhere = {
        f"{module.relative_to(PACKAGE)} makes {name}"
        for module in PACKAGE.rglob("*.py")
        for name in clients_made_in(module)
        if module != HERE
    }
    assert elsewhere == set()


def test_the_module_that_makes_them_is_where_the_test_looks_for_it() -> None:
    assert set(clients_made_in(HERE)) >= {"AIOKafkaAdminClient", "AIOKafkaConsumer"}


SHOWN = {"broker": "kafka://kafka.example.org:9093", "broker_ca": "ca.pem"}
LOGIN = {"broker_user": "alice", "broker_password_file": "password"}


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {**SHOWN, "broker_security": "tls"},
        {**SHOWN, **LOGIN, "broker_security": "sasl-tls", "broker_mechanism": "SCRAM-SHA-512"},
        {
            "broker": "kafka://kafka.example.org:9092",
            **LOGIN,
            "broker_security": "sasl-plaintext",
            "broker_mechanism": "PLAIN",
        },
        {
            **SHOWN,
            "broker_security": "sasl-tls",
            "broker_mechanism": "OAUTHBEARER",
            "broker_token_file": "token",
        },
    ],
)
def test_faust_shows_kafka_what_every_other_client_does(shown: dict[str, Any]) -> None:
    app = faust.App("any", broker=None)
    settings = Settings(**shown)
    configure(app.conf, Role.of(None, retry=False), settings)

    words = credentials_to_aiokafka_auth(app.conf.broker_credentials, app.conf.ssl_context)

    ours = security(settings)
    assert {name: _plain(value) for name, value in words.items() if value is not None} == {
        name: _plain(value) for name, value in ours.items()
    }


def _plain(value: Any) -> Any:
    """Return what can be compared of what is made anew each time: of what kind it is."""
    return value if isinstance(value, str) else type(value)
