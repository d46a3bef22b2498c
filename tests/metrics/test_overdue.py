"""Jobs that are overdue have series of their own, as many as a Prometheus can bear."""

from cronstream.metrics.exposition import Metrics
from cronstream.metrics.overdue import OverdueMetrics
from tests.metrics.built import OVERDUE, families, value


def test_each_job_that_is_overdue_has_a_series_while_it_is() -> None:
    jobs = [OVERDUE]
    metrics = Metrics()
    OverdueMetrics(metrics, "cluster-a", lambda: jobs)

    assert value(metrics, "cronstream_job_overdue", cron_job="backup", cluster="cluster-a") == 1
    assert value(metrics, "cronstream_jobs_overdue", cluster="cluster-a") == 1

    jobs.clear()

    assert value(metrics, "cronstream_job_overdue") is None
    assert value(metrics, "cronstream_jobs_overdue") == 0


def test_beyond_a_hundred_they_are_counted_and_not_named() -> None:
    metrics = Metrics()
    jobs = [OVERDUE.model_copy(update={"job": f"job-{n}"}) for n in range(150)]
    OverdueMetrics(metrics, "cluster-a", lambda: jobs)

    named = [x.labels["cron_job"] for x in families(metrics)["cronstream_job_overdue"].samples]
    assert named == [f"job-{n}" for n in range(100)]
    assert value(metrics, "cronstream_jobs_overdue") == 150
