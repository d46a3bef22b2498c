"""Builders for what is known at the end of a run of chaos."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.incident import Incident
from chaos.judge import Evidence
from chaos.plan import Card, Fault, FaultKind, Reach, Target
from chaos.truth import Execution
from chaos.workload import ChaosJob
from cronstream.core.wire.enumerations import Outcome
from cronstream.history.story import AttemptStory, LogKind, RunState, RunStory

DUE = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)
RUN = "job@2026-01-01T12:00:10Z"


def after(seconds: float) -> datetime:
    return DUE + timedelta(seconds=seconds)


def a_job(**fields: Any) -> ChaosJob:
    return ChaosJob(**{"name": "job", "cluster": "a", "every_s": 10, **fields})


def an_attempt(number: int = 1, **fields: Any) -> AttemptStory:
    known: dict[str, Any] = {
        "log": LogKind.FIRST,
        "worker": f"host.{number}",
        "claimed_at": after(-5),
        "started_at": after(0),
        "ended_at": after(1),
        "outcome": Outcome.SUCCEEDED,
    }
    return AttemptStory(number, **{**known, **fields})


def a_story(*attempts: AttemptStory, **fields: Any) -> RunStory:
    known: dict[str, Any] = {
        "job": "job",
        "cluster": "a",
        "scheduled_at": DUE,
        "state": RunState.SUCCEEDED,
        "changed_at": after(1),
    }
    return RunStory(RUN, **{**known, "attempts": attempts or (an_attempt(),), **fields})


def an_execution(attempt: int = 1, start_s: float = 0.0, end_s: float | None = 1.0) -> Execution:
    ended_at = None if end_s is None else after(end_s)
    return Execution(RUN, attempt, f"w.{attempt}", 100 + attempt, after(start_s), ended_at)


def an_incident(
    kind: FaultKind = FaultKind.KILL,
    target: Target = Target.WORKER,
    *,
    process: str = "w.1",
    at_s: float = 0.5,
    lasts_s: float = 3.0,
    cluster: str = "a",
    reach: Reach = Reach.PROCESS,
) -> Incident:
    fault = Fault(1, 0.0, Card(kind, target, reach=reach, lasts_s=lasts_s), cluster)
    return Incident(fault, process, after(at_s), after(at_s + lasts_s))


def evidence(
    *executions: Execution,
    story: RunStory | None,
    job: ChaosJob | None = None,
    incidents: tuple[Incident, ...] = (),
    ends: dict[str, datetime] | None = None,
) -> Evidence:
    """Return what is known when there was one due time, that of `RUN`."""
    return Evidence(
        jobs=[job or a_job()],
        since=after(-1),
        until=after(1),
        stories={} if story is None else {RUN: story},
        executions=executions,
        incidents=incidents,
        processes={"host.1": "w.1", "host.2": "w.2"},
        ends=ends or {},
    )
