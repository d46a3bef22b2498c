"""Levels: how old and new processes agree on what a log says.

Every process that folds a log has to say the same, so what one of them would fold and another put
aside may not be on it. The **level** is a whole number, raised when a kind, a field that matters,
or the fold changes. An entry says its level as ``v`` (left out for 1), and `Level` announces on a
partition that entries up to a level may follow. Then

- an entry above the level that its log has announced is refused, by every process alike: by one
  that does not know the level, since it cannot read it, and by one that does, since nothing has
  announced it. So a forged ``v`` hurts nobody;
- an entry is read as its own level has it: kinds and values of a higher one are not known, and
  fields of a higher one have no effect. They are kept, and passed on as they came;
- only a `Level` above what a process knows ends it (`LevelError`): it folds no further;
- a field that nobody but people looks at (`Job.by`, `Job.file`, `Run.by`) is of no level: who does
  not know it passes it on;
- what the fold does otherwise from some level on, it does once that level is announced.

Writers use a higher level only for what needs it. The tables below say what that is.
"""

from typing import Any, Final, TypeVar

from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Finished,
    Repair,
    Settled,
    Skip,
    Skipped,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Cause, Outcome, SkipReason
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.record import Record
from cronstream.core.wire.runs import Job, Run

RecordT = TypeVar("RecordT", bound=Record)

#: The highest level that this version of cronstream knows.
LEVEL: Final = 4
#: Kinds that are newer than level 1.
KINDS: Final[dict[type[Record], int]] = {Installation: 2, House: 2, Repair: 2, Control: 4}
#: Fields that are newer than level 1, by kind. Not of records within records, but for `Run`.
FIELDS: Final[dict[type[Record], dict[str, int]]] = {
    Job: {
        "secrets": 3,
        "confinement": 3,
        "signature": 3,
        "start_within_s": 4,
        "drain_s": 4,
        "missed": 4,
        "max_running": 4,
        "allow_args": 4,
        "allow_env": 4,
        "then": 4,
        "enabled": 4,
        "pause_after": 4,
        "control": 4,
    },
    Run: {
        "background": 2,
        "secrets": 3,
        "confinement": 3,
        "signature": 3,
        "retry_as_of": 3,
        "start_within_s": 4,
        "drain_s": 4,
        "max_running": 4,
        "then": 4,
        "previous": 4,
        "pause_after": 4,
    },
    Withdrawal: {"removed": 2, "paused_to": 4, "with_retries": 4, "lifts": 4},
    Claimed: {"borrowed": 4},
    Finished: {"executor_died": 2},
    Cancelled: {"reason": 2, "by": 2},
    Settled: {"reason": 2, "why": 4},
}
#: Values of an enumeration that are newer than level 1, by kind and field.
VALUES: Final[dict[type[Record], dict[str, dict[str, int]]]] = {
    Run: {"cause": {Cause.BACKFILL.value: 4, Cause.CHAIN.value: 4}},
    Skip: {"reason": {SkipReason.CANCELLED.value: 2}},
    Skipped: {"reason": {SkipReason.CANCELLED.value: 2, SkipReason.LATE.value: 4}},
    Finished: {"outcome": {Outcome.REFUSED.value: 3}},
}

_NOTHING: Final[dict[str, Any]] = {}


def needed_level(record: Any) -> int:
    """Return the level that a log must have announced for this record to count on it."""
    kind, given = type(record), vars(record)
    level: int = max(given.get("v", 1), KINDS.get(kind, 1))
    newer = FIELDS.get(kind, _NOTHING)
    if not newer.keys().isdisjoint(given):
        for name, since in newer.items():
            if name in given and given[name] != getattr(kind, name):
                level = max(level, since)
    for name, values in VALUES.get(kind, _NOTHING).items():
        level = max(level, values.get(given.get(name, ""), 1))
    return level


def lowered(record: RecordT, level: int) -> RecordT:
    """Return the record without the fields that are above `level`, for a log that is there yet.

    A job and a run stay as they are: without a part of it they would be made wrongly.
    """
    if isinstance(record, Job | Run):
        return record
    above = [name for name, since in FIELDS.get(type(record), _NOTHING).items() if since > level]
    if not above or needed_level(record) <= level:
        return record
    return record.derive(**{name: getattr(type(record), name) for name in above})
