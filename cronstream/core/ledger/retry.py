"""What becomes of a run after an attempt, and when the next attempt may start."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Attempt, Backoff, Run

#: The doubling stops here, where it would long have passed any ceiling
#: (dramatiq stops there too: ``compute_backoff``, ``max_exponent=32``).
_MAX_EXPONENT = 32
#: No wait is longer, whatever a message says: it must fit the calendar.
_LONGEST_S = 10 * 366 * 86_400.0
#: A run carries at most this many of its attempts along.
MAX_ATTEMPTS_CARRIED = 20


@dataclass(frozen=True, slots=True)
class Complete:
    """The attempt succeeded."""


@dataclass(frozen=True, slots=True)
class Retry:
    """There is to be another attempt, not before a time (UTC)."""

    not_before: datetime


@dataclass(frozen=True, slots=True)
class Discard:
    """There is to be no further attempt; people are informed why."""

    reason: str


Decision: TypeAlias = Complete | Retry | Discard
_COMPLETE: Final = Complete()


def decide(run: Run, attempt: Attempt) -> Decision:
    """Decide what becomes of `run` after an attempt that has ended.

    Only what is in the messages counts, and the noise comes from run id and attempt: whoever
    decides, and whenever, decides the same.
    """
    if attempt.outcome is Outcome.SUCCEEDED:
        return _COMPLETE
    if attempt.outcome is Outcome.REFUSED:
        return Discard(describe(attempt))
    if not _is_retried(run, attempt):
        return Discard(f"{describe(attempt)} is not retried (retry_on)")
    if run.attempts_left == 1:
        return Discard(f"{describe(attempt)}, {failures(run)} of {run.max_attempts} failures")
    wait = delay(run.backoff, failures(run), noise=noise(run.id, run.attempt))
    return Retry(attempt.ended_at + wait)


def failures(run: Run) -> int:
    """Return how many attempts will have failed once the one that is to be made has failed."""
    return run.max_attempts - run.attempts_left + 1


def next_attempt(run: Run, not_before: datetime, as_of: datetime) -> Run:
    """Return the message for the retry topic: one attempt fewer, not before the given time."""
    judged = {"as_of": as_of} if run.signature is None else {"retry_as_of": as_of}
    return run.derive(
        attempt=run.attempt + 1,
        attempts_left=run.attempts_left - 1,
        not_before=not_before,
        **judged,
    )


def with_attempt(run: Run, attempt: Attempt) -> Run:
    """Return the run with one more attempt noted; the oldest are dropped past 20."""
    return run.derive(attempts=[*(run.attempts or []), attempt][-MAX_ATTEMPTS_CARRIED:])


def delay(backoff: Backoff, failure: int, *, noise: float) -> timedelta:
    """Return the wait after the failure number `failure`.

    Args:
        backoff: The job's backoff.
        failure: 1 for the first failure of the run.
        noise: A number in [0, 1): this module throws no dice.

    Returns:
        ``first_s * factor ** (failure - 1)`` plus jitter, at most ``ceiling_s``, or ten years.

    Raises:
        ValueError: If `failure` is below 1.
    """
    if failure < 1:
        raise ValueError(f"failures are counted from 1, not {failure}")
    growth = min(backoff.factor, 1000.0) ** min(failure - 1, _MAX_EXPONENT)
    seconds = backoff.first_s * growth * (1 + backoff.jitter * noise)
    return timedelta(seconds=min(seconds, backoff.ceiling_s, _LONGEST_S))


def noise(run_id: str, attempt: int) -> float:
    """Return a number in [0, 1) that is always the same for a run's attempt."""
    digest = hashlib.blake2b(f"{run_id}#{attempt}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def describe(attempt: Attempt) -> str:
    """Return how an attempt ended, in the words of a log line, with what people should know."""
    facts = [attempt.note] if attempt.note else []
    if attempt.outcome is not Outcome.TIMED_OUT:
        if attempt.signal is not None:
            facts.insert(0, f"signal {attempt.signal}")
        elif attempt.exit_status is not None:
            facts.insert(0, f"exit status {attempt.exit_status}")
    details = f" ({'; '.join(facts)})" if facts else ""
    return f"attempt {attempt.attempt} {attempt.outcome.value.replace('_', ' ')}{details}"


def _is_retried(run: Run, attempt: Attempt) -> bool:
    if attempt.outcome is Outcome.TIMED_OUT:
        return run.retry_on.timeouts
    statuses = run.retry_on.statuses
    if statuses is None:
        return True
    status = 128 + attempt.signal if attempt.signal is not None else attempt.exit_status
    return status in statuses
