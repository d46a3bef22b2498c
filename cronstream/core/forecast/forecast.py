"""What a span of time would be like: the due times of all jobs, and what comes of them."""

from collections.abc import Mapping, Sequence
from typing import Final

from cronstream.core.forecast.course import DUE, END, Course
from cronstream.core.forecast.dues import due_times, epoch_s
from cronstream.core.forecast.figures import Forecast
from cronstream.core.forecast.given import Crew, Span
from cronstream.core.forecast.lasting import Lasting
from cronstream.core.forecast.states import JobState
from cronstream.core.wire.runs import Job

#: So many runs are gone through at most: that takes a minute.
MOST: Final = 5_000_000
#: Runs that are due so long before the span may still run in it.
_LONGEST_LEAD_S: Final = 86_400


def forecast(
    jobs: Sequence[Job],
    lasting: Mapping[str, Lasting],
    span: Span,
    crew: Crew,
    *,
    most: int = MOST,
) -> Forecast:
    """Return what a span of time would be like.

    Args:
        jobs: Valid, each name once.
        lasting: For each job's name, how long its attempts take.
        span: What is looked at.
        crew: Who is there.
        most: How many runs are gone through.

    Raises:
        ValueError: If more are due.
    """
    course = Course(jobs, lasting, span, crew)
    leads = [_lead_s(state) for state in course.states]
    for second, places in due_times(jobs, leads, span.start, span.until):
        if course.number > most:
            raise ValueError(f"has more than {most:,} runs; make it shorter, or of one cluster")
        course.advance(second, DUE)
        course.come(second, places)
    course.advance(epoch_s(span.until), END)
    return course.result()


def _lead_s(state: JobState) -> int:
    """Return how long before a span a job's runs are looked at, as they may run into it."""
    longest, timeout = state.lasting.longest_s, state.job.timeout_s
    if timeout is not None:
        longest = min(longest, timeout)
    return int(min(longest, _LONGEST_LEAD_S))
