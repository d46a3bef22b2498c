"""Holds what really happened against what was due, and against what the ledger says: pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from chaos.incident import Incident
from chaos.truth import RESOLUTION, Execution
from chaos.workload import ChaosJob, Temper
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap, SkipReason
from cronstream.core.wire.times import format_time
from cronstream.history.story import AttemptStory, LogKind, RunState, RunStory

#: An attempt whose worker was struck may end this long after the strike is over, on its account.
_ON_ITS_ACCOUNT = timedelta(seconds=20)


class Wrong(StrEnum):
    """In what way a promise was broken."""

    LOST = "lost"
    DOUBLED = "doubled"
    DOUBLED_ONCE = "doubled, at_most_once"
    EARLY = "early"
    UNCLAIMED = "started without a claim"
    ORPHAN = "outlived its worker"
    AT_ONCE = "at once, though they may not overlap"


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise."""

    wrong: Wrong
    run: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """All that is known at the end.

    Attributes:
        since: Due times after this one are judged (UTC),
        until: up to and including this one.
        stories: What the ledgers say, by run id.
        executions: What the commands say.
        incidents: What was done.
        processes: The life of a part that bears each worker's name in the ledger.
        ends: When a life of a part was over.
    """

    jobs: Sequence[ChaosJob]
    since: datetime
    until: datetime
    stories: Mapping[str, RunStory]
    executions: Sequence[Execution]
    incidents: Sequence[Incident]
    processes: Mapping[str, str]
    ends: Mapping[str, datetime] = field(default_factory=dict)

    @cached_property
    def due(self) -> dict[str, tuple[ChaosJob, datetime]]:
        """Job and due time of each run that there had to be, by its id."""
        return {
            f"{job.name}@{format_time(due)}": (job, due)
            for job in self.jobs
            for due in job.due_times(self.since, self.until)
        }

    @cached_property
    def of_run(self) -> dict[str, list[Execution]]:
        """The executions of each run, in the order of their starts."""
        found: dict[str, list[Execution]] = defaultdict(list)
        for execution in self.executions:
            found[execution.run].append(execution)
        return found

    def felt(
        self, job: ChaosJob, begin: datetime, end: datetime, *, retry: bool
    ) -> tuple[Incident, ...]:
        """Return what may have held up an attempt of a job between two moments."""
        return tuple(
            incident
            for incident in self.incidents
            if incident.concerns(job.cluster, retry=retry) and incident.overlaps(begin, end)
        )

    def struck(self, attempt: AttemptStory, by: Callable[[Incident], bool]) -> bool:
        """Whether such a thing was done to the worker of an attempt while that was its own."""
        begin, end = attempt.claimed_at, attempt.ended_at
        if begin is None or end is None or attempt.worker is None:
            return True  # It cannot be known; what is not known is no finding.
        process = self.processes.get(attempt.worker)
        return any(
            incident.process in ("", process)
            and by(incident)
            and incident.began_at <= end
            and begin <= incident.until + _ON_ITS_ACCOUNT
            for incident in self.incidents
        )


def _costs_the_attempt(job: ChaosJob) -> Callable[[Incident], bool]:
    """Return what an attempt may be made again for: a fenced one is ended early."""
    return lambda incident: incident.is_felt if job.fence else incident.may_cost_a_lease


def findings(evidence: Evidence) -> list[Finding]:
    """Return every broken promise, in the order of due times."""
    found: list[Finding] = []
    for run, (job, due) in sorted(evidence.due.items(), key=lambda item: (item[1][1], item[0])):
        story, executions = evidence.stories.get(run), evidence.of_run.get(run, [])
        if not job.is_stray:
            found.extend(_lost(evidence, run, job, story, executions))
        found.extend(_doubled(evidence, run, job, story, executions))
        found.extend(_early(run, due, executions))
        found.extend(_unclaimed(run, story, executions))
    return found


def _lost(
    evidence: Evidence,
    run: str,
    job: ChaosJob,
    story: RunStory | None,
    executions: Sequence[Execution],
) -> Iterator[Finding]:
    """A run is lost that has no verdict, or one that nothing but a fault of ours explains."""
    if story is None:
        yield Finding(Wrong.LOST, run, "it is on no ledger")
    elif not story.state.settled:
        yield Finding(Wrong.LOST, run, f"it has no verdict: {story.state}")
    elif story.state is RunState.SKIPPED:
        if job.overlap is Overlap.ALLOW or story.reason != SkipReason.OVERLAP:
            yield Finding(Wrong.LOST, run, f"it was skipped ({story.reason})")
    elif story.state is RunState.SUCCEEDED:
        if not any(execution.ended_at for execution in executions):
            yield Finding(
                Wrong.LOST, run, "it succeeded, says the ledger, but never came to an end"
            )
    elif not _may_be_discarded(evidence, job, story):
        yield Finding(Wrong.LOST, run, f"it was discarded ({story.reason})")


def _may_be_discarded(evidence: Evidence, job: ChaosJob, story: RunStory) -> bool:
    if job.temper is not Temper.FINE:
        return story.failures >= job.max_attempts
    if job.delivery is not Delivery.AT_MOST_ONCE:
        return False
    return any(
        attempt.outcome in (Outcome.LOST, Outcome.INTERRUPTED)
        and evidence.struck(attempt, _costs_the_attempt(job))
        for attempt in story.attempts
    )


def _doubled(
    evidence: Evidence,
    run: str,
    job: ChaosJob,
    story: RunStory | None,
    executions: Sequence[Execution],
) -> Iterator[Finding]:
    """An attempt is started once; a run again only if it failed, or its worker was struck."""
    for number, count in Counter(execution.attempt for execution in executions).items():
        if count > 1:
            yield Finding(Wrong.DOUBLED, run, f"attempt {number} was started {count} times")
    if job.delivery is Delivery.AT_MOST_ONCE and len(executions) > 1:
        numbers = ", ".join(str(execution.attempt) for execution in executions)
        yield Finding(Wrong.DOUBLED_ONCE, run, f"it was started as attempts {numbers}")
    began = {execution.attempt for execution in executions}
    for attempt in story.attempts if story is not None else ():
        is_again = attempt.number in began and attempt.number < max(began)
        is_again = is_again and attempt.outcome in (Outcome.LOST, Outcome.INTERRUPTED)
        if is_again and not evidence.struck(attempt, _costs_the_attempt(job)):
            text = f"attempt {attempt.number} ({attempt.outcome}) was made again; nobody was struck"
            yield Finding(Wrong.DOUBLED, run, text)


def _early(run: str, due: datetime, executions: Sequence[Execution]) -> Iterator[Finding]:
    for execution in executions:
        if execution.started_at < due - 2 * RESOLUTION:
            early_s = (due - execution.started_at).total_seconds()
            yield Finding(Wrong.EARLY, run, f"attempt {execution.attempt}: {early_s:.2f} s early")


def _unclaimed(
    run: str, story: RunStory | None, executions: Sequence[Execution]
) -> Iterator[Finding]:
    claimed = {a.number for a in story.attempts if a.claimed_at} if story is not None else set()
    for execution in executions:
        if execution.attempt not in claimed:
            text = f"attempt {execution.attempt} in {execution.process}"
            yield Finding(Wrong.UNCLAIMED, run, text)


@dataclass(frozen=True, slots=True)
class Delay:
    """How late the first start of a run was.

    Attributes:
        blame: What concerned it meanwhile; schedulers only if nothing else did.
    """

    run: str
    seconds: float
    blame: tuple[Incident, ...]


def delays(evidence: Evidence) -> list[Delay]:
    """Return how late each run that started was started first.

    Runs that may not overlap start when their line lets them; stray ones when an edit does.
    """
    return [
        Delay(run, late_s, _blame(evidence, job, due, first.started_at) if late_s > 0.5 else ())
        for run, (job, due) in evidence.due.items()
        if job.is_punctual
        for first in evidence.of_run.get(run, [])[:1]
        for late_s in [(first.started_at - due).total_seconds()]
    ]


def _blame(
    evidence: Evidence, job: ChaosJob, due: datetime, started_at: datetime
) -> tuple[Incident, ...]:
    if not evidence.felt(job, started_at, started_at, retry=False):
        return ()  # All was long over: nothing of it explains why this came only now.
    felt = evidence.felt(job, due, started_at, retry=False)
    return tuple(incident for incident in felt if not incident.is_schedulers) or felt


@dataclass(frozen=True, slots=True)
class Takeover:
    """How long a killed worker's attempt took to be made elsewhere.

    Attributes:
        seconds: From the kill, or from its due time if that came later, to its next start.
        blame: What concerned it meanwhile, the kill among it.
    """

    run: str
    seconds: float
    blame: tuple[Incident, ...]


def takeovers(evidence: Evidence) -> list[Takeover]:
    """Return each attempt that was lost with a killed worker, and was made again."""
    kills = {incident.process: incident for incident in evidence.incidents if incident.is_kill}
    found = []
    for run, (job, due) in evidence.due.items():
        story = evidence.stories.get(run) if job.is_punctual else None
        for attempt in story.attempts if story is not None else ():
            kill = kills.get(evidence.processes.get(attempt.worker or "", ""))
            if kill is None or not _was_lost_by(attempt, kill):
                continue
            after = [x for x in evidence.of_run.get(run, []) if x.attempt > (attempt.number or 0)]
            if after:
                begin, again = max(kill.began_at, due), after[0].started_at
                felt = evidence.felt(job, kill.began_at, again, retry=attempt.log is LogKind.RETRY)
                blame = tuple(incident for incident in felt if not incident.is_schedulers)
                found.append(Takeover(run, (again - begin).total_seconds(), blame))
    return found


def _was_lost_by(attempt: AttemptStory, kill: Incident) -> bool:
    """Whether it was taken for lost after the kill; before that, a pause may have cost it."""
    ended_at = attempt.ended_at
    return attempt.outcome is Outcome.LOST and ended_at is not None and ended_at >= kill.began_at
