"""A story while the logs that report it are still being read.

The cluster's log and its retry log have no common order, so each has a part of its own, and the
story is put together from both when somebody asks for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cronstream.core.wire.enumerations import FAILURES, Overlap, SkipReason
from cronstream.core.wire.runs import Attempt, Discarded, Following, Run
from cronstream.history.log_story import LogStory
from cronstream.history.story import AttemptStory, LogKind, RunState, RunStory

_RETRY: Final = LogKind.RETRY
#: What a log says of a run that never came on it.
_NOTHING: Final = LogStory(_RETRY)


@dataclass(slots=True)
class Draft:
    """Everything that has been read of one run."""

    run_id: str
    cluster: str
    first: LogStory
    changed_at: datetime
    #: What the retry log says; most runs never come to it.
    later: LogStory = _NOTHING
    discarded: Discarded | None = None
    #: Where the run stands, as it was last found.
    state: RunState = RunState.UNKNOWN

    def part(self, kind: LogKind) -> LogStory:
        """Return what one of the two logs says of it, to be added to."""
        if kind is not _RETRY:
            return self.first
        if self.later is _NOTHING:
            self.later = LogStory(kind, self.first.keep_output)
        return self.later

    def find_state(self) -> None:
        """Find where the run stands, both logs considered; the cluster's log has the last word."""
        self.state = self._state()

    def _state(self) -> RunState:
        first, later = self.first.state, self.later.state
        if first is not None and ((later is None and self.discarded is None) or first.settled):
            return first
        if self.discarded is not None:
            return RunState.DISCARDED
        if later is None:
            return first or RunState.UNKNOWN
        return RunState.RETRYABLE if later is RunState.QUEUED else later

    def story(self) -> RunStory:
        """Put the story together from what both logs have said."""
        run, published = self._run, self.first.published
        job, scheduled_at = (
            (run.job, run.scheduled_at) if run else _name_parts(self.run_id, self.changed_at)
        )
        attempts = self._attempts(run)
        state = self.state
        reason = self._reason(state)
        cancelled_by = self.first.cancelled_by or self.later.cancelled_by
        return RunStory(
            id=self.run_id,
            job=job,
            cluster=self.cluster,
            scheduled_at=scheduled_at,
            state=state,
            changed_at=self.changed_at,
            reason=reason,
            cause=run.cause if run else None,
            by=run.by if run else None,
            cancelled_by=cancelled_by if reason == SkipReason.CANCELLED else None,
            command=run.command if run else None,
            revision=run.revision if run else None,
            attempts=attempts,
            attempt=next((a.number for a in reversed(attempts) if a.number is not None), 0),
            failures=sum([attempt.outcome in FAILURES for attempt in attempts]),
            max_attempts=run.max_attempts if run else None,
            not_before=None if state.settled else self._not_before(),
            published_at=self.first.published_at,
            due_at=published.not_before if published else None,
            in_line=run is not None and run.overlap is not Overlap.ALLOW and not attempts,
            follows=run.previous.run if run and run.previous else None,
            then=_names_of(run.then) if run and run.then else (),
            partial=published is None,
        )

    @property
    def _run(self) -> Run | None:
        """The run as it was last heard of; None if only entries about it were."""
        if self.later.run is not None or self.first.run is not None:
            return self.later.run or self.first.run
        return self.discarded.run if self.discarded is not None else None

    def _attempts(self, run: Run | None) -> tuple[AttemptStory, ...]:
        """Those that the logs report, after those before the window that the run brings along."""
        told = [attempt.story() for attempt in (*self.first.attempts, *self.later.attempts)]
        if run is None or self.first.published is not None:
            return tuple(told)
        known = {attempt.number for attempt in told}
        carried = [_carried(a) for a in run.attempts or () if a.attempt not in known]
        if carried:
            told = [attempt for attempt in told if attempt.number is not None]
        return (*carried, *told)

    def _reason(self, state: RunState) -> str | None:
        if state is RunState.DISCARDED and self.discarded is not None:
            return self.discarded.reason
        return self.first.reason or self.later.reason

    def _not_before(self) -> datetime | None:
        return self.first.not_before if self.later.state is None else self.later.not_before


def _names_of(then: Sequence[Following]) -> tuple[tuple[str, str], ...]:
    return tuple((one.on.value, one.run.id) for one in then)


def _carried(attempt: Attempt) -> AttemptStory:
    return AttemptStory(
        attempt.attempt,
        LogKind.FIRST if attempt.attempt == 1 else LogKind.RETRY,
        attempt.worker,
        ended_at=attempt.ended_at,
        outcome=attempt.outcome,
        exit_status=attempt.exit_status,
        signal=attempt.signal,
        note=attempt.note,
    )


def _name_parts(run_id: str, otherwise: datetime) -> tuple[str, datetime]:
    """Return the job and the due time that a run id names."""
    job, _, rest = run_id.partition("@")
    try:
        due = datetime.fromisoformat(rest.partition("!")[0])
    except ValueError:
        return job, otherwise
    return job, due if due.tzinfo else otherwise
