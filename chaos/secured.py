"""What a security team wants: TLS, a login for each role, literal rules, signatures.

Kafka denies by default. What chaos itself does to it comes by the plain door, where nobody is asked
who he is; processes come by the other one, each role as a user of its own.
"""

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest

from chaos.acls import rules_of
from chaos.certificates import Authority
from cronstream.broker.cluster import EmbeddedCluster
from cronstream.broker.listeners import Address, Listener
from cronstream.broker.ports import HOST, free_port
from cronstream.core.trust.keys import SCHEDULE, TrustedKey
from cronstream.core.wire.naming import Names, Role
from cronstream.core.wire.rights import Actor, Right, rights
from cronstream.errors import CronstreamError
from cronstream.trust.signer import new_key

_DOOR = "listener.name.outside1"
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required"


@dataclass
class Secured:
    """The doors of a cluster of Kafkas, and who may come in by them.

    Attributes:
        folder: Where certificates, passwords and keys are.
        roles: Whose users there are.
    """

    folder: Path
    roles: tuple[Role, ...]
    _authority: Authority = field(init=False)
    _doors: dict[int, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make certificates, passwords and keys."""
        self.folder.mkdir()
        self._authority = Authority.new(self.folder / "authority")
        self._authority.issue("broker")
        for role in self.roles:
            self._password(role).write_text(secrets.token_hex(16))
        key = new_key(self.folder / "scheduler.key")
        line = TrustedKey(key.id, key.public, frozenset({SCHEDULE})).line()
        (self.folder / "trusted").write_text(f"{line}\n")

    def open(self, kafka: EmbeddedCluster) -> None:
        """Give each broker such a door, before it is started."""
        for node, broker in kafka.brokers.items():
            at = self._doors[node] = Address(HOST, free_port())
            broker.further = [Listener(at, at, "SASL_SSL")]
            broker.properties = self._properties()
            broker.users = [
                f"SCRAM-SHA-512=[name={user(role)},password={self._password(role).read_text()}]"
                for role in self.roles
            ]

    def _properties(self) -> list[str]:
        folder = self._authority.folder
        return [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            f"{_DOOR}.ssl.keystore.type=PEM",
            f"{_DOOR}.ssl.keystore.location={folder / 'broker.pem'}",
            f"{_DOOR}.sasl.enabled.mechanisms=SCRAM-SHA-512",
            f"{_DOOR}.scram-sha-512.sasl.jaas.config={_LOGIN};",
        ]

    def variables(self, role: Role) -> dict[str, str]:
        """Return what a process of a role needs to come in, and to be believed."""
        urls = ";".join(f"kafka://{door}" for door in self._doors.values())
        signs = {"CRONSTREAM_SIGNING_KEY": str(self.folder / "scheduler.key")}
        return {
            "CRONSTREAM_BROKER": urls,
            "CRONSTREAM_BROKER_SECURITY": "sasl-tls",
            "CRONSTREAM_BROKER_CA": str(self._authority.certificate),
            "CRONSTREAM_BROKER_MECHANISM": "SCRAM-SHA-512",
            "CRONSTREAM_BROKER_USER": user(role),
            "CRONSTREAM_BROKER_PASSWORD_FILE": str(self._password(role)),
            "CRONSTREAM_TRUSTED_KEYS": str(self.folder / "trusted"),
            "CRONSTREAM_SIGNATURES": "require",
            **(signs if role.cluster is None else {}),
        }

    async def grant(self, kafka: EmbeddedCluster, names: Names, clusters: Iterable[str]) -> None:
        """Allow each role what ``cronstream acls`` says, by the plain door.

        Raises:
            CronstreamError: If Kafka does not take a rule.
        """
        every = tuple(clusters)
        async with _client(kafka) as client:
            for role in self.roles:
                mine = every if role.cluster is None else (role.cluster,)
                for right in rights(names, Actor(role.kind.value), mine):
                    await _allow(client, user(role), right)

    def _password(self, role: Role) -> Path:
        return self.folder / f"{user(role)}.password"


def user(role: Role) -> str:
    """Return the name by which a role's processes log in."""
    return str(role).replace(" ", "-")


@asynccontextmanager
async def _client(kafka: EmbeddedCluster) -> AsyncIterator[AIOKafkaClient]:
    addresses = [broker.address for broker in kafka.brokers.values()]
    client = AIOKafkaClient(bootstrap_servers=addresses)
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


async def _allow(client: AIOKafkaClient, who: str, right: Right) -> None:
    for rule in rules_of(who, right):
        answer = await client.send(client.get_random_node(), CreateAclsRequest(*rule))
        if answer.creation_responses[0][0] != 0:
            raise CronstreamError(f"Kafka does not take the rule {right} for {who}: {answer}")
