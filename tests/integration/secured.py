"""What a Kafka needs that wants TLS and a login, and what its clients show it: all made anew."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.certificates import Authority
from cronstream.broker.listeners import Address, Listener
from cronstream.broker.ports import HOST, free_port

USER = "alice"
SECRET = "open-sesame"
_JAAS = "org.apache.kafka.common.security"
_LOGINS = {
    "scram-sha-512": "scram.ScramLoginModule required",
    "plain": f'plain.PlainLoginModule required user_{USER}="{SECRET}"',
    "oauthbearer": (
        'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"'
    ),
}
#: How the listeners are named in Kafka's configuration, in the order in which they are given.
_SASL_TLS, _TLS, _SASL = (f"listener.name.outside{number}" for number in (1, 2, 3))


@dataclass(frozen=True, slots=True)
class Secured:
    """Three doors of one Kafka that wants to know who comes in, beside its plain one.

    Attributes:
        sasl_tls: ``host:port`` where TLS is spoken, and a login is asked for.
        tls: Where TLS is spoken, and a client's certificate is asked for.
        sasl: Where a login is asked for without TLS.
        authority: Vouches for the broker, and for who comes.
        others: Further users, with the same password.
        further: Further lines of the broker's configuration.
    """

    sasl_tls: str
    tls: str
    sasl: str
    authority: Authority
    others: tuple[str, ...] = ()
    further: tuple[str, ...] = ()

    @classmethod
    def new(cls, folder: Path) -> "Secured":
        """Return addresses that are free now, and certificates."""
        ports: set[int] = set()
        while len(ports) < 3:
            ports.add(free_port())
        sasl_tls, tls, sasl = (f"{HOST}:{port}" for port in ports)
        made = cls(sasl_tls, tls, sasl, Authority.new(folder / "authority"))
        made.authority.issue("broker")
        made.authority.issue("client")
        (folder / "authority" / "password").write_text(f"{SECRET}\n")
        return made

    @property
    def listeners(self) -> list[Listener]:
        """The doors, as the embedded Kafka takes them."""
        doors = {self.sasl_tls: "SASL_SSL", self.tls: "SSL", self.sasl: "SASL_PLAINTEXT"}
        return [Listener(at := Address.parse(door), at, doors[door]) for door in doors]

    @property
    def properties(self) -> Sequence[str]:
        """What its configuration has to say of them."""
        folder = self.authority.folder
        lines = [f"{_TLS}.ssl.client.auth=required"]
        for name in (_SASL_TLS, _TLS):
            lines += [
                f"{name}.ssl.keystore.type=PEM",
                f"{name}.ssl.keystore.location={folder / 'broker.pem'}",
                f"{name}.ssl.truststore.type=PEM",
                f"{name}.ssl.truststore.location={self.authority.certificate}",
            ]
        for name in (_SASL_TLS, _SASL):
            lines.append(f"{name}.sasl.enabled.mechanisms={','.join(_LOGINS).upper()}")
            lines += [
                f"{name}.{kind}.sasl.jaas.config={_JAAS}.{how};" for kind, how in _LOGINS.items()
            ]
        return [*lines, *self.further]

    @property
    def users(self) -> Sequence[str]:
        """Whom its data is made with."""
        return [f"SCRAM-SHA-512=[name={user},password={SECRET}]" for user in (USER, *self.others)]

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs that comes by the first door, with SCRAM."""
        return {
            "CRONSTREAM_BROKER": f"kafka://{self.sasl_tls}",
            "CRONSTREAM_BROKER_SECURITY": "sasl-tls",
            "CRONSTREAM_BROKER_CA": str(self.authority.certificate),
            "CRONSTREAM_BROKER_MECHANISM": "SCRAM-SHA-512",
            "CRONSTREAM_BROKER_USER": USER,
            "CRONSTREAM_BROKER_PASSWORD_FILE": str(self.authority.folder / "password"),
        }


def token(lives_s: float = 600) -> str:
    """Return a token that a Kafka takes which checks no signature (RFC 7515, ``none``)."""
    now = time.time()
    parts = {"alg": "none"}, {"sub": USER, "iat": now, "exp": now + lives_s}
    return ".".join([*(_part(part) for part in parts), ""])


def _part(claims: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
