"""What is on the topics: every message as a typed Record.

The namespace of each Record is part of the message, so it is spelled out: moving a class must not
change what is on the topics.
What a worker or a scheduler puts on a cluster's log is an entry; the union of them is `Entry`.
"""

import re
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final, TypeAlias

from cronstream.core.wire.record import Record
from cronstream.errors import MessageError


class Delivery(StrEnum):
    """What is done about an attempt whose worker was lost."""

    #: It is made again: a command may run more than once for a run.
    AT_LEAST_ONCE = "at_least_once"
    #: The run is discarded: a command is never started again once it may have started.
    AT_MOST_ONCE = "at_most_once"


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    #: Its worker died or went silent past its lease.
    LOST = "lost"
    #: Its worker was told to stop; costs no attempt.
    INTERRUPTED = "interrupted"


#: How attempts end that count as failures of the command: they use up attempts, and are retried.
FAILURES: Final = frozenset({Outcome.FAILED, Outcome.TIMED_OUT})


class Verdict(StrEnum):
    """What finally became of a run."""

    SUCCEEDED = "succeeded"
    DISCARDED = "discarded"
    SKIPPED = "skipped"


class SkipReason(StrEnum):
    """Why a due time was not run."""

    MISSED = "missed"
    COALESCED = "coalesced"
    OVERLAP = "overlap"
    PAUSED = "paused"
    WITHDRAWN = "withdrawn"
    #: By a person.
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why there is a run that no schedule asked for."""

    RUN_NOW = "run-now"
    REPLAY = "replay"
    LEGACY = "legacy"


class Overlap(StrEnum):
    """What is done when a run is due while another of its job has begun and has no verdict."""

    #: It is started all the same.
    ALLOW = "allow"
    #: It is skipped.
    SKIP = "skip"
    #: It waits for its turn.
    QUEUE = "queue"
    #: The other is ended and skipped, then it is started.
    REPLACE = "replace"


class Background(StrEnum):
    """What becomes of the processes that a command has left when it ends."""

    #: They are ended with it.
    KILL = "kill"
    #: The attempt goes on until all of them have ended.
    WAIT = "wait"


class HouseState(StrEnum):
    """Whether processes may work in an installation."""

    #: It was exported: what was live here goes on elsewhere.
    CLOSED = "closed"
    #: An import is under way, or was broken off.
    FILLING = "filling"
    OPEN = "open"


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


class Skip(Record, namespace="cronstream.Skip"):
    """Due times of a job that are not to be run, and why: from the first to the last of them."""

    job: str
    revision: int
    reason: SkipReason
    from_at: datetime
    to_at: datetime
    count: int = 1


class Withdrawal(Record, namespace="cronstream.Withdrawal"):
    """From `effective_from` on, only runs of `revision` (or a later one) of the job hold."""

    job: str
    revision: int
    effective_from: datetime
    #: The job was taken out: what has not begun goes, whenever it was due.
    removed: bool = False


class Owned(Record, namespace="cronstream.Owned"):
    """A worker has been assigned the partition, and has read all that is before this entry."""

    worker: str
    #: Fresh for each assignment; only the one that was sent last is the worker's barrier.
    number: int


class Claimed(Record, namespace="cronstream.Claimed"):
    """A worker wants to make the attempt; the first claim of a version stands."""

    run: str
    version: int
    worker: str
    #: The worker's heartbeat number: a claim counts as one.
    number: int


class Released(Record, namespace="cronstream.Released"):
    """The claim is given back; its executor says that the attempt never started."""

    run: str
    claim: int
    worker: str


class Started(Record, namespace="cronstream.Started"):
    """The command has been started (at_most_once: may be started once this is read back)."""

    run: str
    claim: int
    worker: str
    #: By the worker's clock (UTC).
    started_at: datetime
    pid: int | None = None


class Finished(Record, namespace="cronstream.Finished"):
    """An attempt has ended."""

    run: str
    claim: int
    worker: str
    outcome: Outcome
    #: By the worker's clock (UTC); None when no process could be started.
    started_at: datetime | None
    ended_at: datetime
    exit_status: int | None = None
    signal: int | None = None
    #: The first and the last bytes that the command wrote, as text.
    head: str = ""
    tail: str = ""
    #: How many bytes between `head` and `tail` were left out.
    omitted: int = 0
    #: Why there was no process, or why it was ended.
    note: str | None = None
    #: Its executor has died with it: with outcome `lost`, it may have started.
    executor_died: bool = False


class Skipped(Record, namespace="cronstream.Skipped"):
    """The owner skips a queued run, under the job's overlap policy."""

    run: str
    version: int
    reason: SkipReason


class Cancelled(Record, namespace="cronstream.Cancelled"):
    """A run is to end as skipped: a later one takes its place, or a person wants it no more.

    From the owner of a cluster's log; for a run that is on the retry log it is published there.
    With reason `cancelled` from a person's command, which asks whatever the run is doing.
    """

    run: str
    #: The version that was judged; None from a person, and on a retry log, where the cluster's
    #: has the word.
    version: int | None = None
    reason: SkipReason = SkipReason.OVERLAP
    #: Who asked for it, if a person did.
    by: str | None = None


class Lost(Record, namespace="cronstream.Lost"):
    """The owner has not heard of `worker` for a lease; void if a newer heartbeat came before."""

    worker: str
    #: The last heartbeat that was judged.
    number: int


class Forwarded(Record, namespace="cronstream.Forwarded"):
    """What was decided at `version` has been published."""

    run: str
    version: int


class Heartbeat(Record, namespace="cronstream.Heartbeat"):
    """The worker is there, and holds what it has claimed on this partition."""

    worker: str
    number: int


class Settled(Record, namespace="cronstream.Settled"):
    """The verdict of a run that went to the retry log, reported back to its cluster's log."""

    run: str
    verdict: Verdict
    attempt: int
    #: Why it was skipped; None for overlap.
    reason: SkipReason | None = None


class Repair(Record, namespace="cronstream.Repair"):
    """A person says that the log's clock was ahead before, and is right now.

    On a partition of a log: what counts as published beyond its append time does so no longer.
    """

    #: Who asked for it.
    by: str


class Discarded(Record, namespace="cronstream.Discarded"):
    """A run that is out of attempts, kept for people; a reader takes the first for a run id."""

    run: Run
    reason: str
    #: When it was decided, by the log's clock (UTC).
    discarded_at: datetime


class Level(Record, namespace="cronstream.Level"):
    """From here on entries of this level may stand here (see `cronstream.core.wire.levels`).

    On every partition of every log, and of the ``jobs`` topic; from schedulers, which repeat it.
    """

    level: int
    #: The version of cronstream that wrote it, for people.
    version: str = ""

    def __post_init__(self) -> None:
        """Refuse what no scheduler announces."""
        if self.level < 1:
            raise MessageError(f"level {self.level}, where 1 is the lowest")


class Installation(Record, namespace="cronstream.Installation"):
    """Which installation the ``jobs`` topic is of; the first one on its partition 0 counts.

    From the scheduler that first puts a crontab in force, which remembers it.
    """

    #: Made at random, once: 32 hexadecimal digits.
    id: str
    #: The id of the Kafka that it was begun on: offsets mean nothing on another.
    kafka: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no scheduler has made: it becomes the name of a file."""
        if not re.fullmatch("[0-9a-f]{32}", self.id):
            raise MessageError(f"installation {self.id!r}, which is no id")


class House(Record, namespace="cronstream.House"):
    """Whether processes may work here from now on; the last word on the ``jobs`` topic counts.

    On each of its partitions, from ``cronstream export`` and ``import``; an installation of which
    nothing was said is open.
    """

    state: HouseState
    #: The id of the export that this is about.
    export: str
    #: The due times up to this one are the former house's, and those after it the next one's (UTC).
    at: datetime | None = None


class Tick(Record, namespace="cronstream.Tick"):
    """Time to look for due runs; decides nothing, and may be late or doubled."""

    shard: int
    #: By the clock of the scheduler that sent it (UTC).
    at: datetime


Entry: TypeAlias = (
    Run
    | Skip
    | Withdrawal
    | Owned
    | Claimed
    | Released
    | Started
    | Finished
    | Skipped
    | Cancelled
    | Lost
    | Forwarded
    | Heartbeat
    | Settled
    | Level
    | Repair
)
Message: TypeAlias = Entry | Job | Installation | House | Discarded | Tick

#: Every kind of entry, by the name that stands in the message.
ENTRIES: tuple[type[Record], ...] = (
    Run,
    Skip,
    Withdrawal,
    Owned,
    Claimed,
    Released,
    Started,
    Finished,
    Skipped,
    Cancelled,
    Lost,
    Forwarded,
    Heartbeat,
    Settled,
    Level,
    Repair,
)


def format_time(moment: datetime) -> str:
    """Return an aware UTC time as ``2026-01-01T12:00:00Z``, with a fraction only if it has one."""
    return moment.isoformat().replace("+00:00", "Z")


def format_clock(moment: datetime) -> str:
    """Return the time of day of an aware UTC time, to the second: ``12:00:00Z``."""
    return f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}Z"
