"""What a copy of topics says of the offsets that its messages had where they were written.

On a copy a message has another offset as soon as one before it was deleted, or copied twice. But
the messages name offsets: a claim the one of the run that it claims, a withdrawal the one of its
job's definition. So it can be known by how much a partition was shifted. Nor are its times the
log's: whoever copied it may have done so much later. The entries' own times stand in for them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from cronstream.core.wire.entries import Claimed, Entry, Finished, Started, Withdrawal
from cronstream.core.wire.runs import Job, Run
from cronstream.errors import HouseError

#: A few claims name something else: whoever was too late had not read the last word on a run.
_AGREE: Final = 0.9


class Shift:
    """By how much the offsets of one partition were larger where it was written.

    Args:
        place: The partition, for sentences.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._votes = Counter[int]()

    def vote(self, named: int, offset: int) -> None:
        """Take an offset that a message names, and where what it names is on the copy."""
        self._votes[named - offset] += 1

    def get(self) -> int | None:
        """Return what the messages say; None if they say nothing.

        Raises:
            HouseError: If they do not agree: messages are missing within, or are there twice.
        """
        if not self._votes:
            return None
        shift, votes = self._votes.most_common(1)[0]
        if votes < _AGREE * self._votes.total():
            raise HouseError(
                f"{self._place} is a copy with gaps, or with messages that were copied twice, so "
                "its claims cannot be told apart from others: export from the Kafka that it is a "
                "copy of, or from another copy"
            )
        return shift


class LogShift(Shift):
    """The same of a partition of a log, by its first claims."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._published: dict[str, int] = {}

    def fold(self, offset: int, entries: Iterable[Entry]) -> None:
        """Take the next message."""
        for entry in entries:
            if isinstance(entry, Run):
                self._published[entry.id] = offset
            elif isinstance(entry, Claimed):
                at = self._published.pop(entry.run, None)
                if at is not None:
                    self.vote(entry.version, at)


class JobsShift(Shift):
    """The same of a partition of ``jobs``, by what the logs were sent of its definitions."""

    def __init__(self, place: str, published: Iterable[tuple[Job, int]]) -> None:
        super().__init__(place)
        self._of: dict[tuple[str, datetime | None], int] = {}
        self._last: dict[str, int] = {}
        self._of_runs: dict[str, int] = {}
        for job, offset in published:
            self._of.setdefault((job.name, job.effective_from), offset)
            self._last[job.name] = offset

    def fold(self, entries: Iterable[Entry]) -> None:
        """Take a message of any log."""
        for entry in entries:
            if isinstance(entry, Withdrawal):
                at = self._of.get((entry.job, entry.effective_from))
                if at is not None:
                    self.vote(entry.revision, at)
            elif isinstance(entry, Run) and entry.job in self._last and entry.revision is not None:
                self._of_runs[entry.job] = entry.revision

    def get(self) -> int | None:
        """Return what the messages say; without an edit, the last runs follow the last words."""
        if not self._votes:
            for job, revision in self._of_runs.items():
                self.vote(revision, self._last[job])
        return super().get()


class Times:
    """When messages of a partition were written, as far as they say so themselves."""

    def __init__(self) -> None:
        self._latest: datetime | None = None

    def of(self, entries: Iterable[Entry], at: datetime) -> datetime:
        """Return when a message was written, of which the copy says `at`: it was not later."""
        told = [moment for entry in entries for moment in _told(entry)]
        if told:
            self._latest = max([*told, *([self._latest] if self._latest else [])])
        return at if self._latest is None else min(at, self._latest)


def _told(entry: Any) -> Iterator[datetime]:
    match entry:
        case Run(judged_at=datetime() as moment):
            yield moment
        case Run(attempts=[*_, last]):
            yield last.ended_at
        case Started(started_at=moment):
            yield moment
        case Finished(ended_at=moment):
            yield moment
        case _:
            pass
