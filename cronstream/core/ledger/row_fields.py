"""How a live run, and what is kept of a job, stand in a row."""

from datetime import datetime
from typing import Any, Final

from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.paused import Paused
from cronstream.core.ledger.row_checks import moment, number, of_kind, seconds, sound
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
    "settled_attempt": None,
    "paused": False,
}


def read_live(row: dict[str, Any]) -> LiveRun:
    """Return the live run that stands in a row.

    Raises:
        KeyError, TypeError, ValueError: If it is none that a fold has left; or a MessageError.
    """
    successor, effect = row["successor"], row["effect"]
    live = LiveRun(
        run=build(Run, of_kind(row["run"], dict)),
        version=row["version"],
        state=State(row["state"]),
        holder=row["holder"],
        claim=row["claim"],
        begun=row["begun"],
        begun_before=row["begun_before"],
        asked_to_give_way=row["asked"],
        paused=row.get("paused", False),
        successor=None if successor is None else from_json(successor, _SUCCESSORS),
        cancelled=row.get("cancelled", False),
        cancel=SkipReason(row.get("cancel", SkipReason.OVERLAP)),
        cancelled_by=row.get("cancelled_by"),
        losses=row["losses"],
        unsure=row.get("unsure", False),
        alone=row.get("alone", False),
        deaths=row.get("deaths", 0),
        entered=row.get("entered"),
        settled_attempt=row.get("settled_attempt"),
        effect=None if effect is None else Effect(effect),
        reason=row["reason"],
        not_before=None if row["not_before"] is None else moment(row["not_before"]),
        decided_at=None if row["decided_at"] is None else moment(row["decided_at"]),
    )
    return sound(live)


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


def success_row(job: str, mark: Mark) -> list[Any]:
    """Return what is known of a job's successes as it stands in a row.

    It stands beside the marks, and not in them, so that a process that does not know of it reads
    the row all the same.
    """
    last = None if mark.succeeded_at is None else format_time(mark.succeeded_at)
    row: list[Any] = [job, format_time(mark.watched_since), last, mark.expect_within_s]
    while row[-1] is None:
        del row[-1]
    return row


def read_success(row: list[Any], marks: dict[str, Mark]) -> None:
    """Add to a job's mark what is known of its successes, by a row.

    Raises:
        KeyError, TypeError, ValueError: If it is nothing that a fold has left.
    """
    job, since, *more = row
    last, within_s = [*more, None, None][: max(2, len(more))]
    mark = marks[of_kind(job, str)]
    mark.watched_since = moment(since)
    mark.succeeded_at = None if last is None else moment(last)
    mark.expect_within_s = None if within_s is None else seconds(within_s)


def pause_row(job: str, paused: Paused) -> list[Any]:
    """Return what is kept of a job's pauses as it stands in a row: only of those that had one."""
    to, halted_at = paused.to, paused.halted_at
    return [
        job,
        paused.revision,
        None if to is None else format_time(to),
        paused.with_retries,
        paused.discards,
        None if halted_at is None else format_time(halted_at),
        paused.halted_by,
    ]


def read_pause(row: list[Any], marks: dict[str, Mark]) -> None:
    """Add to a job's mark what is kept of its pauses, by a row.

    Raises:
        KeyError, TypeError, ValueError: If it is nothing that a fold has left.
    """
    job, revision, to, with_retries, discards, halted_at, halted_by = row
    marks[of_kind(job, str)].paused = Paused(
        number(revision, -1),
        None if to is None else moment(to),
        of_kind(with_retries, bool),
        number(discards),
        None if halted_at is None else moment(halted_at),
        of_kind(halted_by, str),
    )


#: What the last values of a mark's row are where they are left out.
_UNSAID: Final = (-1, -1, 0, -1)


def read_mark(row: list[Any], now: datetime) -> Mark:
    """Return what is kept of a job, by a row of a log as it stood at `now`.

    Raises:
        TypeError, ValueError: If it is nothing that a fold has left.
    """
    high, floor, revisions, settled, skipped, *more = row
    more += _UNSAID[len(more) :]
    removed, learnt, heard, former = more
    return Mark(
        high=moment(high),
        floor=moment(floor),
        revisions=[(number(revision), moment(at)) for revision, at in revisions],
        settled={moment(due): Verdict(verdict) for due, verdict in settled},
        skipped=[(moment(start), moment(end)) for start, end in skipped],
        removed=number(removed, -1),
        learnt=number(learnt, -1),
        heard=number(heard),
        former=number(former, -1),
        watched_since=now,
    )
