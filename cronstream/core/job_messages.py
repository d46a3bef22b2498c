"""Messages of the ``jobs`` topic.

A message holds one job or a list of several; a job's revision is the offset of its message, and
no job is twice in a message. `Level` and `Installation` may stand between them.
"""

import contextlib
from typing import Any, NamedTuple

import orjson

from cronstream.core.codec import decode, from_json
from cronstream.core.levels import LEVEL
from cronstream.core.records import Installation, Job, Level
from cronstream.errors import LevelError, MessageError

_KINDS = {"Job": Job, "Level": Level, "Installation": Installation}


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
            job: Job | Level | Installation = from_json(item, _KINDS, known)
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


def decode_installation(raw: bytes | None) -> str | None:
    """Return the id of the installation if a message has it."""
    if raw is None or _INSTALLATION_MARK not in raw:
        return None
    try:
        return decode(raw, Installation).id
    except MessageError:
        return None


_INSTALLATION_MARK = b"cronstream.Installation"


def _problem(job: Job) -> str | None:
    if job.effective_from is None:
        return f"job {job.name!r} does not say from when it holds (effective_from)"
    if job.max_attempts < 1:
        return f"job {job.name!r} has max_attempts {job.max_attempts}, and no run can have that"
    return None
