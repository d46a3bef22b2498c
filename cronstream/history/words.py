"""What people are told of runs: a state, a change, an attempt, and lengths of time, in words.

Commands and the console say the same.
"""

import shlex
import signal
from datetime import datetime

from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.times import format_time
from cronstream.history.story import ITS_WORKER, AttemptStory, Change, RunState, RunStory


def state_text(story: RunStory, now: datetime | None = None) -> str:
    """Return the state with the reason for a skip, and how many due times it stands for.

    Args:
        story: Of the run.
        now: The time (UTC), if it is to be said how late a run is, and what it waits for.
    """
    if now is not None and (late_s := story.late_s(now)) is not None:
        return f"{story.state} (late by {format_duration(late_s)}, waits for {_wait(story, now)})"
    if story.state is RunState.SUCCEEDED and story.last is not None and story.last.note:
        return f"succeeded ({story.last.note})"
    if story.state is RunState.UNKNOWN:
        return "unknown (it begins before what was read)"
    if story.state is not RunState.SKIPPED:
        return story.state.value
    count = f", {story.count} due times" if story.count > 1 else ""
    by = f" by {story.cancelled_by}" if story.cancelled_by else ""
    return f"skipped ({story.reason or 'no reason'}{by}{count})"


def _wait(story: RunStory, now: datetime) -> str:
    """Return what a run waits for; if that is its worker, which, and when it was last heard."""
    wait = story.waits_for(now) or ""
    if wait != ITS_WORKER or story.last is None:
        return wait
    heard_at = story.heard_at and story.heard_at.replace(microsecond=0)
    heard = f", last heard at {format_time(heard_at)}" if heard_at else ""
    return f"{wait} {story.last.worker}{heard}"


def exit_text(attempt: AttemptStory) -> str:
    """Return how an attempt ended, in a word, such as ``0``, ``3``, ``SIGKILL`` or ``lost``."""
    outcome = "" if attempt.outcome is None else attempt.outcome.value
    return _ended_by(attempt) or outcome.replace("_", " ")


def _ended_by(attempt: AttemptStory) -> str:
    """Return the exit status or the signal; empty if the attempt did not end by itself."""
    if attempt.outcome in (Outcome.LOST, Outcome.INTERRUPTED, Outcome.TIMED_OUT):
        return ""
    if attempt.signal is not None:
        return signal_text(attempt.signal)
    return "" if attempt.exit_status is None else str(attempt.exit_status)


def signal_text(number: int) -> str:
    """Return the name of a signal, such as ``SIGKILL``; ``signal 99`` for one without."""
    known = {one.value: one.name for one in signal.Signals}
    return known.get(number, f"signal {number}")


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


def command_text(command: str | list[str] | None) -> str:
    """Return a command as one would type it; empty if it is not known."""
    return shlex.join(command) if isinstance(command, list) else (command or "")


def attempt_text(attempt: AttemptStory) -> str:
    """Return an attempt as one line: which, how it ended, and who made it."""
    outcome = attempt.outcome.value if attempt.outcome else "not ended"
    end = _ended_by(attempt)
    how = f"{outcome} (exit {end})" if end else outcome
    number = "?" if attempt.number is None else attempt.number
    return f"attempt {number}: {how}" + (f", by {attempt.worker}" if attempt.worker else "")


def output_text(attempt: AttemptStory) -> str:
    """Return what is kept of an attempt's output, with a line for what is left out of it."""
    parts = [attempt.head, attempt.tail]
    if attempt.omitted:
        parts.insert(1, f"… {attempt.omitted:,} bytes are left out here …\n")
        parts[0] = attempt.head if attempt.head.endswith("\n") else f"{attempt.head}\n"
    return "".join(parts)


def format_duration(seconds: float | None) -> str:
    """Return seconds as people read them: ``12 ms``, ``3.2 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds is None:
        return ""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 0.9995 else f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    for unit, name, part, part_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // part:02} {part_name}"
    return f"{whole // 60} min {whole % 60:02} s"
