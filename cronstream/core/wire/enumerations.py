"""Words that messages use and of which there are only so many: each with what it means."""

from enum import StrEnum
from typing import Final


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
    #: Its worker was asked to stop; costs no attempt.
    INTERRUPTED = "interrupted"
    #: Its worker does not trust who asked for it (`cronstream.core.trust`): it was never started.
    REFUSED = "refused"


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
    #: It still waited when its ``start_within`` was over.
    LATE = "late"
    #: By a person.
    CANCELLED = "cancelled"


class Missed(StrEnum):
    """What is done about due times that were missed: older than the grace when first seen."""

    #: Nothing: they are skipped.
    SKIP = "skip"
    #: The newest of an outage is run, for all of them.
    ONCE = "once"
    #: Each of them is run.
    ALL = "all"


class Cause(StrEnum):
    """Why there is a run that no schedule asked for."""

    RUN_NOW = "run-now"
    REPLAY = "replay"
    LEGACY = "legacy"
    #: A person asks for a due time of the past.
    BACKFILL = "backfill"
    #: Another run had its verdict, and this one follows it.
    CHAIN = "chain"


#: Causes for which no person asks: what is due, and what follows another run.
AUTOMATIC: Final = (None, Cause.CHAIN)


class Ending(StrEnum):
    """After which verdicts of a run another follows; never after a skip."""

    SUCCEEDED = "succeeded"
    DISCARDED = "discarded"
    #: After either.
    SETTLED = "settled"


class ControlAction(StrEnum):
    """What a person asks of a job."""

    PAUSE = "pause"
    RESUME = "resume"


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
