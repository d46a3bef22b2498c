"""Jobs, and runs on their way, in a forecast; all times are seconds since the epoch."""

from dataclasses import dataclass, field
from enum import Enum, auto

from cronstream.core.forecast.dues import moment_of
from cronstream.core.forecast.figures import JobFigures
from cronstream.core.forecast.lasting import Lasting
from cronstream.core.forecast.line import Line
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time


class Stage(Enum):
    """Where a run stands."""

    #: It may not overlap, and has not begun.
    IN_LINE = auto()
    #: It is due, and there is no slot.
    WAITING = auto()
    RUNNING = auto()
    #: A later attempt is to come.
    RETRYABLE = auto()
    OVER = auto()


@dataclass(slots=True)
class JobState:
    """A job, with what is to be known of it at each moment.

    Attributes:
        worker: Which worker of its cluster makes its runs, from 0 on.
        line: Its runs that are not over; None if they may overlap.
        live: How many runs are not over.
        running: How many commands run.
    """

    job: Job
    lasting: Lasting
    worker: int
    figures: JobFigures
    line: "Line[ForecastRun] | None"
    live: int = 0
    running: int = 0


@dataclass(slots=True)
class ForecastRun:
    """One due time of a job.

    Attributes:
        counts: Whether it is due within the span, rather than before it.
        number: Tells runs apart, in the order in which they are due.
        not_before: When the attempt is due: what waits for a slot is started in that order.
        ready: When it could have started, had there been a slot.
        attempt: The one that is made, or is to be made; 1 for the first.
        succeeds: Whether it will.
        is_retried: Whether there is another attempt, if it does not.
    """

    of: JobState
    counts: bool
    due: float
    number: int
    not_before: float = 0.0
    ready: float = 0.0
    attempt: int = 1
    succeeds: bool = True
    is_retried: bool = False
    stage: Stage = field(default=Stage.IN_LINE)

    @property
    def id(self) -> str:
        """As the run itself would be called."""
        return f"{self.of.job.name}@{format_time(moment_of(self.due))}"
