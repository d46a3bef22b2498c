"""Keys for tests, and what is signed with them."""

from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cronstream.core.trust.judging import Judge
from cronstream.core.trust.keys import CAUSES, TrustedKey
from cronstream.core.wire.runs import Job, Run
from cronstream.trust.keyring import verify
from cronstream.trust.signer import SigningKey

SignedT = TypeVar("SignedT", Run, Job)


def a_key(seed: int = 1) -> SigningKey:
    """Return a key, the same for each seed."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def trusted(
    key: SigningKey,
    *causes: str,
    clusters: frozenset[str] | None = None,
    name: str = "",
) -> TrustedKey:
    """Return how a key is trusted: for all causes unless some are named."""
    return TrustedKey(key.id, key.public, frozenset(causes) or CAUSES, clusters, name)


def a_judge(*keys: TrustedKey, requires: bool = False) -> Judge:
    """Return a judge that trusts some keys."""
    return Judge({key.id: key for key in keys}, requires, verify)
