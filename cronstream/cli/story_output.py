"""Stories in words: a state, a change, and one run with all its attempts."""

import shlex
import signal
from datetime import datetime

import click

from cronstream import clock
from cronstream.cli.output import emit, format_duration, safe
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.times import format_time
from cronstream.history.story import AttemptStory, Change, RunState, RunStory


def state_text(story: RunStory, now: datetime | None = None) -> str:
    """Return the state with the reason for a skip, and how many due times it stands for.

    Args:
        story: Of the run.
        now: The time (UTC), if it is to be said how late a run is, and what it waits for.
    """
    late_s = story.late_s(now) if now else None
    if late_s is not None:
        return f"{story.state} (late by {format_duration(late_s)}, waits for {story.waits_for})"
    if story.state is RunState.SUCCEEDED and story.last is not None and story.last.note:
        return f"succeeded ({story.last.note})"
    if story.state is RunState.UNKNOWN:
        return "unknown (it begins before what was read)"
    if story.state is not RunState.SKIPPED:
        return story.state.value
    count = f", {story.count} due times" if story.count > 1 else ""
    return f"skipped ({story.reason or 'no reason'}{count})"


def exit_text(attempt: AttemptStory) -> str:
    """Return how an attempt ended, in a word, such as ``0``, ``3``, ``SIGKILL`` or ``lost``."""
    outcome = "" if attempt.outcome is None else attempt.outcome.value
    return _ended_by(attempt) or outcome.replace("_", " ")


def _ended_by(attempt: AttemptStory) -> str:
    """Return the exit status or the signal; empty if the attempt did not end by itself."""
    if attempt.outcome in (Outcome.LOST, Outcome.INTERRUPTED, Outcome.TIMED_OUT):
        return ""
    if attempt.signal is not None:
        known = {s.value: s.name for s in signal.Signals}
        return known.get(attempt.signal, f"signal {attempt.signal}")
    return "" if attempt.exit_status is None else str(attempt.exit_status)


def change_text(change: Change) -> str:
    """Return a change as one line: when, which run, what it is now, and what is known of it."""
    story = change.story
    return f"{change.at:%H:%M:%S}Z  {story.id}  {state_text(story)}{_detail(story)}"


def _detail(story: RunStory) -> str:
    last = story.last
    match story.state:
        case RunState.CLAIMED | RunState.RUNNING if last is not None:
            return f"  attempt {story.attempts_text} by {last.worker}"
        case RunState.RETRYABLE | RunState.QUEUED if story.attempts and story.not_before:
            return f"  next attempt not before {format_time(story.not_before)}"
        case RunState.SUCCEEDED if last is not None and last.duration_s is not None:
            return f"  took {format_duration(last.duration_s)}"
        case RunState.DECIDING | RunState.UNKNOWN if last is not None and last.outcome:
            return f"  attempt {story.attempts_text or '?'} ended ({exit_text(last)})"
        case RunState.DISCARDED if story.reason:
            return f"  {story.reason}"
        case _:
            return ""


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
        "command": _command_text(story.command),
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
    return _moment(story.scheduled_at) + (f" ({story.cause})" if story.cause else "")


def _state_line(story: RunStory) -> str:
    reason = story.state is RunState.DISCARDED and story.reason
    since = f"since {_moment(story.changed_at)}"
    return f"{state_text(story, clock.now())}, {since}" + (f": {reason}" if reason else "")


def _command_text(command: str | list[str] | None) -> str:
    return shlex.join(command) if isinstance(command, list) else (command or "")


def _emit_attempt(attempt: AttemptStory, story: RunStory) -> None:
    outcome = attempt.outcome.value if attempt.outcome else "not ended"
    end = _ended_by(attempt)
    how = f"{outcome} (exit {end})" if end else outcome
    number = "?" if attempt.number is None else attempt.number
    emit(f"attempt {number}: {how}" + (f", by {attempt.worker}" if attempt.worker else ""))
    for line in _attempt_lines(attempt, story):
        emit(f"  {line}")
    _emit_output(attempt)


def _attempt_lines(attempt: AttemptStory, story: RunStory) -> list[str]:
    lines = []
    if attempt.claimed_at is not None:
        lines.append(f"claimed  {_moment(attempt.claimed_at)}")
    if attempt.started_at is not None:
        after = ""
        if attempt.number == 1 and story.due_at is not None:
            delay = (attempt.started_at - story.due_at).total_seconds()
            after = f" ({format_duration(delay)} after it was due)"
        lines.append(f"started  {_moment(attempt.started_at)}{after}")
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


def _emit_output(attempt: AttemptStory) -> None:
    parts = [attempt.head, attempt.tail]
    if attempt.omitted:
        parts.insert(1, f"… {attempt.omitted:,} bytes are left out here …\n")
        parts[0] = attempt.head if attempt.head.endswith("\n") else f"{attempt.head}\n"
    text = "".join(parts)
    if text:
        emit("  output")
    for line in text.splitlines():
        click.echo(f"  | {safe(line, keep=chr(9))}")
