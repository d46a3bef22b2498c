"""One run with all its attempts, as it is printed."""

from datetime import datetime

import click

from cronstream import clock
from cronstream.cli.output import emit
from cronstream.escaping import safe
from cronstream.history.story import AttemptStory, RunState, RunStory
from cronstream.history.words import (
    attempt_text,
    command_text,
    format_duration,
    output_text,
    state_text,
)


def _moment(at: datetime) -> str:
    """Return a time to the millisecond; nobody's clock is truer."""
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(".000Z", "Z")


def emit_story(story: RunStory) -> None:
    """Print a run, its attempts, and what they wrote."""
    facts = {
        "run": story.id,
        "state": _state_line(story),
        "cluster": story.cluster,
        "command": command_text(story.command),
        "scheduled": _scheduled(story),
        "attempts": story.attempts_text,
        "published": _moment(story.published_at) if story.published_at else "",
        "next": f"not before {_moment(story.not_before)}" if story.not_before else "",
    }
    width = max(map(len, facts))
    for name, text in facts.items():
        if text:
            emit(f"{name.ljust(width)}  {text}")
    if story.partial:
        emit("It begins before what was read: something is missing; see --since.")
    for attempt in story.attempts:
        emit("")
        _emit_attempt(attempt, story)


def _scheduled(story: RunStory) -> str:
    """Return the due time with what asked for it, or the first and the last of a span."""
    if story.to_at is not None and story.count > 1:
        return f"{_moment(story.scheduled_at)} to {_moment(story.to_at)}"
    if story.cause is None:
        return _moment(story.scheduled_at)
    return f"{_moment(story.scheduled_at)} ({story.cause}{f' by {story.by}' if story.by else ''})"


def _state_line(story: RunStory) -> str:
    reason = story.state is RunState.DISCARDED and story.reason
    since = f"since {_moment(story.changed_at)}"
    return f"{state_text(story, clock.now())}, {since}" + (f": {reason}" if reason else "")


def _emit_attempt(attempt: AttemptStory, story: RunStory) -> None:
    emit(attempt_text(attempt))
    for line in _attempt_lines(attempt, story):
        emit(f"  {line}")
    _emit_output(attempt)


def _attempt_lines(attempt: AttemptStory, story: RunStory) -> list[str]:
    lines = []
    if attempt.claimed_at is not None:
        lines.append(f"claimed  {_moment(attempt.claimed_at)}")
    if attempt.started_at is not None:
        lines.append(f"started  {_moment(attempt.started_at)}{_after(attempt, story)}")
    if attempt.ended_at is not None:
        took = attempt.duration_s
        after = f" (took {format_duration(took)})" if took is not None else ""
        lines.append(f"ended    {_moment(attempt.ended_at)}{after}")
    if attempt.note:
        lines.append(f"note     {attempt.note}")
    if attempt.late is not None:
        lines.append(f"late     its worker reported {attempt.late} when it was lost already")
    if attempt.offsets:
        places = ", ".join(f"{name} at {offset}" for name, offset in attempt.offsets)
        lines.append(f"entries  {attempt.topic}, partition {attempt.partition}: {places}")
    return lines


def _after(attempt: AttemptStory, story: RunStory) -> str:
    """Return how late the first attempt started; nothing of a later one, which has its wait."""
    delay_s = story.delay_s(attempt.started_at) if attempt.started_at else None
    if attempt.number != 1 or delay_s is None:
        return ""
    made_up = ", made up for" if story.is_made_up else ""
    return f" ({format_duration(delay_s)} after it was due{made_up})"


def _emit_output(attempt: AttemptStory) -> None:
    text = output_text(attempt)
    if text:
        emit("  output")
    for line in text.splitlines():
        click.echo(f"  | {safe(line, keep=chr(9))}")
