"""What Kafka refuses, in sentences that say what is to be done about it.

A right that is missing, a policy, or a setting that no broker takes is not mended by waiting.
"""

from collections.abc import Mapping

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidConfigurationError,
    InvalidReplicationFactorError,
    KafkaError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
    for_code,
)

from cronstream.errors import BrokerError, SetupError, TopologyError

_RIGHTS = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
_POLICIES = (PolicyViolationError, InvalidConfigurationError)


def no_right(topic: str, operation: str, what: str) -> TopologyError:
    """Return that the user whom Kafka takes this process for lacks a right on a topic."""
    return TopologyError(
        f"topic {topic} {what}: Kafka does not allow this user to; grant what 'cronstream acls "
        "--role ROLE' prints, or this with kafka-acls --add --allow-principal User:NAME "
        f"--operation {operation} --topic {topic}"
    )


def missing_right(error: Exception, topic: str = "") -> TopologyError | None:
    """Return what right is missing, if that is what Kafka has answered; else None.

    Args:
        error: What Kafka has answered.
        topic: What was written to; none if something was read.
    """
    if isinstance(error, TopicAuthorizationFailedError):
        if topic:
            return no_right(topic, "Write", "cannot be written to")
        return no_right(_name_in(error) or "TOPIC", "Read", "cannot be read")
    if type(error) is KafkaError and TopicAuthorizationFailedError.__name__ in str(error):
        # So aiokafka says it of committed offsets, and does not say of which topic.
        return TopologyError(
            "a topic of its group cannot be read: Kafka does not allow this user to; "
            "'cronstream doctor --role ROLE' says which, and what to grant"
        )
    if isinstance(error, GroupAuthorizationFailedError):
        where = f"--operation Read --group {_name_in(error) or 'GROUP'}"
        return TopologyError(
            "the consumer group cannot be used: Kafka does not allow this user to; grant it with "
            f"kafka-acls --add --allow-principal User:NAME {where}"
        )
    if isinstance(error, ClusterAuthorizationFailedError):
        return TopologyError(
            "Kafka does not allow this user to write to any topic; grant what 'cronstream acls "
            "--role ROLE' prints; before Kafka 2.8 kafka-acls --add --allow-principal User:NAME "
            "--operation IdempotentWrite --cluster, too"
        )
    return None


def _name_in(error: KafkaError) -> str:
    """Return the topic or group that an error of aiokafka's is about, or the first of several."""
    about = error.args[0] if error.args else ""
    about = getattr(about, "topic", about)  # It may be a partition.
    return about if isinstance(about, str) else min(map(str, about), default="")


def is_policy(code: int) -> bool:
    """Return whether Kafka does not take a setting, by a rule of its own or of its owner's."""
    return issubclass(for_code(code), _POLICIES)


def not_created(
    topic: str, code: int, message: str, config: Mapping[str, str], size: tuple[int, int]
) -> BrokerError | TopologyError:
    """Return why a topic could not be created, and whether waiting may help.

    Args:
        topic: Its name.
        code: Kafka's error.
        message: Kafka's own words, if it had any.
        config: What was asked for.
        size: Partitions and copies that were asked for.
    """
    kind: type[KafkaError] = for_code(code)
    said = message or kind.__name__
    command = by_hand(topic, config, size)
    if issubclass(kind, _RIGHTS):
        fault = no_right(topic, "Create", "cannot be created")
        return TopologyError(f"{fault}, or have it created: {command}")
    if is_policy(code):
        return TopologyError(
            f"topic {topic} cannot be created, for a rule of this Kafka's does not take its "
            f"settings ({said}); change the rule, or have the topic created with what the rule "
            f"takes: {command}"
        )
    if issubclass(kind, InvalidReplicationFactorError):
        return SetupError(
            f"topic {topic} cannot be created with {size[1]} copies ({said}); start as many "
            "brokers, or set CRONSTREAM_REPLICATION_FACTOR (and CRONSTREAM_MIN_INSYNC_REPLICAS) "
            "to what there are"
        )
    if kind.retriable or code < 0:
        return BrokerError(f"topic {topic} cannot be created: {said}")
    return TopologyError(f"topic {topic} cannot be created: {said}; or have it created: {command}")


def by_hand(topic: str, config: Mapping[str, str], size: tuple[int, int]) -> str:
    """Return the command that creates a topic with so many partitions and copies."""
    settings = " ".join(f"--config {name}={value}" for name, value in sorted(config.items()))
    return (
        f"kafka-topics --create --topic {topic} --partitions {size[0]} "
        f"--replication-factor {size[1]} {settings}"
    )
