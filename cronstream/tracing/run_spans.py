"""The spans of runs, by what the fold of a log says of them: from the owner whose they are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cronstream import clock
from cronstream.core.ledger.state import Ended, News, SkipNews
from cronstream.core.wire.entries import Entry, Finished, Started
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Run
from cronstream.core.wire.times import format_time
from cronstream.tracing.span import ATTEMPT, RUN, WAIT, Attributes, Span, Tracer

#: What was appended longer ago is history, also where a group has lost what it had committed.
_LONG_AGO: Final = timedelta(hours=1)
#: Of so many runs it is known, at most, when they came to the log and when they were started.
_MOST: Final = 10_000


@dataclass(slots=True)
class _Way:
    """How far an attempt has come, as far as this worker has read it."""

    queued_at: datetime | None = None
    claims: list[tuple[str, datetime]] = field(default_factory=list)
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Message:
    """What a message says, by run.

    Attributes:
        at: When it was appended, by the log.
        starts: When commands were started, by their worker's clock.
        finishes: When they ended, by the same.
    """

    at: datetime
    starts: dict[str, datetime]
    finishes: dict[str, datetime]

    @classmethod
    def of(cls, at: datetime, entries: Iterable[Entry]) -> "_Message":
        starts, finishes = {}, {}
        for entry in entries:
            if isinstance(entry, Started | Finished) and entry.started_at is not None:
                starts[entry.run] = entry.started_at
            if isinstance(entry, Finished):
                finishes[entry.run] = entry.ended_at
        return cls(at, starts, finishes)


class RunSpans:
    """Records what becomes of runs.

    Attributes:
        tracer: Takes the spans; None if nobody does.

    Args:
        now: Returns the time.
    """

    def __init__(self, now: Callable[[], datetime] = clock.now) -> None:
        self.tracer: Tracer | None = None
        self._now = now
        self._ways: dict[str, _Way] = {}

    def note(
        self,
        at: datetime,
        entries: Iterable[Entry],
        news: Iterable[News | SkipNews],
        ended: Iterable[Ended],
    ) -> None:
        """Record what one message has changed.

        Args:
            at: When it was appended, by the log.
            entries: What is in it.
            news: What it has changed.
            ended: The attempts that have ended by it.
        """
        if self.tracer is None or self._now() - at > _LONG_AGO:
            return
        message = _Message.of(at, entries)
        for end in ended:
            self._end_attempt(self.tracer, end, message)
        for one in news:
            if isinstance(one, News):
                self._note(self.tracer, one, message)

    def _note(self, tracer: Tracer, news: News, message: _Message) -> None:
        run = news.run
        if news.action == "queued":
            self._queue(run.id, message.at)
        elif news.action == "claimed":
            self._way(run.id).claims.append(("claimed", message.at))
        elif news.action == "running":
            self._begin(tracer, run, message.starts.get(run.id, message.at))
        elif news.is_end or news.action == "retryable":
            self._ways.pop(run.id, None)
        if news.is_end and not news.is_detail:  # Else the other log has the last word.
            tracer.record(_of_verdict(news, message.at))

    def _queue(self, run_id: str, at: datetime) -> None:
        """Note since when an attempt waits; one whose claim was given back has waited before."""
        way = self._ways.get(run_id)
        if way is None or way.started_at is not None:
            self._ways.pop(run_id, None)
            self._way(run_id).queued_at = at

    def _way(self, run_id: str) -> _Way:
        way = self._ways.get(run_id)
        if way is None:
            while len(self._ways) >= _MOST:
                del self._ways[next(iter(self._ways))]
            way = self._ways[run_id] = _Way()
        return way

    def _begin(self, tracer: Tracer, run: Run, started_at: datetime) -> None:
        """Record the wait of an attempt that has started, if it is known since when it waited."""
        way = self._way(run.id)
        if way.started_at is not None:
            return
        way.started_at = started_at
        since = way.queued_at or (way.claims[0][1] if way.claims else None)
        if since is not None:
            about: Attributes = {"not_before": format_time(run.not_before)}
            start, claims = min(since, started_at), tuple(way.claims)
            tracer.record(Span(run, WAIT, start, started_at, run.attempt, about, claims))

    def _end_attempt(self, tracer: Tracer, end: Ended, message: _Message) -> None:
        run = end.run
        attempt = (run.attempts or [])[-1]
        if (started_at := message.starts.get(run.id)) is not None:
            self._begin(tracer, run, started_at)
        way = self._ways.pop(run.id, None) or _Way()
        about: Attributes = {"outcome": end.outcome.value}
        for name in ("worker", "exit_status", "signal"):
            if (value := getattr(attempt, name)) is not None:
                about[name] = value
        has_failed = end.outcome is not Outcome.SUCCEEDED
        fault = attempt.note or end.outcome.value if has_failed else None
        ended_at = message.finishes.get(run.id, message.at)
        start, number = way.started_at or ended_at, attempt.attempt
        tracer.record(Span(run, ATTEMPT, start, ended_at, number, about, fault=fault))


def _of_verdict(news: News, at: datetime) -> Span:
    run = news.run
    about: Attributes = {"verdict": news.action, "attempts": len(run.attempts or ())}
    if news.reason:
        about["reason"] = news.reason
    if run.previous is not None:
        about["follows"] = run.previous.run
    fault = news.reason or news.action if news.verdict is Verdict.DISCARDED else None
    return Span(run, RUN, min(run.scheduled_at, at), at, None, about, fault=fault)
