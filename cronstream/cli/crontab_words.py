"""Jobs and problems for programs, in the words of ``crontab.yaml``: what is read can be written."""

import re
from typing import Any, Final

from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.enumerations import Overlap
from cronstream.core.wire.runs import Backoff, Job, RetryOn

#: Fields of a record that have another name in the file; lengths of time lose their ``_s``.
_WORDS: Final = {"statuses": "exit_statuses"}
#: What only the topic knows.
_NOT_IN_THE_FILE: Final = frozenset({"effective_from", "removed"})
#: How a problem begins that is about a job, or about what all of them have; and then a key.
_ABOUT: Final = re.compile(
    r"(?:job '(?P<job>[^']*)'|(?P<defaults>defaults)): "
    r"(?:key '(?P<unknown>[\w.-]+)'|(?P<key>[\w.]+))"
)


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


def problem_words(sentence: str) -> dict[str, str]:
    """Return the job and the key, as the file has them, that a problem is about, if it says so."""
    about = _ABOUT.match(sentence)
    if about is None:
        return {}
    found = {} if about["job"] is None else {"job": about["job"]}
    key = about["unknown"] or about["key"]
    if about["unknown"] or key.partition(".")[0] in _KEYS:
        found["key"] = f"defaults.{key}" if about["defaults"] else key
    return found


_KEYS: Final = frozenset(job_words(Job(name="", cluster="", schedule="", timezone="", command="")))
