"""A Kafka behind TLS and logins that allows nobody anything, until a rule says so."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from chaos.acls import Rule, rules_of
from cronstream.core.wire.rights import Kind, Operation, Right
from cronstream.settings import Settings
from tests.integration.command import run_command
from tests.integration.conftest import a_broker
from tests.integration.secured import Secured

_AUTHORIZER = (
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users=User:ANONYMOUS",
)


@dataclass(frozen=True, slots=True)
class Strict:
    """One Kafka that denies by default.

    Attributes:
        plain: ``host:port`` of the door where one may do all, and is not asked who one is.
        secured: The doors where one may do what rules allow.
    """

    plain: str
    secured: Secured

    def variables(self, user: str) -> dict[str, str]:
        """Return what a process or a command needs that comes as this user."""
        return {**self.secured.variables, "CRONSTREAM_BROKER_USER": user}

    def settings(self, user: str) -> Settings:
        """Return the same as settings."""
        return Settings.model_validate(self.variables(user))

    async def command(self, user: str, *words: str, **more: str) -> tuple[int, str, str]:
        """Run a command as this user; return its status, stdout and stderr."""
        variables = {**self.variables(user), **more}
        return await run_command(f"kafka://{self.secured.sasl_tls}", *words, variables=variables)

    async def printed(self, user: str, *words: str) -> list[Right]:
        """Return what ``cronstream acls`` prints for a user of that name."""
        options = ("--principal", f"User:{user}", "--format", "json")
        status, out, err = await self.command(user, "acls", *words, *options)
        assert status == 0, err
        return [_right(json.loads(line)) for line in out.splitlines()]

    async def grant(self, user: str, rules: Iterable[Right]) -> None:
        """Allow a user all that rules say."""
        async with self._client() as client:
            for rule in _each(user, rules):
                answer = await client.send(client.get_random_node(), CreateAclsRequest(*rule))
                assert answer.creation_responses[0][0] == 0

    async def revoke(self, user: str, rules: Iterable[Right]) -> None:
        """Allow it no more."""
        async with self._client() as client:
            for rule in _each(user, rules):
                answer = await client.send(client.get_random_node(), DeleteAclsRequest(*rule))
                assert len(answer.filter_responses[0][2]) == 1

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AIOKafkaClient]:
        client = AIOKafkaClient(bootstrap_servers=self.plain)
        await client.bootstrap()
        try:
            yield client
        finally:
            await client.close()


@contextmanager
def a_strict_broker(folder: Path, users: Iterable[str]) -> Iterator[Strict]:
    """Run a Kafka that knows these users, and allows them nothing."""
    secured = replace(Secured.new(folder), others=tuple(users), further=_AUTHORIZER)
    with a_broker(folder / "kafka", secured) as plain:
        yield Strict(plain, secured)


def _each(user: str, rules: Iterable[Right]) -> Iterator[Rule]:
    for rule in rules:
        yield from rules_of(user, rule)


def _right(printed: Mapping[str, Any]) -> Right:
    operations = tuple(map(Operation, printed["operations"]))
    return Right(Kind(printed["resource"]), printed["name"], operations)
