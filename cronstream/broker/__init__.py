"""The embedded Kafka: Apache Kafka itself (KRaft, one node), as a child of this process."""

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port, is_free

__all__ = ["EmbeddedBroker", "Guard", "free_port", "is_free"]
