"""What came of it: figures, broken promises, and missed targets, as values."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from chaos.alarms import Alarm, raised, unexplained
from chaos.audit import Audited
from chaos.incident import Incident
from chaos.judge import (
    Delay,
    Evidence,
    Finding,
    Takeover,
    Wrong,
    delays,
    findings,
    takeovers,
)
from chaos.lines import overlaps
from chaos.orphans import orphans
from chaos.poison import Place

#: A first start this many seconds after its due time is late in the table of figures.
LATE_S = 1.0
#: What figures are under for which no fault can be blamed, or more than one.
NOTHING, SEVERAL = "(none)", "(several at once)"
#: A killed worker's runs start elsewhere within so many seconds.
TAKEOVER_S = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one sort of faults; see `NOTHING` and `SEVERAL`."""

    label: str
    faults: int
    late: int
    worst_delay_s: float
    takeovers: int
    worst_takeover_s: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run of chaos.

    Attributes:
        missed: One sentence for each target that was missed; empty if all is well.
        ended: Parts that ended without a fault of ours.
        unwell: Parts that were not healthy in the end.
        poisoned: Malformed messages that were put on the logs.
        audit: What ``cronstream audit`` says in summary.
        alerts: Which alerts each sort of fault has raised; None if nobody watched.
        borrowed: Attempts that were started by workers to which others had lent them.
    """

    seed: int
    duration_s: float
    faults: int
    due: int
    started: int
    delay_s: dict[str, float]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    missed: tuple[str, ...]
    ended: tuple[str, ...] = ()
    unwell: tuple[str, ...] = ()
    poisoned: int = 0
    audit: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, list[str]] | None = None
    borrowed: int = 0

    @property
    def all_well(self) -> bool:
        """Whether every target was met."""
        return not self.missed


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known besides the evidence; see `Report`.

    Attributes:
        late_s: A first start this many seconds after its due time misses the target, if nothing
            excuses it.
        poisoned: Malformed messages that were sent,
        not_aside: and where those are that cannot be found in quarantine.
        alarms: Which alerts were on; None if nobody watched.
        borrowed: See `Report`.
    """

    seed: int
    duration_s: float
    schedulers: int
    workers: int
    late_s: float = LATE_S
    ended: tuple[str, ...] = ()
    unwell: tuple[str, ...] = ()
    audited: Audited = field(default_factory=lambda: Audited({}, ()))
    poisoned: int = 0
    not_aside: tuple[Place, ...] = ()
    alarms: tuple[Alarm, ...] | None = None
    borrowed: int = 0


def make_report(evidence: Evidence, given: Circumstances) -> Report:
    """Judge the evidence, and say which targets were missed."""
    found = [*findings(evidence), *overlaps(evidence), *orphans(evidence)]
    late, again = delays(evidence), takeovers(evidence)
    due = [run for run, (job, _) in evidence.due.items() if not job.is_stray]
    rows = _rows(evidence.incidents, late, again)
    return Report(
        seed=given.seed,
        duration_s=given.duration_s,
        faults=len(evidence.incidents),
        due=len(due),
        started=sum(len(evidence.of_run.get(run, ())) for run in due),
        delay_s=_spread([delay.seconds for delay in late]),
        rows=rows,
        findings=tuple(found),
        missed=(
            *_missed(found, late, again, given),
            *unexplained(given.alarms or (), evidence.incidents),
        ),
        ended=given.ended,
        unwell=given.unwell,
        poisoned=given.poisoned,
        audit=given.audited.summary,
        counts=dict(Counter(str(finding.wrong) for finding in found)),
        alerts=None if given.alarms is None else raised(given.alarms, evidence.incidents),
        borrowed=given.borrowed,
    )


def _spread(values: Sequence[float]) -> dict[str, float]:
    if len(values) < 2:
        return {name: round(value, 3) for name in ("p50", "p99", "max") for value in values}
    cuts = quantiles(values, n=100)
    named = {"p50": cuts[49], "p99": cuts[98], "max": max(values)}
    return {name: round(value, 3) for name, value in named.items()}


def _rows(
    incidents: Iterable[Incident], late: Iterable[Delay], again: Iterable[Takeover]
) -> tuple[Row, ...]:
    faults = Counter(incident.label for incident in incidents)
    blamed: dict[str, list[float]] = defaultdict(list)
    for delay in late:
        blamed[_label(delay.blame)].append(delay.seconds)
    taken: dict[str, list[float]] = defaultdict(list)
    for takeover in again:
        taken[_label(takeover.blame)].append(takeover.seconds)
    return tuple(
        Row(
            label,
            faults[label],
            sum(seconds > LATE_S for seconds in blamed[label]),
            round(max(blamed[label], default=0.0), 2),
            len(taken[label]),
            round(max(taken[label]), 2) if taken[label] else None,
        )
        for label in [*sorted(faults), SEVERAL, NOTHING]
    )


def _label(blame: Sequence[Incident]) -> str:
    if len(blame) > 1:
        return SEVERAL
    return blame[0].label if blame else NOTHING


def _missed(
    found: Sequence[Finding],
    late: Sequence[Delay],
    again: Sequence[Takeover],
    given: Circumstances,
) -> Iterable[str]:
    for wrong in Wrong:
        runs = [finding for finding in found if finding.wrong is wrong]
        if runs:
            yield f"{len(runs)} {wrong}, such as {runs[0].run}: {runs[0].text}"
    yield from _late_without_excuse(late, given)
    slow = [t for t in again if len(t.blame) == 1 and t.seconds > TAKEOVER_S]
    if slow and given.workers > 1:
        worst = max(slow, key=lambda takeover: takeover.seconds)
        yield (
            f"{len(slow)} runs of killed workers started elsewhere only after {TAKEOVER_S:g} s, "
            f"such as {worst.run} after {worst.seconds:.1f} s"
        )
    for sentence in given.unwell:
        yield f"not healthy in the end: {sentence}"
    if given.not_aside:
        topic, partition, offset = given.not_aside[0]
        yield (
            f"{len(given.not_aside)} of {given.poisoned} malformed messages are not in quarantine, "
            f"such as offset {offset} of {topic}/{partition}"
        )
    for sentence in given.audited.faults:
        yield f"audit: {sentence}"


def _late_without_excuse(late: Sequence[Delay], given: Circumstances) -> Iterable[str]:
    """With two schedulers, the loss of one makes no run late; and without a fault none is late."""
    inexcusable: dict[str, list[Delay]] = defaultdict(list)
    for delay in late:
        if delay.seconds > given.late_s and all(x.is_schedulers for x in delay.blame):
            if not delay.blame:
                inexcusable["nothing had been done"].append(delay)
            elif given.schedulers > 1:
                inexcusable[f"only this had been done: {_label(delay.blame)}"].append(delay)
    for why, delays_of_it in inexcusable.items():
        worst = max(delays_of_it, key=lambda delay: delay.seconds)
        yield (
            f"{len(delays_of_it)} late starts, such as {worst.run}, "
            f"{worst.seconds:.2f} s late; {why}"
        )
