"""Jobs and problems for programs, in the words of ``crontab.yaml``: what is read can be written."""

from typing import Any, Final

from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.enumerations import Overlap
from cronstream.core.wire.runs import Backoff, Job, RetryOn
from cronstream.errors import Part, Problem

#: Fields of a record that have another name in the file; lengths of time lose their ``_s``.
_WORDS: Final = {"statuses": "exit_statuses"}
#: What only the topic knows.
_NOT_IN_THE_FILE: Final = frozenset({"effective_from", "removed"})


def job_words(job: Job) -> dict[str, Any]:
    """Return all settings of a job, those it has by default too, under the keys of the file."""
    fields = {name: value for name, value in job.asdict().items() if name not in _NOT_IN_THE_FILE}
    if job.overlap is not Overlap.QUEUE:
        fields["max_queue"] = None  # It means nothing then, and the file may not have it.
    return _words(fields)


def _words(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        _WORDS.get(name, name.removesuffix("_s")): _in_words(name, value)
        for name, value in fields.items()
    }


def _in_words(name: str, value: Any) -> Any:
    if isinstance(value, Backoff | RetryOn):
        return _words(value.asdict())
    if name.endswith("_s") and value is not None:
        return format_duration(value)
    if name == "statuses" and value is None:
        return "all"
    return value


def problem_words(problem: Problem) -> dict[str, str]:
    """Return the job and the key, as the file has them, that a problem is about, if it is."""
    keys = [] if problem.key is None else [problem.key]
    match problem.part:
        case Part("job", str(name)):
            return {"job": name} | _key(keys)
        case Part("cluster", name):
            return _key(["clusters", str(name), *keys])
        case Part("defaults"):
            return _key(["defaults", *keys])
        case _:
            return _key(keys)


def _key(steps: list[str]) -> dict[str, str]:
    return {"key": ".".join(steps)} if steps else {}
