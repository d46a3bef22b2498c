"""Asks Kafka what this process may do, and says what it may not.

Kafka answers with what its authorizer lets through, whatever kind it is (KIP-430). aiokafka (0.14)
asks for neither, so both questions are spelled out here.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

from cronstream.access import Access
from cronstream.core.wire.rights import Actor, Kind, Operation, Right, needed
from cronstream.errors import TopologyError
from cronstream.fitted.to_aiokafka.clients import send_request
from cronstream.settings import Settings
from cronstream.topology.client import new_admin

_METADATA, _DESCRIBE_GROUPS = 3, 15
#: Kafka's number for each operation is the place of its bit (``AclOperation``).
_BITS: Final[Mapping[Operation, int]] = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
    Operation.ALTER_CONFIGS: 11,
}
#: How long the first answer may take.
_ANSWERED_WITHIN_S = 20.0
#: What a broker answers that does not say.
_NOT_TOLD: Final = -(2**31)
_TEXT = String("utf-8")


class _TopicsAnswer(Response):
    API_KEY = _METADATA
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT)),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", _TEXT),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _TopicsQuestion(RequestStruct):
    API_KEY = _METADATA
    API_VERSION = 8
    RESPONSE_TYPE = _TopicsAnswer
    SCHEMA = Schema(
        ("topics", Array(_TEXT)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Topics(Request[_TopicsQuestion]):
    API_KEY = _METADATA

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[_TopicsQuestion]) -> _TopicsQuestion:
        """Return the request itself, which creates nothing."""
        return request_struct_class(self._topics, False, False, True)


class _GroupsAnswer(Response):
    API_KEY = _DESCRIBE_GROUPS
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group", _TEXT),
                ("state", _TEXT),
                ("protocol_type", _TEXT),
                ("protocol", _TEXT),
                (
                    "members",
                    Array(
                        ("member_id", _TEXT),
                        ("client_id", _TEXT),
                        ("client_host", _TEXT),
                        ("metadata", Bytes),
                        ("assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    )


class _GroupsQuestion(RequestStruct):
    API_KEY = _DESCRIBE_GROUPS
    API_VERSION = 3
    RESPONSE_TYPE = _GroupsAnswer
    SCHEMA = Schema(("groups", Array(_TEXT)), ("include_authorized_operations", Boolean))


class _Groups(Request[_GroupsQuestion]):
    API_KEY = _DESCRIBE_GROUPS

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupsQuestion]) -> _GroupsQuestion:
        """Return the request itself."""
        return request_struct_class([self._group], True)


#: Operations by bits; None where the broker does not say.
_Told: TypeAlias = dict[tuple[Kind, str], int | None]


async def lacking(settings: Settings, wanted: Sequence[Right]) -> list[Right]:
    """Return what this process is not allowed of what it needs; nothing where Kafka does not say.

    A topic that is not there is not reported: whether it may be written to is known once it is.

    Raises:
        KafkaError: If no broker answers; or it is an OSError.
    """
    admin = new_admin(settings)
    try:
        async with asyncio.timeout(_ANSWERED_WITHIN_S):
            await admin.start()
        told = await _topics(admin, [r.name for r in wanted if r.kind is Kind.TOPIC])
        for right in wanted:
            if right.kind is Kind.GROUP:
                told[Kind.GROUP, right.name] = await _group(admin, right.name)
    except (IncompatibleBrokerVersion, NotImplementedError):
        return []
    finally:
        await admin.close()
    return [
        short for right in wanted if (short := _short(right, told.get((right.kind, right.name))))
    ]


async def check_rights(settings: Settings, actor: Actor, clusters: Iterable[str]) -> None:
    """See that this process may do what it has to.

    Raises:
        TopologyError: If not; the sentence names all that is lacking.
        KafkaError: If no broker answers; or it is an OSError.
    """
    asked = sorted(clusters)
    missing = await lacking(settings, needed(settings.names, actor, asked))
    if missing:
        raise TopologyError(sentence(settings, missing, actor, asked))


def sentence(
    access: Access, missing: Sequence[Right], actor: Actor, clusters: Iterable[str]
) -> str:
    """Return what somebody lacks, and which command prints all that he needs."""
    who = f"user {access.broker_user!r}" if access.broker_user else "this user"
    what = ", ".join(map(words, missing))
    return f"Kafka does not allow {who} to {what}: grant it; {remedy(actor, clusters)} prints all"


def words(right: Right) -> str:
    """Return a right as people say it: ``Read and Write topic cronstream.jobs``."""
    return f"{' and '.join(right.operations)} {right.kind} {right.name}"


def remedy(actor: Actor, clusters: Iterable[str]) -> str:
    """Return the command that prints what somebody has to be allowed."""
    of = "".join(f" --cluster {name}" for name in clusters)
    return f"'cronstream acls --role {actor}{of}'"


def _short(right: Right, told: int | None) -> Right | None:
    if told is None:
        return None
    denied = tuple(one for one in right.operations if not told >> _BITS[one] & 1)
    return Right(right.kind, right.name, denied) if denied else None


async def _topics(admin: Any, names: list[str]) -> _Told:
    answer = await send_request(admin, _Topics(names))
    return {
        (Kind.TOPIC, name): _bits(code, told, TopicAuthorizationFailedError)
        for code, name, _, _, told in answer.topics
        if for_code(code) is not UnknownTopicOrPartitionError
    }


async def _group(admin: Any, group: str) -> int | None:
    try:
        coordinator = await admin.find_coordinator(group)
    except GroupAuthorizationFailedError:
        return 0
    answer = await send_request(admin, _Groups(group), coordinator)
    [(code, *_, told)] = answer.groups
    return _bits(code, told, GroupAuthorizationFailedError)


def _bits(code: int, told: int, refusal: type[Exception]) -> int | None:
    if for_code(code) is refusal:
        return 0
    return None if code or told == _NOT_TOLD else told
