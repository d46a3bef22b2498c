"""Where else an embedded Kafka listens than on the loopback interface, and how it is reached there.

Kafka gives each client, at the listener that it came by, the address that it is to go on with: the
advertised one. So whoever comes from another machine needs a listener with an address that leads
back from there.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cronstream.broker.ports import bind_fault
from cronstream.errors import BrokerError

_ADDRESS = re.compile(r"(\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[\w.-]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; ``str()`` gives ``host:port``, as Kafka writes it."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``HOST:PORT`` says; an IPv6 address stands in brackets.

        Raises:
            ValueError: If it says neither.
        """
        found = _ADDRESS.fullmatch(text)
        if found is None or not 1 <= int(found["port"]) <= 65_535:
            raise ValueError(f"{text!r} is not an address; write HOST:PORT, such as 192.0.2.7:9092")
        return cls(found["v6"] or found["host"], int(found["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_everywhere(self) -> bool:
        """Whether it is each address of a machine, so that clients cannot be sent to it."""
        return _ip(self.host) in (ipaddress.IPv4Address(0), ipaddress.IPv6Address(0))

    @property
    def is_local(self) -> bool:
        """Whether nobody on another machine reaches it."""
        known = _ip(self.host)
        return known.is_loopback if known else self.host == "localhost"


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that Kafka listens at, and the one that its clients are given.

    Attributes:
        protocol: What is spoken there, in Kafka's words; all but plaintext needs properties of its
            own, which only tests set.
    """

    at: Address
    advertised: Address
    protocol: str = "PLAINTEXT"


def pair(listen: Sequence[Address], advertise: Sequence[Address]) -> tuple[Listener, ...]:
    """Return the listeners that were asked for; what is not advertised is given as it is.

    Raises:
        ValueError: If they do not fit together; the sentence says what to give.
    """
    if advertise and len(advertise) != len(listen):
        raise ValueError(
            "give --advertise once for each --listen, in the same order, or not at all"
        )
    listeners = tuple(map(Listener, listen, advertise or listen))
    for listener in listeners:
        if listener.advertised.is_everywhere:
            raise ValueError(
                f"clients cannot be sent to {listener.advertised}: give the name or the address by "
                "which other machines reach this one, --advertise HOST:PORT"
            )
    ports = [listener.at.port for listener in listeners]
    if len(set(ports)) < len(ports):
        raise ValueError("Kafka needs another port for each --listen")
    return listeners


def check_free(listeners: Sequence[Listener]) -> None:
    """Make sure that each address is this machine's, and nobody else's.

    Raises:
        BrokerError: If Kafka could not listen at one.
    """
    for listener in listeners:
        fault = bind_fault(listener.at.host, listener.at.port)
        if fault is not None:
            raise BrokerError(
                f"Kafka cannot listen at {listener.at} ({fault}): give a free port at an address "
                "of this machine with --listen"
            )


def warnings(listeners: Sequence[Listener]) -> list[str]:
    """Return what a person is to know of listeners that others may reach, or cannot reach."""
    lines = []
    open_to_others = [listener for listener in listeners if not listener.at.is_local]
    if open_to_others:
        where = ", ".join(str(listener.at) for listener in open_to_others)
        lines.append(
            f"WARNING: whoever reaches {where} may read and write everything: there is no "
            "password and no encryption yet, so keep it behind a firewall"
        )
    lines += [
        f"WARNING: clients that come by {listener.at} are sent to {listener.advertised}, which "
        "to other machines means themselves: see --advertise"
        for listener in open_to_others
        if listener.advertised.is_local
    ]
    return lines


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
