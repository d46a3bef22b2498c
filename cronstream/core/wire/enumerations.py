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
