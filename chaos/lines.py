"""Whether commands ran at once that may not: runs of a job, or attempts at a fenced run. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from chaos.incident import Incident
from chaos.judge import Evidence, Finding, Wrong
from chaos.truth import RESOLUTION, Execution
from cronstream.core.wire.enumerations import Overlap


def overlaps(evidence: Evidence) -> Iterator[Finding]:
    """Yield each execution that began while another of its line was under way.

    A command that did not come to its end was ended; nobody has recorded when, so it is no finding.
    """
    for line in _lines(evidence):
        last: Execution | None = None
        for execution in sorted(line, key=lambda execution: execution.started_at):
            if last is not None and _run_at_once(last, execution) and not _excused(evidence, last):
                text = f"attempt {execution.attempt} beside attempt {last.attempt} of {last.run}"
                yield Finding(Wrong.AT_ONCE, execution.run, text)
            if execution.ended_at and (last is None or _ends(execution) > _ends(last)):
                last = execution


def _lines(evidence: Evidence) -> Iterator[list[Execution]]:
    """Yield the executions of each job without overlap, and of each run that is fenced."""
    jobs: dict[str, list[Execution]] = defaultdict(list)
    for run, (job, _) in evidence.due.items():
        executions = evidence.of_run.get(run, [])
        if job.overlap is not Overlap.ALLOW:
            jobs[job.name] += executions
        elif job.fence:
            yield executions
    yield from jobs.values()


def _run_at_once(before: Execution, after: Execution) -> bool:
    return _ends(before) > after.started_at + 2 * RESOLUTION


def _ends(execution: Execution) -> datetime:
    return execution.ended_at or execution.started_at


def _excused(evidence: Evidence, execution: Execution) -> bool:
    """Whether its worker may have been taken for lost meanwhile, and nobody ended the command.

    An executor ends a fenced command itself, unless it is stopped as well.
    """
    story, (job, _) = evidence.stories.get(execution.run), evidence.due[execution.run]
    attempts = story.attempts if story is not None else ()

    def by(incident: Incident) -> bool:
        return incident.may_cost_a_lease and (incident.stops_executor or not job.fence)

    return any(x.number == execution.attempt and evidence.struck(x, by) for x in attempts)
