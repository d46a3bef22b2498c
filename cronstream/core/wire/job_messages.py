"""Messages of the ``jobs`` topic.

A message holds one job or a list of several; a job's revision is the offset of its message, and
no job is twice in a message. `Control`, `Level`, `Installation` and `House` may stand between them.
"""

import contextlib
from typing import Any, NamedTuple, TypeVar

import orjson

from cronstream.core.wire.codec import from_json
from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import Level
from cronstream.core.wire.enumerations import HouseState
from cronstream.core.wire.installation import House, Installation
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.record import Record
from cronstream.core.wire.runs import Job
from cronstream.errors import LevelError, MessageError

RecordT = TypeVar("RecordT", bound=Record)

_KINDS = {
    "Job": Job,
    "Level": Level,
    "Installation": Installation,
    "House": House,
    "Control": Control,
}


class Definition(NamedTuple):
    """A job as it was last published."""

    job: Job
    revision: int


def decode_jobs(raw: bytes | None, known: int = LEVEL) -> tuple[list[Job], list[str]]:
    """Return the jobs in a message, and why others in it were refused.

    One bad job among good ones costs only itself.

    Args:
        raw: The message.
        known: The highest level that this process knows.

    Raises:
        LevelError: If the message raises the installation to a level that is not known here.
    """
    if raw is None:
        return [], ["a tombstone (a message without a value)"]
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return [], [f"not JSON: {error}"]
    jobs: list[Job] = []
    refused: list[str] = []
    for item in parsed if isinstance(parsed, list) else [parsed]:
        try:
            job: Job | Control | Level | Installation | House = from_json(item, _KINDS, known)
        except MessageError as error:
            refused.append(str(error))
            continue
        if isinstance(job, Level) and job.level > known:
            raise LevelError(job.level, known, job.version)
        problem = _problem(job) if isinstance(job, Job) else None
        if problem is not None:
            refused.append(problem)
        elif isinstance(job, Job):
            jobs.append(job)
    return jobs, refused


def decode_level(raw: bytes | None, known: int = LEVEL) -> int:
    """Return the level that a message announces; 1 if it announces none.

    Raises:
        LevelError: If it is above what is known here.
    """
    if raw is None or _LEVEL_MARK not in raw:
        return 1  # Most messages are jobs, and may be many: none of them is parsed.
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return 1
    levels = [_level(item) for item in (parsed if isinstance(parsed, list) else [parsed])]
    highest = max(levels, key=lambda found: found.level)
    if highest.level > known:
        raise LevelError(highest.level, known, highest.version)
    return highest.level


_LEVEL_MARK = b"cronstream.Level"


def _level(item: Any) -> Level:
    with contextlib.suppress(MessageError):
        record = from_json(item, _KINDS)
        if isinstance(record, Level):
            return record
    return Level(level=1)


def decode_installations(raw: bytes | None) -> list[Installation]:
    """Return what a message says of which installation this is."""
    return _of_kind(raw, Installation, _INSTALLATION_MARK)


_INSTALLATION_MARK = b"cronstream.Installation"


def decode_house(raw: bytes | None) -> House | None:
    """Return what a message says of whether processes may work here; None if it is another."""
    found = _of_kind(raw, House, _HOUSE_MARK)
    return found[-1] if found else None


_HOUSE_MARK = b"cronstream.House"


def decode_controls(raw: bytes | None) -> list[Control]:
    """Return what a message asks of jobs, or of clusters."""
    return _of_kind(raw, Control, _CONTROL_MARK)


_CONTROL_MARK = b"cronstream.Control"


def _of_kind(raw: bytes | None, kind: type[RecordT], mark: bytes) -> list[RecordT]:
    """Return the records of a kind in a message; most have none, and are not parsed."""
    if raw is None or mark not in raw:
        return []
    found: list[RecordT] = []
    with contextlib.suppress(orjson.JSONDecodeError):
        parsed = orjson.loads(raw)
        for item in parsed if isinstance(parsed, list) else [parsed]:
            with contextlib.suppress(MessageError):
                found.append(from_json(item, {kind.__name__: kind}))
    return found


def closed_because(house: House | None) -> str:
    """Return why nobody may work in an installation; empty if they may."""
    if house is None or house.state is HouseState.OPEN:
        return ""
    if house.state is HouseState.FILLING:
        return (
            f"export {house.export} is being imported here, or its import was broken off: nobody "
            "works here until it is whole; give the same 'cronstream move-in FILE' again"
        )
    return (
        f"this installation has moved: it was exported as {house.export}, and what was live here "
        "goes on where that was imported; start processes there (CRONSTREAM_BROKER). If it was "
        "imported nowhere and is to go on here, say 'cronstream move-out --take-back'"
    )


def foreign_because(begun_on: str | None, here: str | None) -> str:
    """Return why these topics are a copy that nobody may work on; empty if they are none."""
    if None in (begun_on, here) or begun_on == here:
        return ""
    return (
        f"these topics were copied from another Kafka ({begun_on}; this one is {here}), and what "
        "is on them speaks of offsets there: nobody may work on them. To go on here, stop "
        "everything there, 'cronstream move-out' from here, delete the topics of cronstream, and "
        "'cronstream move-in' (docs/moving.md)"
    )


def is_readable(job: Job) -> bool:
    """Whether readers take a job for one that can be."""
    return _problem(job) is None


def _problem(job: Job) -> str | None:
    if job.effective_from is None:
        return f"job {job.name!r} does not say from when it holds (effective_from)"
    if job.max_attempts < 1:
        return f"job {job.name!r} has max_attempts {job.max_attempts}, and no run can have that"
    return None
