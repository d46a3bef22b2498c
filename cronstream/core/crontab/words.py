"""Jobs and problems for programs, in the words of ``crontab.yaml``: what is read can be written."""

from collections.abc import Iterable
from typing import Any, Final

from cronstream.core.crontab.change import Difference
from cronstream.core.schedule.duration import format_duration
from cronstream.core.schedule.rules import Rules
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.enumerations import Overlap
from cronstream.core.wire.runs import Backoff, Job, Ping, RetryOn, Then
from cronstream.core.wire.variables import Secret
from cronstream.errors import Part, Problem

#: Fields of a record that have another name in the file; lengths of time lose their ``_s``.
_WORDS: Final = {"statuses": "exit_statuses"}
#: What only the topic knows.
_NOT_IN_THE_FILE: Final = frozenset(
    {"by", "control", "effective_from", "file", "line", "removed", "signature"}
)


def job_words(job: Job) -> dict[str, Any]:
    """Return all settings of a job, those it has by default too, under the keys of the file."""
    fields = {name: value for name, value in job.asdict().items() if name not in _NOT_IN_THE_FILE}
    if job.overlap is not Overlap.QUEUE:
        fields["max_queue"] = None  # It means nothing then, and the file may not have it.
    if job.overlap not in (Overlap.SKIP, Overlap.QUEUE):
        fields["max_running"] = None
    fields["then"] = _following(job.then or ()) or None
    secrets = fields.pop("secrets") or {}
    named = {name: _place(text) for name, text in secrets.items()}
    fields["env"] = {**(fields["env"] or {}), **named} or None
    confinement = fields.pop("confinement") or Confinement()
    return {**_words(fields), **_due_words(job.schedule), **_confined(confinement)}


def _due_words(schedule: str) -> dict[str, Any]:
    """Return what says when a job is due, under the keys of the file."""
    rules = Rules.parse(schedule)
    first, *others = rules.expressions
    return {
        "schedule": [first, *others] if others else first,
        "exclude": list(rules.exclude) or None,
        "start": rules.start or None,
        "end": rules.end or None,
        "dst": rules.dst,
        "jitter": rules.jitter or None,
    }


def difference_words(one: Difference) -> dict[str, Any]:
    """Return in what a key of a job differs; of variables the names only."""
    if one.variables:
        return {"key": one.key, "variables": one.variables}
    return {"key": one.key, "was": one.before, "is": one.after}


def _place(text: str) -> dict[str, str]:
    """Return where a secret is, as the file has it."""
    secret = Secret.of(text)
    return {secret.kind: secret.place}


def _confined(of: Confinement) -> dict[str, Any]:
    limits = {
        "cpu": of.cpu_s,
        "memory": of.memory_bytes,
        "files": of.files,
        "file_size": of.file_bytes,
        "processes": of.processes,
    }
    return {
        "user": of.user,
        "umask": None if of.umask is None else f"{of.umask:03o}",
        "limits": {name: most for name, most in limits.items() if most is not None} or None,
    }


def _words(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        _WORDS.get(name, name.removesuffix("_s")): _in_words(name, value)
        for name, value in fields.items()
    }


def _in_words(name: str, value: Any) -> Any:
    if isinstance(value, Backoff | RetryOn):
        return _words(value.asdict())
    if name in ("on_success", "on_discard") and value is not None:
        return _place(value)
    if isinstance(value, Ping):
        return {kind: _place(text) for kind, text in value.asdict().items() if text}
    if name.endswith("_s") and value is not None:
        return format_duration(value)
    if name == "statuses" and value is None:
        return "all"
    return value


def _following(then: Iterable[Then]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in then:
        found.setdefault(one.on.value, []).append(one.job.name)
    return found


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
