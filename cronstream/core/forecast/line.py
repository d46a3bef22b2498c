"""Runs of one job that may not overlap: which begins, waits, is skipped or gives way (rule 17).

The rule is that of `cronstream.core.ledger.overlap.moves`, for runs that all have one policy; a
test holds the two against each other.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cronstream.core.wire.enumerations import Overlap
from cronstream.core.wire.runs import Job

RunT = TypeVar("RunT")


@dataclass(slots=True)
class Line(Generic[RunT]):
    """The runs of a job that are not over.

    Attributes:
        at_once: How many may have begun at a time.
        waiting: Due, and not begun, by due time.
        begun: Those that have begun: also while they wait for a later attempt.
    """

    policy: Overlap
    max_queue: int
    at_once: int = 1
    waiting: deque[RunT] = field(default_factory=deque)
    begun: list[RunT] = field(default_factory=list)

    def surplus(self) -> list[RunT]:
        """Return the runs that are skipped now, and take them out of the line."""
        if self.policy is Overlap.REPLACE:
            return [self.waiting.popleft() for _ in range(len(self.waiting) - 1)]
        kept = self.at_once - len(self.begun)
        kept += self.max_queue if self.policy is Overlap.QUEUE else 0
        return [self.waiting.pop() for _ in range(len(self.waiting) - kept)]

    def next(self) -> RunT | None:
        """Return the run that begins now; None if no other may begin, or none waits."""
        if len(self.begun) >= self.at_once or not self.waiting:
            return None
        self.begun.append(self.waiting.popleft())
        return self.begun[-1]

    def in_the_way(self) -> RunT | None:
        """Return the run that has to end for the next one."""
        is_replaced = self.policy is Overlap.REPLACE and self.waiting
        return self.begun[0] if is_replaced and self.begun else None


def line_of(job: Job) -> Line[RunT] | None:
    """Return a line for a job, without any runs; None if they may overlap."""
    if job.overlap is Overlap.ALLOW:
        return None
    at_once = 1 if job.overlap is Overlap.REPLACE else job.max_running
    return Line(job.overlap, job.max_queue, at_once)
