"""What is kept of a job's pauses (rule 25)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Paused:
    """What is kept of a job's pauses.

    Attributes:
        revision: The last one that has paused the job; -1 if none has.
        to: Up to when it does.
        with_retries: Whether later attempts are skipped, too.
        discards: How many runs of the schedule were discarded in a row, where that is counted.
        halted_at: When so many of them were that the job is paused until a person resumes it.
        halted_by: The id of the last of them.
    """

    revision: int = -1
    to: datetime | None = None
    with_retries: bool = False
    discards: int = 0
    halted_at: datetime | None = None
    halted_by: str = ""


NOT_PAUSED: Final = Paused()
