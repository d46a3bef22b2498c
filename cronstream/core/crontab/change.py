"""What differs between two crontabs, and how people are told."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.runs import Backoff, Job, RetryOn

#: The fields that make a job what it is, as the Record and as the file calls them: not since when.
_FIELDS: Final = {
    "cluster": "cluster",
    "schedule": "schedule",
    "timezone": "timezone",
    "command": "command",
    "max_attempts": "max_attempts",
    "backoff": "backoff",
    "retry_on": "retry_on",
    "timeout_s": "timeout",
    "grace_s": "grace",
    "env": "env",
    "cwd": "cwd",
    "delivery": "delivery",
    "overlap": "overlap",
    "max_queue": "max_queue",
    "fence": "fence",
    "background": "background",
    "missed_grace_s": "missed_grace",
    "description": "description",
}
_definition = attrgetter(*_FIELDS)
#: No value is told at greater length.
_MAX_SHOWN = 60
#: No more jobs are named.
_MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Change:
    """The way from one set of jobs to another, each in the order of the crontab it stands in.

    Attributes:
        changed: The jobs as they are now; `before` has what each was, in the same order.
    """

    added: tuple[Job, ...] = ()
    removed: tuple[Job, ...] = ()
    changed: tuple[Job, ...] = ()
    before: tuple[Job, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def compare(old: Iterable[Job], new: Iterable[Job]) -> Change:
    """Return what has to be done to get from `old` to `new`, job by job, by name.

    Since when a definition holds makes no difference, and a job that is marked as removed is
    none.
    """
    former = {job.name: job for job in old if not job.removed}
    now = {job.name: job for job in new if not job.removed}
    both = [
        (former[name], job)
        for name, job in now.items()
        if name in former and _definition(former[name]) != _definition(job)
    ]
    return Change(
        added=tuple(job for name, job in now.items() if name not in former),
        removed=tuple(job for name, job in former.items() if name not in now),
        changed=tuple(job for _, job in both),
        before=tuple(job for job, _ in both),
    )


def without(change: Change, clusters: Collection[str]) -> Change:
    """Return the change without what it would put in force on some clusters."""
    both = zip(change.before, change.changed, strict=True)
    kept = [(before, job) for before, job in both if job.cluster not in clusters]
    return Change(
        added=tuple(job for job in change.added if job.cluster not in clusters),
        removed=change.removed,
        changed=tuple(job for _, job in kept),
        before=tuple(before for before, _ in kept),
    )


def missing(old: Iterable[Job], new: Iterable[Job]) -> str:
    """Return which jobs are no longer there, as ``2 of its jobs (a, b)``; empty if all are."""
    removed = compare(old, new).removed
    names = ", ".join(job.name for job in removed[:_MAX_NAMED])
    more = ", …" if len(removed) > _MAX_NAMED else ""
    return f"{len(removed)} of its jobs ({names}{more})" if removed else ""


def describe(change: Change) -> list[str]:
    """Return one line for each job: what was added, then removed, then changed.

    The values of environment variables are left out: there are secrets among them.
    """
    return [
        *(f"job {job.name} added ({job.cluster}, {job.schedule})" for job in change.added),
        *(f"job {job.name} removed" for job in change.removed),
        *(
            f"job {after.name}: {', '.join(_differences(before, after))}"
            for before, after in zip(change.before, change.changed, strict=True)
        ),
    ]


def _differences(before: Job, after: Job) -> list[str]:
    if before.timezone != after.timezone:
        # Its command is told of it by TZ, which needs no word of its own.
        before, after = _without_zone(before), _without_zone(after)
    pairs = zip(_FIELDS.items(), _definition(before), _definition(after), strict=True)
    return [
        _env_difference(old or {}, new or {})
        if field == "env"
        else f"{name} {_shown(field, old)} → {_shown(field, new)}"
        for (field, name), old, new in pairs
        if old != new
    ]


def _without_zone(job: Job) -> Job:
    env = {name: text for name, text in (job.env or {}).items() if name != "TZ"}
    return job.derive(env=env or None)


def _env_difference(old: dict[str, str], new: dict[str, str]) -> str:
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return f"env changed ({', '.join(names)})"


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "none"
    if field.endswith("_s"):
        return format_duration(value)
    if isinstance(value, Backoff):
        first, ceiling = format_duration(value.first_s), format_duration(value.ceiling_s)
        return f"{first} times {value.factor:g} up to {ceiling}, jitter {value.jitter:g}"
    if isinstance(value, RetryOn):
        statuses = "all" if value.statuses is None else f"{value.statuses}"
        return f"statuses {statuses}, timeouts {str(value.timeouts).lower()}"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, int) else repr(getattr(value, "value", value))
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def count(change: Change) -> str:
    """Return how many jobs of each kind it has: ``2 added, 1 removed``."""
    counts = [
        (len(change.added), "added"),
        (len(change.changed), "changed"),
        (len(change.removed), "removed"),
    ]
    return ", ".join(f"{number} {what}" for number, what in counts if number)
