"""Which label a job has: each series costs Prometheus memory, and so many jobs may be made."""

from typing import Final

#: So many jobs have series of their own in one process, by first mention.
MOST_JOBS: Final = 500
#: A name that no crontab has is not shown: it may be as long as a message.
_LONGEST: Final = 200
#: What the others share.
OTHER: Final = "_other"


class JobLabels:
    """The labels of the jobs that one process counts.

    A job keeps its label until the process ends, whatever becomes of the job: a counter that went
    away and came back would seem to have begun anew.

    Args:
        most: How many jobs have one of their own.
    """

    def __init__(self, most: int = MOST_JOBS) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    @property
    def own(self) -> list[str]:
        """The jobs that have one of their own."""
        return [*self._known]

    @property
    def is_full(self) -> bool:
        """Whether no other job gets one of its own any more."""
        return len(self._known) >= self._most

    def __contains__(self, job: object) -> bool:
        return job in self._known

    def of(self, job: str) -> str:
        """Return the label of a job, which counts as mentioned then."""
        label = self._known.get(job)
        if label is None:
            if self.is_full or len(job) > _LONGEST:
                return OTHER
            label = self._known[job] = job
        return label
