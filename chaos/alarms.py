"""Which alerts were on while faults were inflicted, and what raised them.

The jobs raise some by themselves: some always fail, and schedulers have different files. Every
other alert has to have a fault that explains it, of a sort that is to raise it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.incident import Incident
from chaos.plan import FaultKind, Target

#: What the jobs and the files raise without any fault.
BY_ITSELF = frozenset({"Watchdog", "RunsDiscarded", "CrontabDiverged"})
#: How long after a fault an alert may come: what it has broken takes so long to mend, and rules
#: look back.
_AFTERMATH = timedelta(seconds=60)

_OF_A_PROCESS = frozenset({"ProcessDown"})
_OF_TARGETS = {
    Target.SCHEDULER: _OF_A_PROCESS | {"SchedulerSilent"},
    Target.WORKER: _OF_A_PROCESS | {"RunsLate"},
    Target.RETRY_WORKER: _OF_A_PROCESS | {"NoWorkers"},
    Target.TOPICS: frozenset({"MessagesQuarantined"}),
}
_OF_BROKERS = frozenset({
    *("KafkaAway", "KafkaUnderReplicated", "SchedulerSilent", "NoWorkers", "ProcessDown"),
    *("RunsLate", "RunsNotStarting"),
})  # fmt: skip
#: A cluster has two workers: it is without any if both have been struck, not by the loss of one.
_OF_BOTH_WORKERS = frozenset({"NoWorkers"})


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert that was on.

    Attributes:
        name: Without what all names begin with.
        where: Its labels, as people read them.
    """

    name: str
    where: str
    began_at: datetime
    until: datetime


def may_raise(incident: Incident) -> frozenset[str]:
    """Return the alerts that are to be expected of a fault, if it lasts for long enough."""
    card = incident.fault.card
    if card.target in (Target.BROKER, Target.CONTROLLER):
        return _OF_BROKERS
    if card.kind in (FaultKind.DISK, FaultKind.EDIT, FaultKind.SCALE):
        return frozenset()
    return _OF_TARGETS[card.target]


def raised(alarms: Iterable[Alarm], incidents: Sequence[Incident]) -> dict[str, list[str]]:
    """Return the alerts that faults have raised, by the sort of fault, each with how often."""
    found: dict[str, list[str]] = {}
    for alarm in alarms:
        for label in {one.label for one in _causes(alarm, incidents)}:
            found.setdefault(label, []).append(alarm.name)
    return {
        label: [f"{name} ({names.count(name)})" for name in sorted(set(names))]
        for label, names in sorted(found.items())
    }


def unexplained(alarms: Iterable[Alarm], incidents: Sequence[Incident]) -> Iterator[str]:
    """Yield a sentence for each alert that neither the jobs nor a fault explains."""
    for alarm in alarms:
        if alarm.name in BY_ITSELF or _causes(alarm, incidents):
            continue
        near = sorted({one.label for one in incidents if _is_near(alarm, one)})
        after = f"after {' and '.join(near)}" if near else "though nothing had been done"
        yield f"the alert {alarm.name} ({alarm.where}) was on {after}"


def _causes(alarm: Alarm, incidents: Sequence[Incident]) -> list[Incident]:
    near = [one for one in incidents if _is_near(alarm, one)]
    alone = [one for one in near if alarm.name in may_raise(one)]
    return alone + (_of_both(alarm, near) if alarm.name in _OF_BOTH_WORKERS else [])


def _of_both(alarm: Alarm, near: Iterable[Incident]) -> list[Incident]:
    """Return what has struck workers of the alert's cluster, if it was more than one of them."""
    of_workers = [
        one
        for one in near
        if one.target is Target.WORKER
        and may_raise(one)
        and f"cluster={one.fault.cluster}" in alarm.where.split(", ")
    ]
    struck = {one.process.rpartition(".")[0] for one in of_workers}
    return of_workers if len(struck) > 1 else []


def _is_near(alarm: Alarm, incident: Incident) -> bool:
    return incident.began_at <= alarm.began_at <= incident.until + _AFTERMATH


def alarms_of(series: Iterable[dict[str, Any]], step_s: float) -> tuple[Alarm, ...]:
    """Return the alerts that were on, from what Prometheus says of `ALERTS` over a time.

    Args:
        series: Of each alert, the moments in which it was on.
        step_s: Seconds between two moments.
    """
    found: list[Alarm] = []
    for one in series:
        labels = one["metric"]
        name = labels["alertname"].removeprefix("Cronstream")
        where = ", ".join(
            f"{key}={value}"
            for key, value in sorted(labels.items())
            if key in ("severity", "cluster", "role", "cron_job", "instance", "topic", "reason")
        )
        spans = _spans([float(at) for at, _ in one["values"]], step_s)
        found += [Alarm(name, where, *map(_moment, span)) for span in spans]
    return tuple(sorted(found, key=lambda alarm: alarm.began_at))


def _spans(moments: Sequence[float], step_s: float) -> Iterator[tuple[float, float]]:
    """Yield the first and the last of moments that follow each other."""
    began = before = None
    for at in moments:
        if began is not None and before is not None and at - before > 1.5 * step_s:
            yield began, before
            began = None
        began, before = at if began is None else began, at
    if began is not None and before is not None:
        yield began, before


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
