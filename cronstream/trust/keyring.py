"""Whom this process trusts, as its file of trusted keys says now."""

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cronstream.core.trust.judging import TRUSTED, Judge, Judgement, Standing
from cronstream.core.trust.keys import TrustedKey, parse_trusted
from cronstream.core.trust.signing import Signed
from cronstream.core.wire.control import Control
from cronstream.core.wire.runs import Job
from cronstream.errors import KeysError
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.trust.key_file import KeyFile

logger = logging.getLogger(__name__)

#: An attempt is judged when it is claimed, and again when it is handed over: once is computed.
_REMEMBERED = 4096


class Keyring:
    """The keys that a process trusts; without a file of them it judges nothing.

    Raises:
        KeysError: If there is a file, and it cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._file: KeyFile | None = None
        self._requires = settings.signatures == "require"
        self._judge: Judge | None = None
        if settings.trusted_keys is not None:
            self._file = KeyFile("CRONSTREAM_TRUSTED_KEYS", settings.trusted_keys)
            self._read(self._file)

    @property
    def ids(self) -> list[str] | None:
        """The ids of the keys that it trusts; None if it judges nothing."""
        return None if self._judge is None else sorted(self._judge.keys)

    @property
    def keys(self) -> Mapping[str, TrustedKey]:
        """The keys that it trusts, by id."""
        return {} if self._judge is None else self._judge.keys

    def judge(self, record: Signed) -> Judgement:
        """Return what is thought of a run or a job."""
        return TRUSTED if self._judge is None else self._judge.judge(record)

    def believes(self, job: Job | Control) -> bool:
        """Whether a job on the topic counts."""
        return self.judge(job).standing is Standing.TRUSTED

    def refresh(self) -> bool:
        """Read the file again if it has changed; return whether other keys are trusted now.

        What cannot be used is logged, and the keys before it stay in force.
        """
        if self._file is None:
            return False
        before = self.keys
        try:
            self._read(self._file)
        except KeysError as error:
            text = "%s; the %d keys that were trusted before stay in force"
            logger.error(text, error, len(before), extra=fields("keys-refused"))
            return False
        if self.keys == before:
            return False
        text, about = "%d keys are trusted from now on", fields("keys-changed")
        logger.info(text, len(self.keys), extra=about)
        return True

    def _read(self, file: KeyFile) -> None:
        raw = file.read_if_changed()
        if raw is None:
            return
        try:
            keys = parse_trusted(raw.decode())
        except UnicodeDecodeError as error:
            raise file.fault("is no text in UTF-8") from error
        except KeysError as error:
            raise file.fault(f"cannot be used: {error}") from error
        if not keys:
            raise file.fault("has no key in it: nothing would be trusted")
        self._judge = Judge(keys, self._requires, verify)


def judge_for_command(settings: Settings) -> Callable[[Signed], Judgement]:
    """Return what judges what a command has read and is about to ask for.

    With a key of its own it signs that as the person's: so nothing is signed unseen that nobody
    has signed before, whatever this process takes otherwise.
    """
    keyring = Keyring(settings)
    if settings.signing_key is None:
        return keyring.judge
    return Judge(keyring.keys, requires=True, verify=verify).judge


@lru_cache(maxsize=_REMEMBERED)
def verify(public: bytes, signature: bytes, signed: bytes) -> bool:
    """Return whether an ed25519 signature (RFC 8032) is that of a public key for some bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True
