"""Messages of the ``jobs`` topic, and the definitions that they add up to.

A message holds one job or a list of several; a job's revision is the offset of its message, and
no job is twice in a message.
"""

from typing import NamedTuple

import orjson

from cronstream.core.codec import from_json
from cronstream.core.records import Job
from cronstream.errors import MessageError


class Definition(NamedTuple):
    """A job as it was last published."""

    job: Job
    revision: int


def decode_jobs(raw: bytes | None) -> tuple[list[Job], list[str]]:
    """Return the jobs in a message, and why others in it were refused.

    One bad job among good ones costs only itself; nothing is raised.
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
            job: Job = from_json(item, {"Job": Job})
        except MessageError as error:
            refused.append(str(error))
            continue
        problem = _problem(job)
        if problem is None:
            jobs.append(job)
        else:
            refused.append(f"job {job.name!r} {problem}")
    return jobs, refused


def _problem(job: Job) -> str | None:
    if job.effective_from is None:
        return "does not say from when it holds (effective_from)"
    if job.max_attempts < 1:
        return f"has max_attempts {job.max_attempts}, and no run can have that"
    return None


class Definitions:
    """What the ``jobs`` topic says of each job, for those who need only the last word."""

    def __init__(self) -> None:
        self._last: dict[str, Definition] = {}

    def take(self, revision: int, raw: bytes | None) -> None:
        """Take one message; what cannot be read is passed over (the scheduler puts it aside)."""
        for job in decode_jobs(raw)[0]:
            self._last[job.name] = Definition(job, revision)

    @property
    def jobs(self) -> list[Job]:
        """The jobs that have not been removed."""
        return [last.job for last in self._last.values() if not last.job.removed]

    def find(self, name: str) -> Definition | None:
        """Return a job with its revision, or None if there is none of that name."""
        last = self._last.get(name)
        return None if last is None or last.job.removed else last
