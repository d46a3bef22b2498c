"""Entries: what schedulers, workers and people put on a cluster's log, each as a typed Record.

A `Run` is one as well; the union of them is `Entry`.
"""

from datetime import datetime
from typing import TypeAlias

from cronstream.core.wire.enumerations import Outcome, SkipReason, Verdict
from cronstream.core.wire.record import Record
from cronstream.core.wire.runs import Run
from cronstream.errors import MessageError


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
    #: A success of the job is expected at least so often, in seconds; None if nobody asks for it.
    expect_within_s: float | None = None
    #: The job is paused: what is due before this and has not begun is skipped (UTC).
    paused_to: datetime | None = None
    #: While it is, later attempts are skipped, too.
    with_retries: bool = False
    #: A person has resumed the job: what its discarded runs have paused goes on as well.
    lifts: bool = False


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
    #: By who does not own the partition (rule 26).
    borrowed: bool = False


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
    #: Why it was discarded, where another run follows it.
    why: str | None = None


class Repair(Record, namespace="cronstream.Repair"):
    """A person says that the log's clock was ahead before, and is right now.

    On a partition of a log: what counts as published beyond its append time does so no longer.
    """

    #: Who asked for it.
    by: str


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
