"""The course of a run, as a picture: when it waited, and when its attempts ran."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from cronstream.history.story import AttemptStory, RunStory

#: The width of the picture; a stretch that would be narrower than this is drawn so wide.
WIDTH: Final = 1000
_LEAST: Final = 3.0


def course(story: RunStory, now: datetime) -> dict[str, Any] | None:
    """Return what is to be drawn of a run at a time (UTC); None if no attempt was made.

    Each stretch has its kind (``wait`` or ``ran``), and where it begins and how wide it is, in
    parts of `WIDTH`.
    """
    if not story.attempts:
        return None
    moments = list(_moments(story))
    ends = [*moments, *([] if story.state.settled else [now])]
    first, last = min(moments, default=now), max(ends, default=now)
    if last <= first:
        return None
    scale = WIDTH / (last - first).total_seconds()

    def stretch(kind: str, since: datetime, until: datetime) -> dict[str, Any]:
        seconds = max(0.0, (until - since).total_seconds())
        wide = max(_LEAST, seconds * scale)
        x = min((since - first).total_seconds() * scale, WIDTH - wide)
        return {"kind": kind, "x": round(x, 1), "width": round(wide, 1), "seconds": seconds}

    rows = []
    since = story.due_at or first
    for attempt in story.attempts:
        begun = attempt.started_at or attempt.claimed_at or since
        over = attempt.ended_at or now
        parts = [stretch("wait", since, begun)] if begun > since else []
        if attempt.started_at is not None:
            parts.append(stretch("ran", begun, over))
        rows.append({"attempt": attempt.number, "outcome": attempt.outcome, "parts": parts})
        since = over
    if not story.state.settled and story.not_before and story.last and story.last.ended_at:
        rows.append({"attempt": None, "outcome": None, "parts": [stretch("wait", since, now)]})
    return {"since": first, "until": last, "rows": rows, "is_over": story.state.settled}


def _moments(story: RunStory) -> Iterator[datetime]:
    if story.due_at is not None:
        yield story.due_at
    for attempt in story.attempts:
        yield from _of(attempt)


def _of(attempt: AttemptStory) -> Iterator[datetime]:
    for moment in (attempt.started_at, attempt.ended_at):
        if moment is not None:
            yield moment
