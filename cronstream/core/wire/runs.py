"""What is to be run: jobs as the ``jobs`` topic has them, and runs with all that holds for them.

The namespace of each Record is part of the message, so it is spelled out: moving a class must not
change what is on the topics.
"""

from datetime import datetime
from functools import cached_property

from cronstream.core.wire.enumerations import Background, Cause, Delivery, Outcome, Overlap
from cronstream.core.wire.record import Record
from cronstream.core.wire.times import format_time
from cronstream.errors import MessageError


class Backoff(Record, namespace="cronstream.Backoff"):
    """How long to wait before a later attempt, as `cronstream.core.ledger.retry` works it out."""

    #: Seconds before the second attempt.
    first_s: float = 15.0
    #: What each further wait is multiplied by.
    factor: float = 2.0
    #: No wait is longer than this many seconds.
    ceiling_s: float = 3600.0
    #: Up to this share of the wait is added, by a noise made from run id and attempt.
    jitter: float = 0.1

    def __post_init__(self) -> None:
        """Refuse waits that cannot be."""
        if not (0 <= self.first_s <= self.ceiling_s and self.factor >= 1 and 0 <= self.jitter <= 1):
            raise MessageError(f"backoff {self.asdict()} is out of range")


class RetryOn(Record, namespace="cronstream.RetryOn"):
    """Which failures are worth a later attempt."""

    #: Exit statuses that are retried; None for every one. A signal counts as 128 + its number.
    statuses: list[int] | None = None
    #: Whether an attempt that ran out of time is retried.
    timeouts: bool = True


class Attempt(Record, namespace="cronstream.Attempt"):
    """An attempt that has ended, as later messages of its run carry it."""

    attempt: int
    outcome: Outcome
    #: Time of the entry that ended it, by the log's clock (UTC).
    ended_at: datetime
    worker: str | None = None
    exit_status: int | None = None
    signal: int | None = None
    #: Why there was no process, or what else people should know.
    note: str | None = None


class Job(Record, namespace="cronstream.Job"):
    """One job of the crontab as it stands from `effective_from` on, or its removal.

    On the ``jobs`` topic; a job's revision is the offset of this message.
    """

    name: str
    cluster: str
    schedule: str
    timezone: str
    #: A string for ``/bin/sh -c``, or a list for argv.
    command: str | list[str]
    max_attempts: int = 1
    backoff: Backoff = Backoff()
    retry_on: RetryOn = RetryOn()
    #: Seconds an attempt may take; None for no limit.
    timeout_s: float | None = None
    #: Seconds between TERM and KILL.
    grace_s: float = 10.0
    env: dict[str, str] | None = None
    cwd: str | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    overlap: Overlap = Overlap.ALLOW
    #: With overlap `queue`: due runs that wait, at most; the surplus is skipped.
    max_queue: int = 100
    #: Whether a command is ended before its worker's lease can be over.
    fence: bool = False
    background: Background = Background.KILL
    #: A due time that is this many seconds past when it is first seen is skipped as missed.
    missed_grace_s: float = 300.0
    description: str | None = None
    #: Due times from here on follow this definition (UTC); None while it is only in the file.
    effective_from: datetime | None = None
    removed: bool = False


class Run(Record, namespace="cronstream.Run"):
    """One due time of one job, with the attempt that is to be made next."""

    job: str
    cluster: str
    #: The time the schedule names, in UTC; the same for every attempt.
    scheduled_at: datetime
    #: Not to be started before this time (UTC); the scheduled time for the first attempt.
    not_before: datetime
    command: str | list[str]
    #: The job's revision that asked for it; None for a run with a cause.
    revision: int | None = None
    #: 1 for the first attempt, as people count.
    attempt: int = 1
    #: Attempts that may still fail, this one included; one less in each message to the retry topic.
    attempts_left: int = 1
    max_attempts: int = 1
    backoff: Backoff = Backoff()
    retry_on: RetryOn = RetryOn()
    timeout_s: float | None = None
    grace_s: float = 10.0
    env: dict[str, str] | None = None
    cwd: str | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    overlap: Overlap = Overlap.ALLOW
    max_queue: int = 100
    fence: bool = False
    background: Background = Background.KILL
    #: Why there is this run; None for one that the schedule asked for.
    cause: Cause | None = None
    #: Tells runs with the same due time and cause apart.
    number: int = 0
    #: The log's time (UTC) when its sender judged that it is to be made: a run with a cause or a
    #: later attempt that the broker gets more than ten minutes after it is stale.
    as_of: datetime | None = None
    #: The attempts made so far; at most the last 20.
    attempts: list[Attempt] | None = None

    @cached_property
    def id(self) -> str:
        """``job@2026-01-01T12:00:00Z``, with ``!cause-number`` for what no schedule asked for."""
        name = f"{self.job}@{format_time(self.scheduled_at)}"
        return name if self.cause is None else f"{name}!{self.cause}-{self.number}"

    def __post_init__(self) -> None:
        """Refuse what no scheduler can have produced: Faust itself checks no values."""
        if not 1 <= self.attempts_left <= self.max_attempts or self.attempt < 1:
            raise MessageError(
                f"run of {self.job!r}: attempt {self.attempt}, "
                f"{self.attempts_left} of {self.max_attempts} left"
            )
        if (self.cause is None) == (self.revision is None):
            raise MessageError(f"run of {self.job!r} needs either a revision or a cause")


class Discarded(Record, namespace="cronstream.Discarded"):
    """A run that is out of attempts, kept for people; a reader takes the first for a run id."""

    run: Run
    reason: str
    #: When it was decided, by the log's clock (UTC).
    discarded_at: datetime
