"""Whether an entry that is well formed also belongs on the log where it stands."""

from collections.abc import Callable
from dataclasses import dataclass

from cronstream.core.wire.entries import Entry, Skip, Withdrawal
from cronstream.core.wire.runs import Run


@dataclass(frozen=True, slots=True)
class Place:
    """One partition of a log.

    Attributes:
        partition_of: The partition that a job's messages go to.
    """

    cluster: str
    retry: bool
    partition: int
    partition_of: Callable[[str], int]

    def problem(self, entry: Entry) -> str | None:
        """Return why the entry is to be refused here, or None if it is fine.

        Two partitions with runs of one job would know nothing of each other's, and a first
        attempt on a retry log would be made by the wrong workers.
        """
        if not isinstance(entry, Run | Skip | Withdrawal):
            return None
        belongs = self.partition_of(entry.job)
        if belongs != self.partition:
            return f"job {entry.job!r} belongs to partition {belongs}"
        return self._run_problem(entry) if isinstance(entry, Run) else None

    def _run_problem(self, run: Run) -> str | None:
        if run.cluster != self.cluster:
            return f"a run for {run.cluster!r} on a log of {self.cluster!r}"
        if self.retry and run.attempt == 1:
            return "a first attempt on a retry log"
        if not self.retry and run.attempt != 1:
            return f"attempt {run.attempt} on the log of first attempts"
        return None
