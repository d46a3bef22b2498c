"""What is to be run: jobs as the ``jobs`` topic has them, and runs with all that holds for them.

The namespace of each Record is part of the message, so it is spelled out: moving a class must not
change what is on the topics.
"""

from datetime import datetime
from typing import Any, Self

from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.control import NEVER, Control
from cronstream.core.wire.enumerations import (
    Background,
    Cause,
    Delivery,
    Ending,
    Missed,
    Outcome,
    Overlap,
    Verdict,
)
from cronstream.core.wire.kept_once import kept_once
from cronstream.core.wire.record import Record, WorkedOut
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


class Ping(Record, namespace="cronstream.Ping"):
    """Where the addresses are of monitors that hear of each run: see `variables.Secret`."""

    #: A check of healthchecks.io, or of what speaks its protocol.
    healthchecks: str | None = None
    #: A monitor of Sentry's crons.
    sentry: str | None = None


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


class Then(Record, namespace="cronstream.Then"):
    """What follows a job: a job, whole, with all that follows that."""

    #: After which verdicts.
    on: Ending
    #: Without what only its own schedule needs.
    job: "Job"


class Following(Record, namespace="cronstream.Following"):
    """What follows a run: a run as it is to be published, but for when."""

    on: Ending
    run: "Run"


class Previous(Record, namespace="cronstream.Previous"):
    """The run that another follows, and what became of it; its command learns that."""

    run: str
    verdict: Verdict
    #: The last of its attempts on the cluster's log, or on the retry log if it went there.
    attempt: int
    #: Why it was discarded; and its cluster, if that is another: it is handed over (rule 24).
    reason: str | None = None
    cluster: str | None = None


#: Fields with texts and lengths of time that many jobs have in common.
_SHARED = {"cluster", "schedule", "timezone", "by", "file", "timeout_s", "missed_grace_s"}
#: Fields that many jobs have. Their names are in the table of all jobs from the first on: one that
#: has another takes three times as much memory.
_USUAL = (
    *("name", "cluster", "schedule", "timezone", "command", "env", "max_attempts", "timeout_s"),
    *("overlap", "missed_grace_s", "description", "retry_on", "effective_from"),
    *("by", "file", "line", "signature"),
)


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
    #: Seconds between TERM and KILL; and before TERM when its worker stops, None for as any there.
    grace_s: float = 10.0
    drain_s: float | None = None
    env: dict[str, str] | None = None
    #: Where the worker finds the values of further variables: see `variables.Secret`.
    secrets: dict[str, str] | None = None
    cwd: str | None = None
    confinement: Confinement | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    overlap: Overlap = Overlap.ALLOW
    #: With overlap `queue`: due runs that wait, at most; the surplus is skipped.
    max_queue: int = 100
    #: With overlap `skip` or `queue`: runs that may have begun and have no verdict, at most.
    max_running: int = 1
    #: Whether a command is ended before its worker's lease can be over.
    fence: bool = False
    background: Background = Background.KILL
    #: Whether a person may give a run arguments of its own, and which variables.
    allow_args: bool = False
    allow_env: list[str] | None = None
    #: A due time that is this many seconds past when it is first seen was missed.
    missed_grace_s: float = 300.0
    #: What becomes of those.
    missed: Missed = Missed.SKIP
    #: Seconds after its due time in which a run has to start, or is skipped; None for no limit.
    start_within_s: float | None = None
    #: A success is expected at least so often, in seconds; None for a job that may be silent.
    expect_within_s: float | None = None
    ping: Ping | None = None
    #: Where the addresses are of who hears of verdicts, as with `Ping`.
    on_success: str | None = None
    on_discard: str | None = None
    description: str | None = None
    then: list[Then] | None = None
    #: Whether it is due at all: the crontab may say that it is paused.
    enabled: bool = True
    #: After so many discarded runs of its schedule in a row it is paused; None for never.
    pause_after: int | None = None
    #: The last word of a person on whether it is paused, which no edit of the crontab undoes.
    control: Control | None = None
    #: Due times from here on follow this definition (UTC); None while it is only in the file.
    effective_from: datetime | None = None
    removed: bool = False
    #: Who has put it there: a scheduler's name, and the digest of its crontab; for people.
    by: str | None = None
    #: Where it stood in that crontab, likewise: its file, from the crontab's folder, and the line.
    file: str | None = None
    line: int | None = None
    #: Who vouches for it: ``<key id>:<base64>``; see `cronstream.core.trust.signing`.
    signature: str | None = None

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """Return a job of fields that are known to be its own, and complete.

        It takes them one by one, for then Python keeps one table of their names for all jobs
        (PEP 412): a dictionary of its own takes more than all else that is kept of a job. What many
        have in common is kept once, too.
        """
        made = object.__new__(cls)
        for name, value in fields.items():
            setattr(made, name, kept_once(value) if name in _SHARED else value)
        return made

    @property
    def paused_to(self) -> datetime | None:
        """Due times before it are skipped as paused; None if the job is not paused."""
        if not self.enabled:
            return NEVER
        control = self.control
        return control.ends_at if control is not None and control.is_pause else None


Job.of(dict.fromkeys(_USUAL))


def _id_of(run: "Run") -> str:
    name = f"{run.job}@{format_time(run.scheduled_at)}"
    return name if run.cause is None else f"{name}!{run.cause}-{run.number}"


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
    drain_s: float | None = None
    env: dict[str, str] | None = None
    #: Where the worker finds the values of further variables: see `variables.Secret`.
    secrets: dict[str, str] | None = None
    cwd: str | None = None
    confinement: Confinement | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    overlap: Overlap = Overlap.ALLOW
    max_queue: int = 100
    max_running: int = 1
    fence: bool = False
    background: Background = Background.KILL
    start_within_s: float | None = None
    #: As with `Job`: where the log has lost the word that put the revision in force, its runs say.
    expect_within_s: float | None = None
    ping: Ping | None = None
    on_success: str | None = None
    on_discard: str | None = None
    then: list[Following] | None = None
    #: With cause `chain`, what it follows: not signed, since nobody knows it before.
    previous: Previous | None = None
    #: As with `Job`: the fold of the cluster's log counts.
    pause_after: int | None = None
    #: Why there is this run; None for one that the schedule asked for.
    cause: Cause | None = None
    #: Tells runs with the same due time and cause apart.
    number: int = 0
    #: The log's time (UTC) when its sender judged that it is to be made: a run with a cause or a
    #: later attempt that the broker gets more than ten minutes after it is stale. One that a
    #: schedule asked for has it where it was missed, and is made up for.
    as_of: datetime | None = None
    #: The attempts made so far; at most the last 20.
    attempts: list[Attempt] | None = None
    #: Who vouches for it, as with `Job`; it stays with each later attempt.
    signature: str | None = None
    #: What `as_of` is else, of a later attempt or a follower that is signed: so is that one.
    retry_as_of: datetime | None = None
    #: Who asked for it, if a person did and says so.
    by: str | None = None
    #: ``job@2026-01-01T12:00:00Z``, with ``!cause-number`` for what no schedule asked for.
    id = WorkedOut(_id_of, "job", "scheduled_at", "cause", "number")

    @property
    def judged_at(self) -> datetime | None:
        """The log's time (UTC) when the sender of this attempt judged that it is to be made."""
        return self.retry_as_of or self.as_of

    def __post_init__(self) -> None:
        """Refuse what no scheduler can have produced: Faust itself checks no values."""
        if not 1 <= self.attempts_left <= self.max_attempts or self.attempt < 1:
            left = f"{self.attempts_left} of {self.max_attempts} left"
            raise MessageError(f"run of {self.job!r}: attempt {self.attempt}, {left}")
        if (self.cause is None) == (self.revision is None):
            raise MessageError(f"run of {self.job!r} needs either a revision or a cause")


class Discarded(Record, namespace="cronstream.Discarded"):
    """A run that is out of attempts, kept for people; a reader takes the first for a run id."""

    run: Run
    reason: str
    #: When it was decided, by the log's clock (UTC).
    discarded_at: datetime
