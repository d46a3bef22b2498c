"""Asks Kafka for ids: a topic that was deleted and recreated has another, and a copy elsewhere.

Kafka gives them since 2.8; aiokafka (0.14) asks for metadata as it was before. What is said of
partitions is passed over here.
"""

from collections.abc import Collection, Iterable
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

_METADATA = 3
_VERSION = 12


class _Uuid(AbstractType[UUID]):
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_TEXT = CompactString("utf-8")


class _Answer(Response):
    API_KEY = _METADATA
    API_VERSION = _VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", _TEXT),
                ("port", Int32),
                ("rack", _TEXT),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):
    API_KEY = _METADATA
    API_VERSION = _VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", _TEXT), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIds(Request[_Question]):
    API_KEY = _METADATA

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_Question]) -> _Question:
        named: list[Any] = [(UUID(int=0), topic, {}) for topic in self._topics]
        return request_struct_class(named, False, False, {})


async def topic_ids(client: Any, topics: Iterable[str]) -> dict[str, str]:
    """Return the id of each of some topics that is there; nothing where Kafka gives none.

    Args:
        client: Of aiokafka, connected.
        topics: Their names.

    Raises:
        KafkaError: If no broker answers.
    """
    answer = await _ask(client, topics)
    return {
        name: str(topic_id)
        for code, name, topic_id, *_ in (answer.topics if answer else ())
        if not code and topic_id.int
    }


async def kafka_id(client: Any) -> str | None:
    """Return the id that a Kafka has given itself; None where it gives none.

    Args:
        client: Of aiokafka, connected.

    Raises:
        KafkaError: If no broker answers.
    """
    answer = await _ask(client, ())
    return (answer.cluster_id or None) if answer else None


async def _ask(client: Any, topics: Iterable[str]) -> Any:
    """Return what Kafka answers; None if it is of a version that does not know the question."""
    try:
        return await client.send(client.get_random_node(), _TopicIds(list(topics)))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return None
