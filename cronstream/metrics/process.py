"""What every process tells: what it is, whether it does its work, how far Kafka is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import Metric

from cronstream.core.health.judgement import subjects
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.naming import Role
from cronstream.metrics.exposition import Metrics, gauge, gauges
from cronstream.system import version


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is known of a process's health.

    Attributes:
        faults: The subjects of what is wrong; see `cronstream.core.health.judgement`.
        warnings: How many sentences ``/health`` has for people.
        round_trip_s: How long a broker took to answer last; None before it has.
        clock_s: How far this machine's clock is ahead of the broker's; None before it is known.
    """

    faults: frozenset[str]
    warnings: int = 0
    round_trip_s: float | None = None
    clock_s: float | None = None


def labels_of(role: Role) -> dict[str, str]:
    """Return the labels that say which process it is: its cluster (a scheduler has none), role."""
    return {"cluster": role.cluster or "", "role": role.kind.value}


class ProcessMetrics:
    """The families of every process.

    Args:
        metrics: Gets them.
        role: What the process does.
        vitals: Returns what is known of its health.
    """

    def __init__(self, metrics: Metrics, role: Role, vitals: Callable[[], Vitals]) -> None:
        self._role, self._vitals = role, vitals
        self._labels = labels_of(role)
        self._build = {**self._labels, "version": version(), "level": str(LEVEL)}
        metrics.add(self._look)

    def _look(self) -> Iterator[Metric]:
        vitals, labels = self._vitals(), self._labels
        yield gauge(
            "cronstream_build_info",
            "1; its labels say which version of cronstream this is, and which level it knows.",
            self._build,
            1,
        )
        yield gauge(
            "cronstream_healthy",
            "Whether the process does what it is there for, as /health says.",
            labels,
            not vitals.faults,
        )
        yield gauges(
            "cronstream_health_fault",
            "Whether something is wrong, for each subject that is judged.",
            labels,
            [
                ({"subject": subject}, subject in vitals.faults)
                for subject in subjects(self._role.kind)
            ],
        )
        yield gauge(
            "cronstream_warnings",
            "How many warnings /health lists.",
            labels,
            vitals.warnings,
        )
        yield gauge(
            "cronstream_broker_round_trip_seconds",
            "How long Kafka took to answer last how far the topic of this role goes.",
            labels,
            vitals.round_trip_s,
        )
        yield gauge(
            "cronstream_clock_difference_seconds",
            "How far this machine's clock is ahead of another; below 0: behind.",
            {**labels, "against": "broker"},
            vitals.clock_s,
        )
