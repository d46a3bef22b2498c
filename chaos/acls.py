"""Rules as Kafka's protocol has them, which aiokafka (0.14) leaves to its callers."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from cronstream.core.wire.rights import Kind, Operation, Right

#: Kind, name, pattern, principal, host, operation and permission: the fields of a request.
Rule: TypeAlias = tuple[int, str, int, str, str, int, int]

#: Kafka's numbers of what rules are about (``ResourceType``, ``AclOperation``).
_KINDS: Final = {Kind.TOPIC: 2, Kind.GROUP: 3}
_OPERATIONS: Final = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
    Operation.ALTER_CONFIGS: 11,
}
_LITERAL: Final = 3
_ALLOW: Final = 3


def rules_of(user: str, right: Right) -> Iterator[Rule]:
    """Yield the rule of each operation of a right that a user has, from whatever host."""
    kind, principal = _KINDS[right.kind], f"User:{user}"
    for operation in right.operations:
        yield kind, right.name, _LITERAL, principal, "*", _OPERATIONS[operation], _ALLOW
