"""A ledger as one JSON row, and back.

The row is a snapshot of the fold at `next_offset`. It is one value, so it is whole or not there:
an older one (written late by a worker that had been replaced) only means that more of the log is
folded again. A test folds half of a log, goes through a row, folds the rest, and wants what one
fold of the whole gives.

With tens of thousands of runs that is seconds of work, for which no worker may stand still: a row
is made and read in parts, each some milliseconds of it, and other things are done in between.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, TypeAlias

import orjson

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.mark import Mark
from cronstream.core.ledger.paused import NOT_PAUSED
from cronstream.core.ledger.row_checks import moment, number, of_kind
from cronstream.core.ledger.row_fields import (
    live_row,
    mark_row,
    pause_row,
    read_live,
    read_mark,
    read_pause,
    read_success,
    success_row,
)
from cronstream.core.ledger.state import Beat, Beginning, LiveRun
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.pieces import WHOLE_BYTES
from cronstream.core.wire.times import format_time
from cronstream.core.wire.values import short
from cronstream.errors import LevelError, MessageError

#: The format of a row at level 1; one of a higher level has a format that is as much higher, so a
#: process that does not know the level does not read it. What it does not know of is not in it.
FORMAT = 2
#: The oldest that is read; a row of format 1 knows of no cancelled runs.
_OLDEST = 1

#: A row as JSON values, or a part of one: the first has all the fields, and those that follow more
#: of `live`, `marks`, `recent`, `successes` and `pauses`.
Row: TypeAlias = dict[str, Any]

#: A part has so many runs, or as much else as takes as long.
PART: Final = 250
#: Due times with a verdict, and ids of runs, that take as long as a run.
_LIGHT: Final = 10


def to_row(ledger: Ledger, partition: int) -> Row:
    """Return the ledger of a partition as JSON values."""
    return join(row_parts(ledger, partition))


def row_parts(ledger: Ledger, partition: int) -> Iterator[Row]:
    """Return the row of a ledger as it stands now, in parts, each made when it is asked for.

    The ledger may change meanwhile: what changes in place has been copied when this returns, which
    takes a microsecond for each run.
    """
    head = {
        "format": FORMAT + ledger.book.level - 1,
        "partition": partition,
        "retry": ledger.book.retry,
        "next_offset": ledger.book.next_offset,
        "now": format_time(ledger.book.now),
        "beats": [[worker, b.number, format_time(b.at)] for worker, b in ledger.book.beats.items()],
    }
    if ledger.book.day:
        head["days"] = [ledger.book.day, ledger.book.today]
    if (beginning := ledger.book.beginning) is not None:
        ids = sorted(beginning.begun), sorted(beginning.withdrawn)
        head["beginning"] = [beginning.offset, format_time(beginning.at), *ids]
    live = [_fields_of(run) for run in ledger.book.live.values()]
    marks = [(job, _copy(mark)) for job, mark in ledger.book.marks.items()]
    remembered = list(ledger.book.recent.items()), list(ledger.book.handed_over.items())
    return _parts(head, _rows(live, marks, *remembered))


_fields_of = attrgetter(*(field.name for field in fields(LiveRun)))


def _copy(mark: Mark) -> Mark:
    return replace(
        mark, revisions=[*mark.revisions], settled={**mark.settled}, skipped=[*mark.skipped]
    )


#: One of `live`, of `marks` with its job, of the others; and how much work it was.
_Piece: TypeAlias = tuple[str, Any, int]


def _rows(
    live: list[tuple[Any, ...]],
    marks: list[tuple[str, Mark]],
    recent: list[tuple[str, tuple[int, Verdict, datetime]]],
    handed_over: list[tuple[str, datetime]],
) -> Iterator[_Piece]:
    for values in live:
        yield "live", live_row(LiveRun(*values)), _LIGHT
    for job, mark in marks:
        yield "marks", (job, mark_row(mark)), _LIGHT + len(mark.settled)
        yield "successes", success_row(job, mark), 1
        if mark.paused != NOT_PAUSED:
            yield "pauses", pause_row(job, mark.paused), 1
    for run_id, (attempt, verdict, at) in recent:
        yield "recent", [run_id, attempt, verdict, format_time(at)], 1
    for run_id, at in handed_over:
        yield "handed_over", [run_id, format_time(at)], 1


def _parts(head: Row, pieces: Iterable[_Piece]) -> Iterator[Row]:
    part, work = {**head, **_nothing()}, 0
    for name, piece, costs in pieces:
        part.setdefault(name, []).append(piece)
        work += costs
        if work >= PART * _LIGHT:
            yield part | {"marks": dict(part["marks"])}
            part, work = _nothing(), 0
    yield part | {"marks": dict(part["marks"])}


def _nothing() -> Row:
    return {"live": [], "marks": [], "recent": [], "successes": []}


def join(parts: Iterable[Row]) -> Row:
    """Return a row whose parts these are."""
    whole, *more = parts
    for part in more:
        whole["live"] += part["live"]
        whole["marks"].update(part["marks"])
        whole["recent"] += part["recent"]
        whole["successes"] += part["successes"]
        for name in {"pauses", "handed_over"} & part.keys():
            whole.setdefault(name, []).extend(part[name])
    return whole


def as_text(lines: list[bytes]) -> bytes:
    """Return a row as it goes on the changelog: a small one as one JSON value, as it always was."""
    text = b"\n".join(lines)
    if len(text) > WHOLE_BYTES or len(lines) == 1:
        return text
    return orjson.dumps(join(map(orjson.loads, lines)))


def from_row(row: Row, known: int = LEVEL) -> Ledger:
    """Return the ledger that a row describes.

    Args:
        row: JSON values.
        known: The highest level that this process knows.

    Raises:
        MessageError: If it is of another format, or damaged; fold the log from its start then.
        LevelError: If it is of a level that is not known here: neither read it, nor write over it.
    """
    [ledger] = from_parts([row], known)
    return ledger


def from_parts(parts: Iterable[Row], known: int = LEVEL) -> Iterator[Ledger]:
    """Yield the ledger that a row describes, the same after each part: after the last it is whole.

    Args:
        parts: At least one.
        known: The highest level that this process knows.

    Raises:
        MessageError: As `from_row`.
        LevelError: Likewise.
    """
    ledger: Ledger | None = None
    try:
        for part in parts:
            ledger = _read_head(part, known) if ledger is None else ledger
            _read(ledger, part)
            yield ledger
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise MessageError(f"a damaged ledger row: {error}") from error


def _level_of(form: Any) -> int:
    if type(form) is not int or form < _OLDEST:
        raise MessageError(f"a ledger row of format {short(form)}, not {FORMAT}")
    return max(1, form - FORMAT + 1)


def _read_head(row: Row, known: int) -> Ledger:
    """Read what stands at the beginning of a row of any level.

    What is not even that is damaged, whatever level it claims to be of.
    """
    level = _level_of(of_kind(row, dict).get("format"))
    next_offset, now = number(row["next_offset"]), moment(row["now"])
    retry = of_kind(row["retry"], bool)
    if level > known:
        raise LevelError(level, known, "")
    ledger = Ledger(retry=retry, known=known)
    ledger.book.level, ledger.book.now = level, now
    ledger.book.next_offset, ledger.book.offset = next_offset, next_offset - 1
    ledger.book.day, ledger.book.today = map(number, row.get("days", (0, 0)))
    if "beginning" in row:
        offset, at, *ids = row["beginning"]
        begun, withdrawn = ({of_kind(run, str) for run in some} for some in ids)
        ledger.book.beginning = Beginning(number(offset), moment(at), begun, withdrawn)
    ledger.book.beats = {
        of_kind(worker, str): Beat(number(beat), moment(at)) for worker, beat, at in row["beats"]
    }
    return ledger


def _read(ledger: Ledger, part: Row) -> None:
    for live in of_kind(part, dict)["live"]:
        ledger.book.index(read_live(of_kind(live, dict)))
    marks = of_kind(part["marks"], dict)
    now = ledger.book.now
    ledger.book.marks.update((job, read_mark(mark, now)) for job, mark in marks.items())
    for success in part.get("successes", ()):
        read_success(of_kind(success, list), ledger.book.marks)
    for pause in part.get("pauses", ()):
        read_pause(of_kind(pause, list), ledger.book.marks)
    ledger.book.recent.update(
        (of_kind(run, str), (number(attempt), Verdict(verdict), moment(at)))
        for run, attempt, verdict, at in part["recent"]
    )
    handed_over = part.get("handed_over", ())
    ledger.book.handed_over.update((of_kind(run, str), moment(at)) for run, at in handed_over)
