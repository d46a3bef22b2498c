"""Whether a job fits in the messages that its definition and its runs go in."""

from collections.abc import Mapping

from cronstream.core.crontab.faults import Fault
from cronstream.core.wire.codec import encode
from cronstream.core.wire.runs import Job
from cronstream.core.wire.sizes import MAX_JOB_BYTES, json_bytes

#: The most bytes that a character takes in JSON.
_MOST_FOR_ONE = 6
#: More than all else of a job takes: names of fields, numbers, 255 exit statuses.
_REST_BYTES = 10_000


def size_fault(job: Job) -> Fault | None:
    """Return what is wrong with a job that is too large, at the largest of its settings."""
    texts = _texts(job)
    if _MOST_FOR_ONE * sum(map(len, texts.values())) + _REST_BYTES <= MAX_JOB_BYTES:
        return None
    size = len(encode(job))
    if size <= MAX_JOB_BYTES:
        return None
    sizes = {name: json_bytes(text) for name, text in texts.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    sentence = (
        f"it takes {size:,} bytes in a message, {sizes[largest]:,} of them for {largest}, and a "
        f"job may take {MAX_JOB_BYTES:,}; put what is large in a file, and read that"
    )
    return Fault((largest,), sentence)


def _texts(job: Job) -> Mapping[str, str]:
    """Return the texts of a job by the names of the settings that they come from."""
    command = job.command if isinstance(job.command, str) else "".join(job.command)
    env = "".join(name + text for name, text in ((job.env or {}) | (job.secrets or {})).items())
    return {
        "env": env,
        "command": command,
        "cwd": job.cwd or "",
        "schedule": job.schedule,
        "description": job.description or "",
    }
