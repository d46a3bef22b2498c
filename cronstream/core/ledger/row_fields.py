"""How a live run, and what is kept of a job, stand in a row."""

from datetime import datetime
from typing import Any, Final

from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.state import Effect, LiveRun, State
from cronstream.core.wire.codec import build, from_json, to_json
from cronstream.core.wire.entries import Skip
from cronstream.core.wire.enumerations import SkipReason, Verdict
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time

_SUCCESSORS = {"Run": Run, "Skip": Skip}


def live_row(live: LiveRun) -> dict[str, Any]:
    """Return a live run as it stands in a row."""
    row: dict[str, Any] = {
        "run": to_json(live.run),
        "version": live.version,
        "state": live.state,
        "holder": live.holder,
        "claim": live.claim,
        "begun": live.begun,
        "begun_before": live.begun_before,
        "asked": live.asked_to_give_way,
        "successor": None if live.successor is None else to_json(live.successor),
        "cancelled": live.cancelled,
        "losses": live.losses,
        "effect": live.effect,
        "reason": live.reason,
        "not_before": None if live.not_before is None else format_time(live.not_before),
        "decided_at": None if live.decided_at is None else format_time(live.decided_at),
    }
    for name, default in _SINCE_LEVEL_2.items():
        if getattr(live, name) != default:
            row[name] = getattr(live, name)
    return row


#: What only a log of level 2 or above can give a live run, with its default.
_SINCE_LEVEL_2: Final[dict[str, Any]] = {
    "cancel": SkipReason.OVERLAP,
    "cancelled_by": None,
    "unsure": False,
    "alone": False,
    "deaths": 0,
    "entered": None,
}


def read_live(row: dict[str, Any]) -> LiveRun:
    """Return the live run that stands in a row."""
    successor, effect = row["successor"], row["effect"]
    return LiveRun(
        run=build(Run, row["run"]),
        version=row["version"],
        state=State(row["state"]),
        holder=row["holder"],
        claim=row["claim"],
        begun=row["begun"],
        begun_before=row["begun_before"],
        asked_to_give_way=row["asked"],
        successor=None if successor is None else from_json(successor, _SUCCESSORS),
        cancelled=row.get("cancelled", False),
        cancel=SkipReason(row.get("cancel", SkipReason.OVERLAP)),
        cancelled_by=row.get("cancelled_by"),
        losses=row["losses"],
        unsure=row.get("unsure", False),
        alone=row.get("alone", False),
        deaths=row.get("deaths", 0),
        entered=row.get("entered"),
        effect=None if effect is None else Effect(effect),
        reason=row["reason"],
        not_before=None if row["not_before"] is None else time_of(row["not_before"]),
        decided_at=None if row["decided_at"] is None else time_of(row["decided_at"]),
    )


def mark_row(mark: Mark) -> list[Any]:
    """Return what is kept of a job as it stands in a row: its last values only if they say more."""
    row: list[Any] = [
        format_time(mark.high),
        format_time(mark.floor),
        [[revision, format_time(at)] for revision, at in mark.revisions],
        [[format_time(due), verdict] for due, verdict in mark.settled.items()],
        [[format_time(start), format_time(end)] for start, end in mark.skipped],
    ]
    more = [mark.removed, mark.learnt, mark.heard, mark.former]
    while more and more[-1] == _UNSAID[len(more) - 1]:
        del more[-1]
    return row + more


#: What the last values of a mark's row are where they are left out.
_UNSAID: Final = (-1, -1, 0, -1)


def read_mark(row: list[Any]) -> Mark:
    """Return what is kept of a job, by a row."""
    high, floor, revisions, settled, skipped, *more = row
    more += _UNSAID[len(more) :]
    removed, learnt, heard, former = more
    return Mark(
        high=time_of(high),
        floor=time_of(floor),
        revisions=[(revision, time_of(at)) for revision, at in revisions],
        settled={time_of(due): Verdict(verdict) for due, verdict in settled},
        skipped=[(time_of(start), time_of(end)) for start, end in skipped],
        removed=removed,
        learnt=learnt,
        heard=heard,
        former=former,
    )


def time_of(text: str) -> datetime:
    """Return a time that stands in a row."""
    return datetime.fromisoformat(text)
