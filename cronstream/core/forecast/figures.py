"""What comes of a forecast, as values."""

from dataclasses import dataclass, field
from datetime import datetime

from cronstream.core.wire.runs import Job


@dataclass(frozen=True, slots=True)
class Level:
    """A number over the whole span.

    Attributes:
        most: Its highest value.
        most_at: When it first was that high (UTC).
        mean: Over the span.
        steps: Its highest value in each step.
    """

    most: int
    most_at: datetime
    mean: float
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """The workers of one role of a cluster.

    Attributes:
        retry: Whether they are retry workers.
        slots: How many all of them have together.
        used: Slots in use.
        waiting: Attempts that are due and wait for a slot.
        started: Attempts.
        waited: How many of them had to wait.
        longest_wait_s: The longest that one waited before it started.
        longest_wait: Whose that was: a run's id; empty if none waited.
    """

    cluster: str
    retry: bool
    slots: int
    used: Level
    waiting: Level
    started: int
    waited: int
    longest_wait_s: float
    longest_wait: str


@dataclass(slots=True)
class JobFigures:
    """What became of the runs of a job that are due within the span.

    Attributes:
        runs: Due times.
        waited: Attempts that waited for a slot.
        longest_wait_s: The longest of those waits.
        overlapped: Due times at which a run before was not over.
        at_once: How many of its runs were begun and not over at a time, at most.
        skipped: Skipped since one before was not over, or another took its place.
        replaced: Ended for the next.
        late: Skipped since they had not started in time (``start_within``).
        retried: Later attempts.
        discarded: Out of attempts.
    """

    job: Job
    runs: int = 0
    waited: int = 0
    longest_wait_s: float = 0.0
    overlapped: int = 0
    at_once: int = 0
    skipped: int = 0
    replaced: int = 0
    late: int = 0
    retried: int = 0
    discarded: int = 0

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happens to it that anybody would want to know."""
        return not (self.waited or self.overlapped or self.late or self.discarded)


@dataclass(frozen=True, slots=True)
class BusySecond:
    """A second in which many jobs of a cluster are due.

    Attributes:
        count: How many.
        jobs: The first of them, by name.
    """

    at: datetime
    cluster: str
    count: int
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a span of time would be like.

    Attributes:
        until: The first moment that is not in it; earlier than asked for if there were too many
            runs.
        step_s: How long the steps of levels are.
        pools: Of each cluster its workers, then its retry workers.
        busiest: The seconds in which the most is due, the busiest first.
    """

    start: datetime
    until: datetime
    step_s: float
    pools: tuple[PoolFigures, ...]
    jobs: tuple[JobFigures, ...]
    busiest: tuple[BusySecond, ...] = field(default=())

    @property
    def runs(self) -> int:
        """How many runs are due."""
        return sum(job.runs for job in self.jobs)
