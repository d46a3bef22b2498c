"""What differs between two crontabs, and how people are informed."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

from cronstream.core.crontab.following import fingerprint, shown
from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.control import Control
from cronstream.core.wire.runs import Backoff, Job, Ping, RetryOn
from cronstream.core.wire.times import format_time

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
    "drain_s": "drain",
    "env": "env",
    "secrets": "env",
    "cwd": "cwd",
    "confinement": "user, umask, limits",
    "delivery": "delivery",
    "overlap": "overlap",
    "max_queue": "max_queue",
    "max_running": "max_running",
    "fence": "fence",
    "allow_args": "allow_args",
    "allow_env": "allow_env",
    "background": "background",
    "missed_grace_s": "missed_grace",
    "missed": "missed",
    "start_within_s": "start_within",
    "expect_within_s": "expect_within",
    "ping": "ping",
    "on_success": "on_success",
    "on_discard": "on_discard",
    "then": "then",
    "description": "description",
    "enabled": "enabled",
    "pause_after": "pause_after",
    "control": "paused",
}
#: Fields of a confinement that the file calls otherwise.
_WORDS: Final = {"cpu_s": "cpu", "memory_bytes": "memory", "file_bytes": "file_size"}
_definition = attrgetter(*_FIELDS)
#: No value is shown at greater length.
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

    @property
    def names(self) -> set[str]:
        """The names of all jobs that are not the same."""
        return {job.name for job in [*self.added, *self.changed, *self.removed]}

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class Difference(NamedTuple):
    """One key of a job that is not the same, with what it says, as people read it.

    Attributes:
        key: As the file has it.
        before: None where it is about variables, whose values nobody is shown; likewise `after`.
        variables: The names of those that are not the same.
    """

    key: str
    before: str | None = None
    after: str | None = None
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.variables:
            return f"{self.key} changed ({', '.join(self.variables)})"
        return f"{self.key} {self.before} → {self.after}"


def compare(old: Iterable[Job], new: Iterable[Job]) -> Change:
    """Return what has to be done to get from `old` to `new`, job by job, by name.

    Since when a definition holds makes no difference, and a job that is marked as removed is
    none. What a person has asked of a job stays: no crontab says anything of that.
    """
    old, new = list(old), list(new)
    both_have = set(map(id, old)).intersection(map(id, new))  # Of 100,000 jobs most are the same.
    former = {job.name: job for job in old if id(job) not in both_have and not job.removed}
    now = {job.name: job for job in new if id(job) not in both_have and not job.removed}
    both = [
        (former[name], job)
        for name, job in ((name, _kept(former.get(name), job)) for name, job in now.items())
        if name in former and _definition(former[name]) != _definition(job)
    ]
    return Change(
        added=tuple(job for name, job in now.items() if name not in former),
        removed=tuple(job for name, job in former.items() if name not in now),
        changed=tuple(job for _, job in both),
        before=tuple(job for job, _ in both),
    )


def _kept(before: Job | None, after: Job) -> Job:
    if before is None or before.control is None or after.control is not None:
        return after
    return after.derive(control=before.control)


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
    there = {job.name for job in new}
    removed = [job for job in old if job.name not in there]
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
            f"job {after.name}: {', '.join(map(str, differences(before, after)))}"
            for before, after in zip(change.before, change.changed, strict=True)
        ),
    ]


def describe_some(change: Change, most: int) -> list[str]:
    """Return at most so many lines of `describe`, of which the last says how many more there are.

    A change of 100,000 jobs costs no more than one of a few.
    """
    count = len(change.added) + len(change.removed) + len(change.changed)
    some = Change(*(jobs[:most] for jobs in (change.added, change.removed, change.changed)))
    lines = describe(replace(some, before=change.before[:most]))
    if count <= most:
        return lines
    return [*lines[: most - 1], f"and {count - most + 1} more jobs"]


def differences(before: Job, after: Job) -> list[Difference]:
    """Return in what two definitions of a job differ; of variables only the names are said."""
    if before.timezone != after.timezone:
        # Its command learns it from TZ, which needs no word of its own.
        before, after = _without_zone(before), _without_zone(after)
    before, after = _with_secrets(before), _with_secrets(after)
    pairs = zip(_FIELDS.items(), _definition(before), _definition(after), strict=True)
    return [
        Difference(name, variables=_unlike(old or {}, new or {}))
        if field == "env"
        else Difference(name, _shown(field, old), _shown(field, new))
        for (field, name), old, new in pairs
        if old != new
    ]


def _without_zone(job: Job) -> Job:
    env = {name: text for name, text in (job.env or {}).items() if name != "TZ"}
    return job.derive(env=env or None)


def _with_secrets(job: Job) -> Job:
    """Return a job whose variables are all in one place, as they are in the file."""
    named = {name: f"\0{place}" for name, place in (job.secrets or {}).items()}
    return job.derive(env={**(job.env or {}), **named} or None, secrets=None)


def _unlike(old: dict[str, str], new: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "no" if field == "control" else "none"
    if field == "then":
        return f"{'; '.join(shown(value))} [{fingerprint(value)}]"
    if field.endswith("_s"):
        return format_duration(value)
    if isinstance(value, Backoff | RetryOn | Confinement | Ping | Control):
        return pause_words(value) if isinstance(value, Control) else _record_shown(value)
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, int) else repr(getattr(value, "value", value))
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def pause_words(control: Control | None) -> str:
    """Return who has paused a job, why and until when; ``no`` if it is not paused."""
    if control is None or not control.is_pause:
        return f"no (resumed by {control.by})" if control else "no"
    until = f" until {format_time(control.until)}" if control.until else ""
    with_retries = ", with its later attempts" if control.retries else ""
    where = f" with its cluster {control.cluster}" if control.job is None else ""
    since = format_time(control.at.replace(microsecond=0))
    why = f" ({control.reason})" if control.reason else ""
    lifted = control.resumed_at and format_time(control.resumed_at.replace(microsecond=0))
    itself = f", though resumed at {lifted}" if lifted else ""
    return f"by {control.by} since {since}{until}{where}{itself}{with_retries}{why}"


def by_whom_paused(job: Job, now: datetime) -> str | None:
    """Return by whom a definition is paused at a time, and why; None if it is not."""
    if not job.enabled:
        return "by the crontab (enabled: false)"
    control = job.control
    is_paused = control is not None and control.is_pause and now < control.ends_at
    return pause_words(control) if is_paused else None


def _record_shown(value: Backoff | RetryOn | Confinement | Ping) -> str:
    if isinstance(value, Backoff):
        first, ceiling = format_duration(value.first_s), format_duration(value.ceiling_s)
        return f"{first} times {value.factor:g} up to {ceiling}, jitter {value.jitter:g}"
    if isinstance(value, RetryOn):
        statuses = "all" if value.statuses is None else f"{value.statuses}"
        return f"statuses {statuses}, timeouts {str(value.timeouts).lower()}"
    said = {
        _WORDS.get(name, name): said for name, said in value.asdict().items() if said is not None
    }
    if isinstance(value, Confinement) and value.umask is not None:
        said["umask"] = f"{value.umask:03o}"
    if "cpu" in said:
        said["cpu"] = format_duration(said["cpu"])
    return ", ".join(f"{name} {what}" for name, what in said.items())


def count(change: Change) -> str:
    """Return how many jobs of each kind it has: ``2 added, 1 removed``."""
    counts = [
        (len(change.added), "added"),
        (len(change.changed), "changed"),
        (len(change.removed), "removed"),
    ]
    return ", ".join(f"{number} {what}" for number, what in counts if number)
