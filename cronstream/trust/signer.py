"""What this process signs with, and whether it does: nobody signs what not all would believe."""

import base64
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from cronstream.core.health.presence import Presence
from cronstream.core.health.trusted import why_not_to_sign
from cronstream.core.trust.keys import TrustedKey, key_id
from cronstream.core.trust.signing import signed_bytes
from cronstream.core.wire.codec import build, to_json
from cronstream.core.wire.control import Control
from cronstream.core.wire.runs import Job, Run
from cronstream.errors import KeysError
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.trust.key_file import KeyFile

logger = logging.getLogger(__name__)

MessageT = TypeVar("MessageT")


class SigningKey:
    """A private key.

    Attributes:
        id: As signatures name it.
        public: The raw public key, 32 bytes.
    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, record: MessageT) -> MessageT:
        """Return a run, a job or a control with a signature; all else, or what has one, as it is.

        It is signed as it will be read: a number may have another type there.
        """
        if not isinstance(record, Run | Job | Control) or record.signature is not None:
            return record
        whole: Run | Job | Control = record
        if isinstance(whole, Run) and whole.then:
            then = [one.derive(run=self.sign(one.run)) for one in whole.then]
            whole = whole.derive(then=then)
        as_read = build(type(whole), orjson.loads(orjson.dumps(to_json(whole))))
        made = base64.b64encode(self._private.sign(signed_bytes(as_read))).decode()
        signed: Any = as_read.derive(signature=f"{self.id}:{made}")
        return cast("MessageT", signed)


class Signer:
    """Signs what this process asks for, once all believe it; without a key it signs nothing.

    Args:
        settings: They name the file of the key.
        at_once: Sign from the start, as a command does, which looks before whether it is believed.

    Raises:
        KeysError: If there is a key, and it cannot be used.
    """

    def __init__(self, settings: Settings, *, at_once: bool = False) -> None:
        self._file: KeyFile | None = None
        self._new: SigningKey | None = None
        self._why_not = ""
        #: What it signs with now.
        self.key: SigningKey | None = None
        if settings.signing_key is not None:
            self._file = KeyFile("CRONSTREAM_SIGNING_KEY", settings.signing_key, is_secret=True)
            self._new = _read(self._file)
        if at_once:
            self.key = self._new

    def sign(self, record: MessageT) -> MessageT:
        """Return a run or a job signed, if this process signs; anything else as it is."""
        return record if self.key is None else self.key.sign(record)

    def lacks(self, trusted: Mapping[str, TrustedKey], wanted: Iterable[str]) -> str:
        """Return what of some causes the key in the file may not ask for; empty if it may, all."""
        key = trusted.get(self._new.id) if self._new is not None else None
        return "" if key is None else ", ".join(sorted(set(wanted) - key.causes))

    @property
    def id(self) -> str | None:
        """The id of the key that it signs with; None if it does not sign."""
        return None if self.key is None else self.key.id

    @property
    def warning(self) -> str:
        """Why it does not sign with the key that it has; empty if it does, or has none."""
        return self._why_not

    def heed(self, present: Iterable[Presence]) -> bool:
        """Sign with the key in the file once all that are there trust it; until then as before.

        Returns:
            Whether it signs with another one from now on.
        """
        self._refresh()
        if self._new is None or self._new is self.key:
            self._why_not = ""
            return False
        why_not = why_not_to_sign(self._new.id, present, self.id)
        if why_not and why_not != self._why_not:
            logger.warning("%s", why_not, extra=fields("not-signing"))
        self._why_not = why_not
        if not why_not:
            self.key = self._new
            text, about = "what this process publishes is signed by key %s", fields("signing")
            logger.info(text, self._new.id, extra=about)
        return not why_not

    def _refresh(self) -> None:
        if self._file is None:
            return
        try:
            self._new = _read(self._file) or self._new
        except KeysError as error:
            text, about = "%s; the key before it stays in use", fields("keys-refused")
            logger.error(text, error, extra=about)


def _read(file: KeyFile) -> SigningKey | None:
    """Return the key that is in a file, if that may be another one than the last time."""
    raw = file.read_if_changed()
    return None if raw is None else _parse(raw, file)


def _parse(raw: bytes, file: KeyFile) -> SigningKey:
    private: Any = None
    try:
        private = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError) as error:
        raise file.fault(f"has no private key in PEM: {_REMEDY}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise file.fault(f"has a key of another kind than ed25519: {_REMEDY}")
    return SigningKey(private)


_REMEDY = "make one with 'cronstream keys new'"


def new_key(path: Path) -> SigningKey:
    """Make a private key, and write it to a file that only its owner may read.

    Raises:
        KeysError: If there is such a file already, or it cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(pem)
    except FileExistsError as error:
        raise KeysError(f"{path} is there already: a key is never written over") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise KeysError(f"{path} cannot be written ({reason})") from error
    return SigningKey(private)
