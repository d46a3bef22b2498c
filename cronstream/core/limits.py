"""How large the numbers of a job may be: of one in a crontab, and of one on the wire."""

from typing import Final

#: Attempts of a run, at most.
MAX_ATTEMPTS: Final = 100
#: No length of time is longer, in seconds: a leap year.
LONGEST_S: Final = 366 * 86_400.0
#: A success of a job is expected within no longer than this, in seconds: its mark is forgotten
#: where a log says nothing of the job for as long (`cronstream.core.ledger.mark.KEEP_DAYS`).
LONGEST_EXPECTED_S: Final = 40 * 86_400.0
#: Due runs that may wait, at most, with overlap `queue`.
MAX_QUEUE: Final = 10_000
#: Runs of a job that may have begun at a time, at most, with overlap `skip` or `queue`.
MAX_RUNNING: Final = 1000
#: Runs that may follow a run, one after another and beside each other, at most.
MAX_FOLLOWING: Final = 100
#: So many of them one after another.
MAX_CHAIN: Final = 20
#: Discarded runs in a row that pause a job, at most.
MAX_PAUSE_AFTER: Final = 1000
#: What a wait between attempts is multiplied by, at most.
MAX_FACTOR: Final = 1000.0
