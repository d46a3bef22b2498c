"""What monitors are sent about the attempts that a worker makes.

They are about the run: each attempt that starts is a start; of those that fail only the last is a
failure, and the others are noted where that can be (`log`).
"""

from collections.abc import Iterator

from cronstream.core.ledger.retry import Retry, decide, describe
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.enumerations import Delivery, Outcome
from cronstream.core.wire.runs import Attempt, Run
from cronstream.notices.notice import MOST_BYTES, Kind, Notice

#: A signal counts as 128 and its number, as in a shell; no exit status is larger than 255.
_SIGNALS = 128
_LARGEST_STATUS = 255


def of_start(run: Run) -> Iterator[Notice]:
    """Yield what is sent when an attempt has started."""
    for kind, place in _places(run):
        yield Notice(kind, run.job, run.id, place, "start")


def of_end(run: Run, end: Finished) -> Iterator[Notice]:
    """Yield what is sent when an attempt has ended; nothing, where it is made again as it was."""
    attempt = _attempt_of(run, end)
    event = _event_of(run, attempt)
    if event is None:
        return
    body = _body_of(attempt, end)
    for kind, place in _places(run):
        if kind is Kind.SENTRY and event == "log":
            continue
        status = _status_of(end) if event == "fail" else None
        yield Notice(kind, run.job, run.id, place, event, status, body if _has_body(kind) else b"")


def _has_body(kind: Kind) -> bool:
    return kind is Kind.HEALTHCHECKS


def _places(run: Run) -> Iterator[tuple[Kind, str]]:
    if run.ping is not None:
        found = (Kind.HEALTHCHECKS, run.ping.healthchecks), (Kind.SENTRY, run.ping.sentry)
        yield from ((kind, place) for kind, place in found if place)


def _attempt_of(run: Run, end: Finished) -> Attempt:
    return Attempt(
        attempt=run.attempt,
        outcome=end.outcome,
        ended_at=end.ended_at,
        worker=end.worker,
        exit_status=end.exit_status,
        signal=end.signal,
        note=end.note,
    )


def _event_of(run: Run, attempt: Attempt) -> str | None:
    match attempt.outcome:
        case Outcome.SUCCEEDED:
            return "success"
        case Outcome.FAILED | Outcome.TIMED_OUT:
            return "log" if isinstance(decide(run, attempt), Retry) else "fail"
        case Outcome.LOST | Outcome.INTERRUPTED if run.delivery is Delivery.AT_MOST_ONCE:
            return "fail"
        case _:
            return None


def _status_of(end: Finished) -> int | None:
    if end.outcome is Outcome.TIMED_OUT:
        return None
    status = end.exit_status if end.signal is None else _SIGNALS + end.signal
    return status if status is not None and 1 <= status <= _LARGEST_STATUS else None


def _body_of(attempt: Attempt, end: Finished) -> bytes:
    """Return what became of it, and the end of what it wrote, in as many bytes as are kept."""
    gap = f"\n… {end.omitted} bytes are left out …\n" if end.omitted else ""
    written = f"{end.head}{gap}{end.tail}".encode(errors="replace")
    first = f"{describe(attempt)}\n\n".encode(errors="replace")[: MOST_BYTES // 2]
    room = MOST_BYTES - len(first)
    return first + written[-room:].decode(errors="ignore").encode()
