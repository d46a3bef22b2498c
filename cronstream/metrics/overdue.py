"""What the worker of first attempts tells of jobs that are overdue: it owns their marks."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from prometheus_client import Metric

from cronstream.core.health.presence import MOST_OVERDUE, Overdue
from cronstream.metrics.exposition import Metrics, gauge, gauges


class OverdueMetrics:
    """The families of jobs that are overdue, each of which has a series as long as it is.

    Args:
        metrics: Gets them.
        cluster: Whose worker it is.
        jobs: Returns the jobs that are overdue, those that are the longest first.
    """

    def __init__(
        self, metrics: Metrics, cluster: str, jobs: Callable[[], Sequence[Overdue]]
    ) -> None:
        self._labels, self._jobs = {"cluster": cluster}, jobs
        metrics.add(self._look)

    def _look(self) -> Iterator[Metric]:
        jobs = self._jobs()
        yield gauges(
            "cronstream_job_overdue",
            "1 for a job that has not succeeded within its expect_within; 100 of them at most.",
            self._labels,
            [({"cron_job": one.job}, 1) for one in islice(jobs, MOST_OVERDUE)],
        )
        yield gauge(
            "cronstream_jobs_overdue",
            "How many jobs have not succeeded within their expect_within.",
            self._labels,
            len(jobs),
        )
