"""Makes every client of Kafka's that there is: all of them reach it in the same way."""

from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient

from cronstream.settings import Settings


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
    return {"bootstrap_servers": settings.bootstrap}
