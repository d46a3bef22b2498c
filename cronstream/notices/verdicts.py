"""What webhooks are sent about the verdict of a run: JSON, in the form of docs/notifications.md.

``text`` is what a chat shows; its ``&``, ``<`` and ``>`` are escaped as Slack wants it, so that no
output of a command calls anybody.
"""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from cronstream.core.ledger.retry import describe
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.runs import Attempt, Run
from cronstream.core.wire.times import format_time
from cronstream.notices.notice import Kind, Notice

#: The form of the body; another is another number.
VERSION: Final = 1
#: Characters of what the last attempt wrote that are sent, and of those that a chat shows.
MOST_OUTPUT: Final = 32_768
_SHOWN: Final = 1000


def of_verdict(run: Run, verdict: Verdict, reason: str, at: datetime, output: str) -> list[Notice]:
    """Return what is sent when a run has its verdict: one notice, or none.

    Args:
        run: With its attempts, the last of them too.
        verdict: What became of it.
        reason: Why, as log lines have it.
        at: When that was, by the log.
        output: The end of what its last attempt wrote, as far as that is known.
    """
    match verdict:
        case Verdict.SUCCEEDED:
            kind, place = Kind.ON_SUCCESS, run.on_success
        case Verdict.DISCARDED:
            kind, place = Kind.ON_DISCARD, run.on_discard
        case _:
            return []
    if place is None:
        return []
    body = orjson.dumps(_body(run, verdict, reason, at, output[-MOST_OUTPUT:]))
    ident = ident_of(run, verdict)
    return [Notice(kind, run.job, run.id, place, verdict.value, body=body, ident=ident)]


def ident_of(run: Run, verdict: Verdict) -> str:
    """Return the id of a notice: the same, however often and by whomever it is sent."""
    return str(uuid5(NAMESPACE_URL, f"cronstream:{run.cluster}/{run.id}/{verdict.value}"))


def _body(
    run: Run, verdict: Verdict, reason: str, at: datetime, output: str
) -> Mapping[str, object]:
    attempts = run.attempts or []
    last = attempts[-1] if attempts else None
    return {
        "version": VERSION,
        "id": ident_of(run, verdict),
        "text": _text(run, verdict, reason, output),
        "verdict": verdict.value,
        "reason": reason,
        "run": run.id,
        "job": run.job,
        "cluster": run.cluster,
        "cause": None if run.cause is None else run.cause.value,
        "scheduled_at": format_time(run.scheduled_at),
        "decided_at": format_time(at),
        "attempt": run.attempt,
        "max_attempts": run.max_attempts,
        "exit_status": None if last is None else last.exit_status,
        "signal": None if last is None else last.signal,
        "attempts": [_of_attempt(attempt) for attempt in attempts],
        "output": output,
    }


def _of_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "outcome": attempt.outcome.value,
        "ended_at": format_time(attempt.ended_at),
        "worker": attempt.worker,
        "exit_status": attempt.exit_status,
        "signal": attempt.signal,
        "note": attempt.note,
    }


def _text(run: Run, verdict: Verdict, reason: str, output: str) -> str:
    attempts = run.attempts or []
    how = describe(attempts[-1]) if verdict is Verdict.SUCCEEDED and attempts else reason
    first = f"{run.cluster}: run {run.id} {verdict.value}: {how}; see: cronstream show {run.id}"
    shown = output.strip()[-_SHOWN:]
    return escape(f"{first}\n{shown}" if shown else first, quote=False)
