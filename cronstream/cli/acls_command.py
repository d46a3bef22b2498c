"""``cronstream acls``: what Kafka has to allow each role, for who sets that up."""

from collections.abc import Iterable, Iterator
from shlex import quote
from typing import Final

import click

from cronstream.cli.output import emit, emit_json
from cronstream.cli.several_clusters import clusters_option, clusters_or_all
from cronstream.core.wire.naming import Names, Role
from cronstream.core.wire.rights import Actor, Kind, Right, rights
from cronstream.settings import settings

_OF_ONE_CLUSTER: Final = (Actor.WORKER, Actor.RETRY_WORKER)
_SCRAM: Final = "scram-sha-512"


@click.command
@click.option(
    "--role",
    type=click.Choice([one.value for one in Actor]),
    required=True,
    help="Who is allowed it.",
)
@clusters_option
@click.option("--principal", metavar="User:NAME", help="Whom Kafka takes it for.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["kafka-acls", "strimzi", "json"]),
    default="kafka-acls",
    show_default=True,
    help="Commands, a KafkaUser, or one JSON object for each topic and group.",
)
def acls(*, role: str, cluster: tuple[str, ...], principal: str | None, form: str) -> None:
    """Print what Kafka has to allow a role, and no more: each rule names one topic or group.

    Without --cluster it is for all clusters of the crontab; a worker's needs one.
    """
    actor = Actor(role)
    if actor in _OF_ONE_CLUSTER and not cluster:
        raise click.UsageError(f"--role {actor} needs --cluster, to say whose runs it makes")
    names = settings().names
    found = rights(names, actor, clusters_or_all(cluster))
    whom = _checked(principal) or f"User:{_user(names, actor, cluster)}"
    match form:
        case "json":
            for right in found:
                emit_json(_fields(right, whom))
        case "strimzi":
            for line in _strimzi(found, whom):
                emit(line)
        case _:
            for line in _commands(found, whom):
                emit(line)


def _checked(principal: str | None) -> str | None:
    if principal is not None and not principal.partition(":")[2]:
        raise click.UsageError(f"{principal!r} is no principal; write it as User:NAME")
    return principal


def _user(names: Names, actor: Actor, clusters: tuple[str, ...]) -> str:
    """Return what a user may be called that is there for this alone: as its group is."""
    if actor not in _OF_ONE_CLUSTER:
        return f"{names.prefix}-{actor}"
    return names.group(Role.of(clusters[0], retry=actor is Actor.RETRY_WORKER))


def _commands(found: Iterable[Right], whom: str) -> Iterator[str]:
    for right in found:
        operations = " ".join(f"--operation {one}" for one in right.operations)
        yield (
            "kafka-acls.sh --bootstrap-server BROKER --command-config ADMIN.properties --add "
            f"--allow-principal {quote(whom)} {operations} --{right.kind} {quote(right.name)} "
            "--resource-pattern-type literal"
        )


def _fields(right: Right, whom: str) -> dict[str, object]:
    return {
        "principal": whom,
        "resource": right.kind.value,
        "name": right.name,
        "pattern": "literal",
        "operations": [one.value for one in right.operations],
    }


def _strimzi(found: Iterable[Right], whom: str) -> Iterator[str]:
    """Yield the lines of a ``KafkaUser``; names of ours need no quotes in YAML."""
    yield "apiVersion: kafka.strimzi.io/v1beta2"
    yield "kind: KafkaUser"
    yield "metadata:"
    yield f"  name: {whom.partition(':')[2]}"
    yield "  labels: {strimzi.io/cluster: CLUSTER}"
    yield "spec:"
    yield f"  authentication: {{type: {_SCRAM}}}"
    yield "  authorization:"
    yield "    type: simple"
    yield "    acls:"
    for right in found:
        kind = "topic" if right.kind is Kind.TOPIC else "group"
        yield f"      - resource: {{type: {kind}, name: {right.name}, patternType: literal}}"
        yield f"        operations: [{', '.join(right.operations)}]"
