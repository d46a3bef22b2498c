"""What is different between two crontabs, as a value and in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cronstream.core.duration import format_duration
from cronstream.core.records import Backoff, Job, RetryOn

#: Fields whose values are too long, or too private, to be told.
_UNTOLD = frozenset({"env"})
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Change:
    """The step from one crontab to another.

    Attributes:
        changed: Each job that both have with different definitions, as it is to be.
        former: The definitions before, of jobs changed or removed, by name.
    """

    added: tuple[Job, ...]
    removed: tuple[Job, ...]
    changed: tuple[Job, ...]
    former: dict[str, Job]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def compare(old: Iterable[Job], new: Iterable[Job]) -> Change:
    """Return what has to change for `old` to become `new`.

    Jobs are the same by name; from when on a definition holds is no part of it.
    """
    before = {job.name: job for job in old}
    after = {job.name: job for job in new}
    changed = [job for name, job in after.items() if name in before and differs(before[name], job)]
    removed = [job for name, job in before.items() if name not in after]
    return Change(
        added=tuple(job for name, job in after.items() if name not in before),
        removed=tuple(removed),
        changed=tuple(changed),
        former={job.name: before[job.name] for job in (*changed, *removed)},
    )


def differs(one: Job, other: Job) -> bool:
    """Whether two definitions of a job ask for different things."""
    return next(_differences(one, other), None) is not None


def describe(change: Change) -> list[str]:
    """Return a line for each job that changes, with what was and what is to be."""
    lines = [f"job {job.name} added ({job.cluster}, {job.schedule})" for job in change.added]
    for job in change.changed:
        told = ", ".join(
            f"{name} changed" if name in _UNTOLD else f"{name} {_told(old)} → {_told(new)}"
            for name, old, new in _differences(change.former[job.name], job)
        )
        lines.append(f"job {job.name}: {told}")
    return lines + [f"job {job.name} removed" for job in change.removed]


def _differences(one: Job, other: Job) -> Iterator[tuple[str, Any, Any]]:
    before, after = one.asdict(), other.asdict()
    for name in before:
        if name not in ("effective_from", "removed") and before[name] != after[name]:
            yield _words(name), _spoken(name, before[name]), _spoken(name, after[name])


def _words(name: str) -> str:
    """Return a field's name as it stands in the crontab."""
    return name.removesuffix("_s")


def _spoken(name: str, value: Any) -> Any:
    return format_duration(value) if name.endswith("_s") and value is not None else value


def _told(value: Any) -> str:
    if isinstance(value, Backoff | RetryOn):
        value = {_words(name): _spoken(name, part) for name, part in value.asdict().items()}
    text = "none" if value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
