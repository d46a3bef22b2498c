"""Makes every client of Kafka's that there is: all of them reach it in the same way."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn

from cronstream.access import Access, Security
from cronstream.fitted.to_aiokafka.mends import mend_aiokafka
from cronstream.settings import Settings
from cronstream.topology.credentials import Certificates, Tokens, read_password

_PROTOCOLS: Mapping[Security, str] = MappingProxyType(
    {
        "plaintext": "PLAINTEXT",
        "tls": "SSL",
        "sasl-plaintext": "SASL_PLAINTEXT",
        "sasl-tls": "SASL_SSL",
    }
)


def new_producer(settings: Settings, **how: Any) -> Any:
    """Return a producer that is not connected yet; `how` is in aiokafka's words."""
    return AIOKafkaProducer(**_reaching(settings), **how)


def new_consumer(settings: Settings, **how: Any) -> Any:
    """Return a consumer that is not connected yet; `how` is in aiokafka's words."""
    return AIOKafkaConsumer(**_reaching(settings), **how)


def new_admin(settings: Settings) -> Any:
    """Return a client that is not connected yet, for topics, settings and groups."""
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - most commands need none

    return AIOKafkaAdminClient(**_reaching(settings))


def new_client(settings: Settings) -> Any:
    """Return what is below the others: it knows no more than brokers and who leads what."""
    return AIOKafkaClient(**_reaching(settings))


def _reaching(settings: Settings) -> dict[str, Any]:
    """Return where Kafka is and how it is reached, in aiokafka's words."""
    return {"bootstrap_servers": settings.bootstrap, **security(settings)}


def security(access: Access) -> dict[str, Any]:
    """Return what is spoken with Kafka, in aiokafka's words.

    Password and certificates are functions, for `fitted.to_aiokafka.logins`.
    """
    words: dict[str, Any] = {"security_protocol": _PROTOCOLS[access.broker_security]}
    if access.speaks_tls:
        words["ssl_context"] = Certificates(access).now
    if access.logs_in:
        words["sasl_mechanism"] = access.broker_mechanism
        if access.broker_mechanism == "OAUTHBEARER":
            words["sasl_oauth_token_provider"] = Tokens(access)
        else:
            words["sasl_plain_username"] = access.broker_user
            words["sasl_plain_password"] = partial(read_password, access)
    return words


async def connected(access: Access, host: str, port: int, timeout_s: float) -> Any:
    """Return one connection to one broker, logged in.

    Raises:
        OSError: If there is none to be had; or it is a KafkaError, or a TimeoutError.
    """
    timeout_ms = int(timeout_s * 1000)
    return await create_conn(host, port, request_timeout_ms=timeout_ms, **security(access))


# All that this process makes, and what Faust makes of its own with `security`, is mended.
mend_aiokafka()
