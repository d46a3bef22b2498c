"""Stories as plain fields, for JSON: the names are part of the interface, see docs/commands.md."""

from datetime import datetime
from typing import Any

from cronstream.core.crontab.revisions import Edit
from cronstream.core.crontab.words import difference_words
from cronstream.core.wire.runs import Run
from cronstream.history.discards import DiscardedRun
from cronstream.history.story import AttemptStory, Change, RunStory


def run_fields(story: RunStory, now: datetime) -> dict[str, Any]:
    """Return a run in brief: what a row of a list says, at a time (UTC)."""
    last = story.last
    late_s = story.late_s(now)
    return {
        "run": story.id,
        "job": story.job,
        "cluster": story.cluster,
        "scheduled_at": story.scheduled_at,
        "cause": story.cause,
        "by": story.by,
        "cancelled_by": story.cancelled_by,
        "follows": story.follows,
        "state": story.state,
        "reason": story.reason,
        "attempt": story.attempt,
        "max_attempts": story.max_attempts,
        "failures": story.failures,
        "not_before": story.not_before,
        "late_s": late_s,
        "waits_for": None if late_s is None else story.waits_for(now),
        "start_delay_s": story.start_delay_s,
        "duration_s": None if last is None else last.duration_s,
        "outcome": None if last is None else last.outcome,
        "exit_status": None if last is None else last.exit_status,
        "signal": None if last is None else last.signal,
        "note": None if last is None else last.note,
        "worker": None if last is None else last.worker,
        "published_at": story.published_at,
        "changed_at": story.changed_at,
        "partial": story.partial,
        "count": story.count,
        "to_at": story.to_at,
    }


def run_in_brief(run: Run) -> dict[str, Any]:
    """Return a run that has just been asked for."""
    return {
        "run": run.id,
        "job": run.job,
        "cluster": run.cluster,
        "scheduled_at": run.scheduled_at,
        "not_before": run.not_before,
        "command": run.command,
        "by": run.by,
    }


def full_fields(story: RunStory, now: datetime) -> dict[str, Any]:
    """Return a run with its command and all its attempts, and what they wrote."""
    return {
        **run_fields(story, now),
        "command": story.command,
        "revision": story.revision,
        "then": [{"on": on, "run": run} for on, run in story.then],
        "attempts": [attempt_fields(attempt) for attempt in story.attempts],
    }


def attempt_fields(attempt: AttemptStory) -> dict[str, Any]:
    """Return an attempt with everything that is known of it."""
    return {
        "attempt": attempt.number,
        "role": attempt.log,
        "worker": attempt.worker,
        "outcome": attempt.outcome,
        "exit_status": attempt.exit_status,
        "signal": attempt.signal,
        "pid": attempt.pid,
        "claimed_at": attempt.claimed_at,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "duration_s": attempt.duration_s,
        "note": attempt.note,
        "late_outcome": attempt.late,
        "output_head": attempt.head,
        "output_tail": attempt.tail,
        "output_omitted": attempt.omitted,
        "topic": attempt.topic or None,
        "partition": attempt.partition if attempt.topic else None,
        "offsets": dict(attempt.offsets),
    }


def change_fields(change: Change) -> dict[str, Any]:
    """Return a change: the run in brief, its state before, and when it changed."""
    return {"at": change.at, "before": change.before, **run_fields(change.story, change.at)}


def discarded_fields(discarded: DiscardedRun) -> dict[str, Any]:
    """Return a discarded run."""
    run = discarded.run
    return {
        "run": run.id,
        "job": run.job,
        "cluster": discarded.cluster,
        "scheduled_at": run.scheduled_at,
        "attempt": run.attempt,
        "max_attempts": run.max_attempts,
        "reason": discarded.reason,
        "discarded_at": discarded.discarded_at,
        "replays": list(discarded.replays),
        "command": run.command,
        "partition": discarded.partition,
        "offset": discarded.offset,
    }


def edit_fields(edit: Edit) -> dict[str, Any]:
    """Return a revision of a job, with what it changes."""
    job = edit.job
    return {
        "job": job.name,
        "cluster": job.cluster,
        "change": edit.kind.value,
        "keys": [difference_words(one) for one in edit.differences],
        "effective_from": job.effective_from,
        "published_at": edit.at,
        "by": job.by,
        "file": job.file,
        "line": job.line,
        "signed_by": job.signature and job.signature.partition(":")[0],
        "partition": edit.partition,
        "revision": edit.revision,
    }
