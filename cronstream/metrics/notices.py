"""What a worker counts of the notices that it sends: pings of monitors, and webhooks."""

from collections.abc import Iterable

from prometheus_client import Counter

from cronstream.core.wire.naming import Role
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.process import labels_of


class NoticeCounts:
    """Counts notices that are done with; any thread may.

    Args:
        metrics: Gets the family.
        role: Whose worker it is.
        kinds: Of notices, and `results` of what comes of them: each has a series from 0 on.
    """

    def __init__(
        self, metrics: Metrics, role: Role, kinds: Iterable[str], results: Iterable[str]
    ) -> None:
        labels = labels_of(role)
        self._family = Counter(
            "cronstream_notices_total",
            "Notices about runs that were sent to others, or were not, by what came of it.",
            (*labels, "kind", "result"),
            registry=metrics.registry,
        )
        self._labels, names = tuple(labels.values()), tuple(results)
        for kind in kinds:
            for result in names:
                self._family.labels(*self._labels, kind, result)

    def note(self, kind: str, result: str) -> None:
        """Count one."""
        self._family.labels(*self._labels, kind, result).inc()
