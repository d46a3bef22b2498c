"""A span of a run's trace, as a value; and who takes it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cronstream.core.wire.runs import Run

#: What stands beside a span.
Attributes = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Span:
    """One step on the way of a run, which is over.

    Attributes:
        run: Whose trace it is in.
        name: What is done in it, in a word.
        start: When it began (UTC); `end`, when it was over.
        number: Of which attempt it is, if it is of one.
        attributes: What else is known of it.
        events: What happened meanwhile, and when.
        fault: Why it has failed; None if it has not.
    """

    run: Run
    name: str
    start: datetime
    end: datetime
    number: int | None = None
    attributes: Attributes = field(default_factory=dict)
    events: tuple[tuple[str, datetime], ...] = ()
    fault: str | None = None


#: The span that all others of a run are below: from its due time to its verdict.
RUN = "run"
#: From its being put on the log to the broker's word that it has it: a scheduler's.
PUBLISH = "publish"
#: From an attempt's being on the log to the start of its command.
WAIT = "wait"
#: One attempt, from the start of its command to its end.
ATTEMPT = "attempt"


class Tracer(Protocol):
    """Takes spans, and says which runs are traced."""

    def record(self, span: Span) -> None:
        """Take a span, to be exported some time; what is too much is dropped."""

    def traceparent(self, run: Run) -> str:
        """Return what the command of a run's attempt gets as ``TRACEPARENT``."""

    async def stop(self) -> None:
        """Export what is left, as far as that takes no time to speak of."""
