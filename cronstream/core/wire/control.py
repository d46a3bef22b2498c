"""What a person asks of jobs between edits of the crontab: to pause, and to go on."""

from datetime import UTC, datetime
from typing import Final

from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.record import Record
from cronstream.errors import MessageError

#: The end of a pause that has none.
NEVER: Final = datetime.max.replace(tzinfo=UTC)


#: Who asks, and why, may be as long as this.
MOST_CHARACTERS: Final = 500


class Control(Record, namespace="cronstream.Control"):
    """A person's word on one job, or on all jobs of a cluster; the last one about each counts.

    On the ``jobs`` topic: on the job's partition, or for a cluster on each. The scheduler that puts
    the crontab in force puts it into the definition of each job that it is about (`Job.control`).
    """

    action: ControlAction
    #: Of the job that it is about, or whose jobs it is about.
    cluster: str
    #: Who asked for it.
    by: str
    #: When, by the clock of who asked (UTC).
    at: datetime
    #: Why, for people.
    reason: str = ""
    #: The job that it is about; None for all jobs of `cluster`, whichever these are by then.
    job: str | None = None
    #: A pause ends by itself at this time (UTC); None if it is to be ended.
    until: datetime | None = None
    #: Whether later attempts of runs that have begun are skipped, too, while it lasts.
    retries: bool = False
    #: Of a pause that a definition has: when somebody has asked the job to go on although it stays
    #: paused by this (UTC). No command sends it.
    resumed_at: datetime | None = None
    #: Who vouches for it, as with `Job`.
    signature: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no command sends."""
        if len(self.by) > MOST_CHARACTERS or len(self.reason) > MOST_CHARACTERS:
            raise MessageError(f"a control with more than {MOST_CHARACTERS} characters of words")

    @property
    def is_pause(self) -> bool:
        """Whether it is a pause; else it ends one."""
        return self.action is ControlAction.PAUSE

    @property
    def lifted_at(self) -> datetime | None:
        """When somebody has last asked the job that has it to go on; None if nobody has."""
        return self.resumed_at if self.is_pause else self.at

    @property
    def ends_at(self) -> datetime:
        """When it ends by itself; `NEVER` if it does not."""
        return self.until or NEVER
