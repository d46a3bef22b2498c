"""The part of the settings that says where Kafka is, and how it is reached there.

Who may use it is set out in files, which are read anew for each connection: a password or a
certificate is changed by writing the file.
"""

import re
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, field_validator, model_validator

#: ``HOST:PORT``, with the scheme that Faust needs or without; an IPv6 host in brackets.
_BROKER = re.compile(r"(kafka://|aiokafka://)?([\w.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})/?")

Security = Literal["plaintext", "tls", "sasl-plaintext", "sasl-tls"]
#: How a client says who it is (RFC 4616, 5802, 7628).
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


def _variable(name: str) -> str:
    return f"CRONSTREAM_{name.upper()}"


class Access(BaseModel):
    """Where Kafka is, what is spoken there, and how this process says who it is."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=_variable), populate_by_name=True
    )

    #: Where Kafka is; several brokers are separated by semicolons.
    broker: str = "kafka://127.0.0.1:9092"
    #: What is spoken there: with or without TLS, with a login or without.
    broker_security: Security = "plaintext"
    #: Certificates (PEM) of who may vouch for a broker; None for those that this system trusts.
    broker_ca: Path | None = None
    #: A certificate (PEM) that says who this process is, and its key, if that is another file.
    broker_cert: Path | None = None
    broker_key: Path | None = None
    #: How it logs in.
    broker_mechanism: Mechanism | None = None
    broker_user: str | None = Field(default=None, min_length=1)
    #: The file that has nothing but the password.
    broker_password_file: Path | None = None
    #: The file that has nothing but a token, or the command that prints one.
    broker_token_file: Path | None = None
    broker_token_command: str | None = Field(default=None, min_length=1)

    @field_validator("broker")
    @classmethod
    def _check_broker(cls, value: str) -> str:
        """Refuse what is no address; each part is checked as Kafka's clients will read it."""
        parts = [part.strip() for part in value.split(";")]
        for part in parts:
            found = _BROKER.fullmatch(part)
            if found is None or not 1 <= int(found["port"]) <= 65_535:
                raise ValueError(
                    f"{part!r} is not a broker's address; write kafka://HOST:PORT, "
                    "such as kafka://127.0.0.1:9092, and several with ';' between"
                )
        return ";".join(parts)

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        """Refuse what does not fit together, before anything is asked of Kafka."""
        faults = [*self._needless(), *self._lacking()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def bootstrap(self) -> list[str]:
        """``host:port`` of each broker, as Kafka clients want it."""
        return [part.split("://")[-1].strip("/") for part in self.broker.split(";") if part]

    @property
    def speaks_tls(self) -> bool:
        """Whether what goes to Kafka is encrypted, and Kafka shows a certificate."""
        return self.broker_security in ("tls", "sasl-tls")

    @property
    def logs_in(self) -> bool:
        """Whether Kafka asks for a user, or a token."""
        return self.broker_security in ("sasl-plaintext", "sasl-tls")

    def _needless(self) -> list[str]:
        """Return what is set and would not be looked at: somebody believes that it protects."""
        faults = []
        for is_used, names, why in (
            (self.speaks_tls, _OF_TLS, "tls or sasl-tls"),
            (self.logs_in, _OF_LOGIN, "sasl-tls or sasl-plaintext"),
        ):
            given = [_variable(name) for name in names if getattr(self, name) is not None]
            if given and not is_used:
                faults.append(
                    f"{', '.join(given)} would not be used: set CRONSTREAM_BROKER_SECURITY to "
                    f"{why} (it is {self.broker_security})"
                )
        if self.broker_key and not self.broker_cert:
            faults.append("CRONSTREAM_BROKER_KEY needs CRONSTREAM_BROKER_CERT")
        return faults

    def _lacking(self) -> list[str]:
        security = f"CRONSTREAM_BROKER_SECURITY={self.broker_security}"
        if self.broker_security != "plaintext" and "broker" not in self.model_fields_set:
            return [
                f"{security} needs CRONSTREAM_BROKER: the embedded Kafka speaks plaintext only",
            ]
        if not self.logs_in:
            return []
        if self.broker_mechanism is None:
            return [
                f"{security} needs CRONSTREAM_BROKER_MECHANISM: {', '.join(get_args(Mechanism))}",
            ]
        if self.broker_mechanism == "OAUTHBEARER":
            return self._faults_of_token()
        wanted = {name: getattr(self, name) for name in ("broker_user", "broker_password_file")}
        missing = [_variable(name) for name, value in wanted.items() if value is None]
        mechanism = f"CRONSTREAM_BROKER_MECHANISM={self.broker_mechanism}"
        faults = [f"{mechanism} needs {' and '.join(missing)}"] if missing else []
        if self.broker_token_file or self.broker_token_command:
            faults.append(f"{mechanism} takes a password: a token is for OAUTHBEARER")
        return faults

    def _faults_of_token(self) -> list[str]:
        mechanism = "CRONSTREAM_BROKER_MECHANISM=OAUTHBEARER"
        faults = []
        if (self.broker_token_file is None) == (self.broker_token_command is None):
            faults.append(
                f"{mechanism} needs CRONSTREAM_BROKER_TOKEN_FILE or "
                "CRONSTREAM_BROKER_TOKEN_COMMAND, one of them"
            )
        if self.broker_user or self.broker_password_file:
            faults.append(
                f"{mechanism} takes a token: CRONSTREAM_BROKER_USER and "
                "CRONSTREAM_BROKER_PASSWORD_FILE are for the other mechanisms"
            )
        return faults


_OF_TLS = ("broker_ca", "broker_cert", "broker_key")
_OF_LOGIN = (
    "broker_mechanism",
    "broker_user",
    "broker_password_file",
    "broker_token_file",
    "broker_token_command",
)
