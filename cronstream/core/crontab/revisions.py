"""The definitions of jobs over time: what each changes of the one before it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cronstream.core.crontab.change import Difference, differences
from cronstream.core.wire.runs import Job


class Kind(StrEnum):
    """What a revision does to its job."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    #: It says what the one before it says: to hold from another moment, or signed by another key.
    REPEATED = "repeated"
    #: What came before it is gone, so nobody knows.
    KNOWN = "known"
    #: It does not count: it is not signed as it should be, or not on the partition of its name.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Edit:
    """One revision of a job.

    Attributes:
        revision: Its number: the offset of its message.
        at: When it was put there, by the broker's clock (UTC).
        differences: In what it differs from the one before, where that is changed.
    """

    job: Job
    revision: int
    partition: int
    at: datetime
    kind: Kind
    differences: tuple[Difference, ...] = ()


class Revisions:
    """Compares each definition of a job with the one before it.

    Args:
        cut: The partitions whose beginning is gone.
    """

    def __init__(self, cut: frozenset[int]) -> None:
        self._cut = cut
        self._last: dict[str, Job] = {}

    @property
    def names(self) -> set[str]:
        """The jobs that it has seen."""
        return set(self._last)

    def fold(self, job: Job, partition: int, revision: int, at: datetime, *, counts: bool) -> Edit:
        """Return what the next definition of a partition is, in the order of offsets.

        Args:
            job: As it stands there.
            partition: Which one that is.
            revision: Its offset.
            at: When it was put there.
            counts: Whether schedulers believe it.
        """
        before = self._last.get(job.name)
        if not counts:
            return Edit(job, revision, partition, at, Kind.REFUSED)
        self._last[job.name] = job
        if before is None and partition in self._cut:
            return Edit(job, revision, partition, at, Kind.KNOWN)
        if job.removed:
            kind = Kind.REPEATED if before is None or before.removed else Kind.REMOVED
            return Edit(job, revision, partition, at, kind)
        if before is None or before.removed:
            return Edit(job, revision, partition, at, Kind.ADDED)
        found = tuple(differences(before, job))
        kind = Kind.CHANGED if found else Kind.REPEATED
        return Edit(job, revision, partition, at, kind, found)
