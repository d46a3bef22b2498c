"""Whether a run or a job is believed: signed by a key that may ask for it, and not changed since.

This is judged where a run is handed to an executor, and where a scheduler learns of a job; never
in a fold, which has to say the same in every process, whatever keys it has.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from cronstream.core.trust.keys import CONTROL, SCHEDULE, TrustedKey, is_key_id
from cronstream.core.trust.signing import Signed, signed_bytes
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Job, Run
from cronstream.core.wire.values import short

#: Whether a signature is that of a public key for some bytes: ``(public, signature, signed)``.
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]


class Standing(StrEnum):
    """What is thought of a record."""

    TRUSTED = "trusted"
    #: Its key is not known here: perhaps not yet, so it waits.
    UNKNOWN_KEY = "unknown-key"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is thought of a record, and why.

    Attributes:
        reason: A word for figures: ``unsigned``, ``unknown-key``, ``not-allowed``, ``forged``,
            ``too-early`` or ``not-here``; empty for what is trusted.
        why: A sentence for people, likewise.
        key: The id of the key that it names, if it names one.
    """

    standing: Standing = Standing.TRUSTED
    reason: str = ""
    why: str = ""
    key: str = ""


TRUSTED: Final = Judgement()


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges records by the keys that a process trusts.

    Attributes:
        keys: By id.
        requires: Whether what is not signed is refused.
        verify: Computes; it is passed in.
    """

    keys: Mapping[str, TrustedKey]
    requires: bool
    verify: Verify

    def judge(self, record: Signed) -> Judgement:
        """Return what is thought of a run, a job or a control."""
        if record.signature is None:
            return _refused("unsigned", "it is not signed") if self.requires else TRUSTED
        name, _, signature = record.signature.partition(":")
        key = self.keys.get(name)
        if key is None:
            return _stranger(name)
        if fault := _not_allowed(key, record):
            return _refused("not-allowed", fault, name)
        if not self._fits(key, signature, record):
            why = f"its signature by key {key} does not fit: what was signed was changed"
            return _refused("forged", why, name)
        if isinstance(record, Run) and record.not_before < record.scheduled_at:
            return _refused("too-early", "it is to start before its due time", name)
        return TRUSTED

    def _fits(self, key: TrustedKey, signature: str, record: Signed) -> bool:
        try:
            raw = base64.b64decode(signature, validate=True)
        except ValueError:
            return False
        return self.verify(key.public, raw, signed_bytes(record))


def _stranger(name: str) -> Judgement:
    if not is_key_id(name):
        return _refused("forged", f"no key is called {short(name)}: its signature is none")
    why = f"its key {short(name)} is not among the trusted ones"
    return Judgement(Standing.UNKNOWN_KEY, "unknown-key", why, name)


def _refused(reason: str, why: str, key: str = "") -> Judgement:
    return Judgement(Standing.REFUSED, reason, why, key)


def _not_allowed(key: TrustedKey, record: Signed) -> str:
    asked = _cause_of(record)
    # Whoever may ask for a run may ask for what follows it.
    if asked not in key.causes and asked != Cause.CHAIN:
        return f"key {key} may not sign what has the cause {asked}"
    if key.clusters is not None and record.cluster not in key.clusters:
        return f"key {key} may not sign for {record.cluster}"
    return ""


def _cause_of(record: Signed) -> str:
    """Return what a key has to be allowed to ask for."""
    if isinstance(record, Control):
        return CONTROL
    return SCHEDULE if isinstance(record, Job) or record.cause is None else record.cause.value
