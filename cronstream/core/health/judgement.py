"""A judgement on a process: whether it does its work, and if not, what that is about."""

from dataclasses import dataclass
from typing import Final

from cronstream.core.wire.naming import RoleKind


@dataclass(frozen=True, slots=True)
class Health:
    """A judgement.

    Attributes:
        reason: One clause that says what is wrong; empty if nothing is.
        ends: Whether the process is to end itself if this lasts.
        subject: What it is about: one of `subjects`; empty if nothing is wrong.
    """

    ok: bool
    reason: str = ""
    ends: bool = False
    subject: str = ""


HEALTHY = Health(ok=True)

#: What is judged of every process, causes before their consequences; of a scheduler; of a worker.
_OF_ALL: Final = (
    *("starting", "stopping", "rights", "broker", "consumer", "group", "rebalance", "restoring"),
    *("clock", "publishing", "unowned"),
)
_OF_SCHEDULERS: Final = ("ticks", "shards")
_OF_WORKERS: Final = ("task", "executor", "turning", "ready", "unread", "truncated")


def subjects(kind: RoleKind) -> tuple[str, ...]:
    """Return what is judged of a process of some kind: what a `Health` may be about."""
    of_role = _OF_SCHEDULERS if kind is RoleKind.SCHEDULER else _OF_WORKERS
    return (*_OF_ALL, *of_role)


def ending(subject: str, reason: str) -> Health:
    """Return what the end of the process may mend."""
    return Health(ok=False, reason=reason, ends=True, subject=subject)


def lasting(subject: str, reason: str) -> Health:
    """Return what the process outlives: a restart would not mend it."""
    return Health(ok=False, reason=reason, subject=subject)
