"""One job that several readers in a process read is kept once."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from cronstream.core.wire.job_messages import Definition
from cronstream.core.wire.runs import Job

#: No more values are remembered: those of most jobs are few.
_MOST: Final = 1000

#: Returns what was read of a job last, by its name.
Also: TypeAlias = Callable[[str], Definition | None]


def not_here(_: str) -> Definition | None:
    """Say that nobody else has read it."""
    return None


def share_values(job: Job, like: Job | None) -> None:
    """Have a job hold the very values of another, where they are the same: none is kept twice."""
    if like is None or like.name is job.name:
        return  # One that was made of the other has its values already.
    own, other = vars(job), vars(like)
    for name, value in own.items():
        theirs = other.get(name)
        if theirs is not value and type(theirs) is type(value) and theirs == value:
            own[name] = theirs


class SharedValues:
    """What many jobs have in common, so that it is kept once, however many messages say it."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def keep_once(self, job: Job) -> None:
        """Have a job hold the same variables, and time from which it holds, as one before it."""
        if len(self._known) > _MOST:
            self._known.clear()
        if env := job.env:
            job.env = self._known.setdefault(tuple(env.items()), env)
        if (since := job.effective_from) is not None:
            job.effective_from = self._known.setdefault(since, since)


def same(definition: Definition, other: Definition | None) -> Definition:
    """Return the one that was there first, of two that say the same."""
    if other is None or other.revision != definition.revision:
        return definition
    return other if other.job is definition.job or other.job == definition.job else definition
