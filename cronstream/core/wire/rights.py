"""What Kafka has to allow whom: the rights of each role, and of who types commands.

They are literal: each names one topic or one group. A right to read or to write is one to describe,
too (Kafka's ``AclOperation``); a right to describe its settings is not.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cronstream.core.wire.naming import SCHEDULER, Names, Role


class Operation(StrEnum):
    """What may be allowed, in Kafka's words."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"


class Kind(StrEnum):
    """What something is allowed on."""

    TOPIC = "topic"
    GROUP = "group"


class Actor(StrEnum):
    """Who is allowed something: a process of a role, or a person with commands."""

    SCHEDULER = "scheduler"
    WORKER = "worker"
    RETRY_WORKER = "retry-worker"
    #: Looks: `runs`, `show`, `logs`, `discarded`, `audit`, `workers`, `doctor`.
    READER = "reader"
    #: Looks, and puts something on the logs: `run-now`, `replay`, `backfill`, `cancel`, `repair`,
    #: and on ``jobs``: `pause`, `resume`; and has output shown as it is written: `logs --follow`.
    OPERATOR = "operator"
    #: Makes topics, and moves the installation: `topics --create`, `move-out`, `move-in`.
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Right:
    """What is allowed on one topic or group."""

    kind: Kind
    name: str
    operations: tuple[Operation, ...]


#: Each process sees that the topics it needs are as they have to be.
_CHECK: Final = (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
_READ: Final = (Operation.READ,)
_WRITE: Final = (Operation.WRITE,)
_BOTH: Final = (Operation.READ, Operation.WRITE)
_ALL: Final = (*_BOTH, *_CHECK, Operation.CREATE, Operation.ALTER_CONFIGS)
_IMPLY_DESCRIBE: Final = {Operation.READ, Operation.WRITE}


def rights(names: Names, actor: Actor, clusters: Iterable[str]) -> list[Right]:
    """Return what Kafka has to allow, and no more.

    Args:
        names: What topics and groups are called.
        actor: Whom.
        clusters: Those that a worker works for, or that the installation has.
    """
    found: dict[tuple[Kind, str], set[Operation]] = defaultdict(set)
    for kind, name, operations in _rows(names, actor, sorted(clusters)):
        found[kind, name].update(operations)
    return [Right(kind, name, _in_order(wanted)) for (kind, name), wanted in found.items()]


def needed(names: Names, actor: Actor, clusters: Iterable[str]) -> list[Right]:
    """Return those of its rights without which it does not begin: live output is not among them."""
    asked = list(clusters)
    live = {names.output(cluster) for cluster in asked}
    return [right for right in rights(names, actor, asked) if right.name not in live]


def all_topics(names: Names, clusters: Iterable[str]) -> list[str]:
    """Return every topic that an installation with these clusters has."""
    return [*_of_installation(names), *(t for name in clusters for t in _of_cluster(names, name))]


_Row = tuple[Kind, str, tuple[Operation, ...]]


def _rows(names: Names, actor: Actor, clusters: list[str]) -> Iterator[_Row]:
    match actor:
        case Actor.SCHEDULER:
            yield from _scheduler(names, clusters)
        case Actor.WORKER | Actor.RETRY_WORKER:
            for cluster in clusters:
                yield from _worker(names, Role.of(cluster, retry=actor is Actor.RETRY_WORKER))
        case Actor.READER:
            yield from _reader(names, clusters)
        case Actor.OPERATOR:
            yield from _reader(names, clusters)
            yield from _on([names.jobs], _WRITE)
            for cluster in clusters:
                written = names.log(cluster), names.retry_log(cluster), names.output(cluster)
                yield from _on(written, _WRITE)
        case Actor.ADMIN:
            yield from _on(all_topics(names, clusters), _ALL)


def _process(names: Names, role: Role) -> Iterator[_Row]:
    """Yield what every process needs: its group, its tables, and to be there among others."""
    yield Kind.GROUP, names.group(role), _READ
    own = names.jobs, names.ticks, names.quarantine, names.workers, names.chains
    yield from _on(own, _CHECK)
    yield from _on((names.jobs, names.cursors), _READ)
    yield from _on((names.workers, *names.tables(role)), (*_BOTH, *_CHECK))
    yield from _on([names.quarantine], _WRITE)
    yield from _on([names.leader(role)], (*_READ, *_CHECK))


def _scheduler(names: Names, clusters: list[str]) -> Iterator[_Row]:
    yield from _process(names, SCHEDULER)
    yield from _on((names.jobs, names.ticks, names.chains), _BOTH)
    for cluster in clusters:
        yield from _on((names.log(cluster), names.retry_log(cluster)), (*_WRITE, *_CHECK))
        yield from _on([names.discarded(cluster)], _CHECK)


def _worker(names: Names, role: Role) -> Iterator[_Row]:
    yield from _process(names, role)
    topics = names.topics_of(role.cluster or "")
    yield from _on((topics.log, topics.retry_log, topics.discarded), (*_WRITE, *_CHECK))
    yield from _on([names.log_of(role)], _READ)
    if not role.retry:
        yield from _on([names.chains], _WRITE)
    yield from _on([names.output(role.cluster or "")], (*_BOTH, *_CHECK))


def _reader(names: Names, clusters: list[str]) -> Iterator[_Row]:
    yield from _on(all_topics(names, clusters), _CHECK)
    yield from _on((names.jobs, names.workers, names.chains, *names.tables(SCHEDULER)), _READ)
    # How far schedulers are with handing over; it cannot become one of them.
    yield Kind.GROUP, names.group(SCHEDULER), (Operation.DESCRIBE,)
    for cluster in clusters:
        topics = names.topics_of(cluster)
        ledgers = (names.ledgers(Role.of(cluster, retry=retry)) for retry in (False, True))
        yield from _on((topics.log, topics.retry_log, topics.discarded, *ledgers), _READ)
        yield from _on([names.output(cluster)], _READ)


def _of_installation(names: Names) -> list[str]:
    own = [names.jobs, names.ticks, names.quarantine, names.workers, names.chains]
    return [*own, *names.tables(SCHEDULER), names.leader(SCHEDULER)]


def _of_cluster(names: Names, cluster: str) -> list[str]:
    topics = names.topics_of(cluster)
    found = [topics.log, topics.retry_log, topics.discarded, names.output(cluster)]
    for retry in (False, True):
        role = Role.of(cluster, retry=retry)
        found += [*names.tables(role), names.leader(role)]
    return found


def _on(topics: Iterable[str], operations: tuple[Operation, ...]) -> Iterator[_Row]:
    for topic in topics:
        yield Kind.TOPIC, topic, operations


def _in_order(wanted: set[Operation]) -> tuple[Operation, ...]:
    if wanted & _IMPLY_DESCRIBE:
        wanted = wanted - {Operation.DESCRIBE}
    return tuple(operation for operation in Operation if operation in wanted)
