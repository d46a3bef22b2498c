"""Has Kafka compact the changelogs that are there as soon as it would new ones.

It takes disk, and nothing else, if that is not to be: so who may not alter a topic goes on.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from cronstream.fitted.to_aiokafka.clients import send_request

_TOPIC, _SET = 2, 0
_INCREMENTAL_ALTER_CONFIGS = 44


class _Answer(Response):
    """Kafka's answer to it (KIP-339); aiokafka (0.14) knows only the way that sets everything."""

    API_KEY = _INCREMENTAL_ALTER_CONFIGS
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _Alteration(RequestStruct):
    API_KEY = _INCREMENTAL_ALTER_CONFIGS
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _Alter(Request[_Alteration]):
    API_KEY = _INCREMENTAL_ALTER_CONFIGS

    def __init__(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        self._resources = [
            (_TOPIC, topic, [(name, _SET, value) for name, value in config.items()])
            for topic, config in changes.items()
        ]

    def build(self, request_struct_class: type[_Alteration]) -> _Alteration:
        """Return the request itself, which changes nothing but what it names."""
        return request_struct_class(self._resources, False)


def untidy(wanted: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, str]:
    """Return what has to be set of a topic: limits that are wider than wanted, and no others."""
    return {
        name: value
        for name, value in wanted.items()
        if found.get(name) and float(found[name]) > float(value)
    }


async def tidy_up(admin: Any, changes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Set what is to be set of each topic; return a sentence for each that could not be.

    Raises:
        KafkaError: If no broker answers.
    """
    if not changes:
        return []
    try:
        answer = await send_request(admin, _Alter(changes))
    except (IncompatibleBrokerVersion, NotImplementedError) as error:
        return [_by_hand(topic, changes[topic], type(error).__name__) for topic in changes]
    return [
        _by_hand(topic, changes[topic], message or for_code(code).__name__)
        for code, message, _, topic in answer.responses
        if code
    ]


def _by_hand(topic: str, config: Mapping[str, str], why: str) -> str:
    values = ",".join(f"{name}={value}" for name, value in config.items())
    return (
        f"topic {topic} keeps old rows for longer than it has to, which only takes disk space, "
        f"and that could not be changed ({why}): kafka-configs --alter --entity-type topics "
        f"--entity-name {topic} --add-config {values}"
    )
