"""Notices are counted by kind and by what came of them, from 0 on."""

from cronstream.metrics.exposition import Metrics
from cronstream.metrics.notices import NoticeCounts
from tests.metrics.built import WORKER, value


def test_each_kind_has_a_series_from_the_beginning_and_is_counted() -> None:
    metrics = Metrics()
    counts = NoticeCounts(metrics, WORKER, ("sentry", "on_discard"), ("sent", "failed"))
    assert value(metrics, "cronstream_notices_total", kind="sentry", result="failed") == 0

    counts.note("sentry", "failed")
    counts.note("sentry", "failed")

    assert value(metrics, "cronstream_notices_total", kind="sentry", result="failed") == 2
    assert value(metrics, "cronstream_notices_total", kind="on_discard", result="failed") == 0
    assert (
        value(
            metrics, "cronstream_notices_total", kind="sentry", cluster="cluster-a", result="sent"
        )
        == 0
    )
