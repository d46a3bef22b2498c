"""One message as readers of topics have it, and which of them are to be read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from aiokafka.structs import TopicPartition

#: From which offset on and up to which (not including it) each partition is to be read.
Spans: TypeAlias = dict[TopicPartition, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LogMessage:
    """One message as it stands on a topic.

    Attributes:
        at: When it was appended, by the log's clock (UTC).
    """

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def message_of(raw: Any) -> LogMessage:
    """Return what aiokafka calls a record."""
    return LogMessage(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        at=moment_of(raw.timestamp),
        key=raw.key,
        value=raw.value,
        headers=tuple(raw.headers or ()),
    )


def moment_of(timestamp_ms: int | None) -> datetime:
    """Return what Kafka calls a timestamp (milliseconds) as a time (UTC)."""
    return datetime.fromtimestamp((timestamp_ms or 0) / 1000, UTC)
