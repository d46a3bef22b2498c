"""The definitions of a shard that whoever takes it over needs: not all that there ever were."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from cronstream.core.cursor import Cursor
from cronstream.core.job_messages import Definition
from cronstream.core.records import Job

#: A definition that another had replaced so long before the last edit of its job is dropped.
KEEP: Final = timedelta(hours=1)
#: A cursor has to be beyond the replacement of all that was dropped by so much.
BEYOND: Final = timedelta(minutes=30)


class Recent:
    """The last definition of each job, and those before it that still mattered an hour ago.

    The ``jobs`` topic is never compacted. A scheduler that stands by reads it all the time, so that
    it need not be read from its start when the shard comes to it.

    Attributes:
        position: Offset up to which the shard's partition has been read.
    """

    def __init__(self) -> None:
        self.position = 0
        self._of: dict[str, list[Definition]] = {}
        #: The last revision that has replaced one that was dropped, and the latest time of one.
        self._dropped_by = -1
        self._dropped_at = datetime.min.replace(tzinfo=UTC)

    def take(self, revision: int, jobs: Iterable[Job]) -> None:
        """Take the jobs of the next message of the partition; one that was taken is passed over."""
        if revision < self.position:
            return
        self.position = revision + 1
        for job in jobs:
            if job.effective_from is not None:
                kept = self._of.setdefault(job.name, [])
                kept.append(Definition(job, revision))
                self._drop(kept, job.effective_from - KEEP)

    def _drop(self, kept: list[Definition], bound: datetime) -> None:
        while len(kept) > 1 and (kept[1].job.effective_from or bound) < bound:
            del kept[0]
            self._dropped_by = max(self._dropped_by, kept[0].revision)
            self._dropped_at = max(self._dropped_at, kept[0].job.effective_from or bound)

    def serves(self, cursor: Cursor) -> bool:
        """Whether nothing was dropped that a shard with this cursor needs."""
        behind = cursor.behind.values()
        taken = min([cursor.taken, *(lag.taken for lag in behind)])
        at = min([cursor.at, *(lag.at for lag in behind)])
        return self.position > 0 and taken > self._dropped_by and at > self._dropped_at + BEYOND

    def definitions(self) -> list[Definition]:
        """Return them in the order of revisions."""
        found = [definition for kept in self._of.values() for definition in kept]
        return sorted(found, key=lambda definition: definition.revision)
