"""Keys as they are written down: who is trusted, for what.

A file of trusted keys has a line for each: its id, the public key in base64, what it may ask for,
for which clusters, and the name of whoever has it::

    # id             public key     causes            clusters             who
    8c1f0a52e4b7d903 MCowBQYDK2…=   schedule          *                    scheduler
    41d7…            MCow…=         run-now,replay    cluster-a,cluster-b  alice

A key's id is made from the key (`key_id`), so that no two keys have one.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.naming import cluster_problem
from cronstream.errors import KeysError

#: What a key may ask for: what the schedule asks for, with the jobs themselves, or a cause.
SCHEDULE: Final = "schedule"
#: To pause jobs, and to resume them.
CONTROL: Final = "control"
CAUSES: Final = frozenset({SCHEDULE, CONTROL, *(cause.value for cause in Cause)})
_EVERY: Final = "*"
#: Bytes of an ed25519 public key (RFC 8032).
PUBLIC_BYTES: Final = 32
_ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that is believed.

    Attributes:
        id: As signatures name it.
        public: The raw public key, 32 bytes.
        causes: What it may ask for, of `CAUSES`.
        clusters: Where; None for every cluster.
        name: Of who has it, for people.
    """

    id: str
    public: bytes
    causes: frozenset[str]
    clusters: frozenset[str] | None = None
    name: str = ""

    def __str__(self) -> str:
        """The words people read: ``8c1f0a52e4b7d903 (alice)``."""
        return f"{self.id} ({self.name})" if self.name else self.id

    def line(self) -> str:
        """Return its line in a file of trusted keys."""
        causes = _EVERY if self.causes == CAUSES else ",".join(sorted(self.causes))
        clusters = _EVERY if self.clusters is None else ",".join(sorted(self.clusters))
        public = base64.b64encode(self.public).decode()
        return f"{self.id} {public} {causes} {clusters} {self.name}".rstrip()


def key_id(public: bytes) -> str:
    """Return the id of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:_ID_DIGITS]


def is_key_id(text: str) -> bool:
    """Whether a key can have this id, trusted or not."""
    return len(text) == _ID_DIGITS and set(text) <= set("0123456789abcdef")


def parse_trusted(text: str) -> Mapping[str, TrustedKey]:
    """Return the keys that a file of trusted keys has, by id.

    Raises:
        KeysError: If a line cannot be read; the sentence names the line and the remedy.
    """
    found: dict[str, TrustedKey] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            key = _parse_line(line)
        except KeysError as error:
            raise KeysError(f"line {number}: {error}") from error
        if key.id in found:
            raise KeysError(f"line {number}: key {key.id} stands there twice; delete one line")
        found[key.id] = key
    return found


def _parse_line(line: str) -> TrustedKey:
    parts = line.split(maxsplit=4)
    if len(parts) < 4:
        raise KeysError(
            "write ID PUBLIC-KEY CAUSES CLUSTERS [NAME], as 'cronstream keys new' prints it"
        )
    identity, public, causes, clusters, *name = parts
    try:
        raw = base64.b64decode(public, validate=True)
    except ValueError as error:  # Letters beyond ASCII are none of `binascii.Error`.
        raise KeysError(f"the public key is not base64 ({error})") from error
    if len(raw) != PUBLIC_BYTES:
        raise KeysError(f"an ed25519 public key has 32 bytes, and this {len(raw)}")
    if identity != key_id(raw):
        raise KeysError(
            f"the id of this key is {key_id(raw)}, not {identity}: the line was changed, or put "
            "together from two"
        )
    return TrustedKey(identity, raw, parse_causes(causes), parse_clusters(clusters), " ".join(name))


def parse_causes(text: str) -> frozenset[str]:
    """Return what a key may ask for, from names with commas between, or ``*`` for all.

    Raises:
        KeysError: If one is no cause.
    """
    if text == _EVERY:
        return CAUSES
    found = frozenset(text.split(","))
    if unknown := sorted(found - CAUSES):
        known = ", ".join(sorted(CAUSES))
        raise KeysError(f"{unknown[0]!r} is no cause; there are {known}, and *")
    return found


def parse_clusters(text: str) -> frozenset[str] | None:
    """Return for which clusters a key may ask, likewise; None for every cluster.

    Raises:
        KeysError: If one cannot be a cluster's name.
    """
    if text == _EVERY:
        return None
    found = frozenset(text.split(","))
    for name in sorted(found):
        if problem := cluster_problem(name):
            raise KeysError(problem)
    return found
