"""What every process tells of its health."""

from cronstream.core.health.judgement import subjects
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.naming import RoleKind
from cronstream.metrics.exposition import Metrics
from cronstream.metrics.process import ProcessMetrics, Vitals
from tests.metrics.built import WORKER, of_scheduler, of_worker, value


def test_what_is_wrong_is_1_and_each_other_subject_is_0() -> None:
    metrics = of_scheduler()

    assert value(metrics, "cronstream_healthy") == 0
    for subject in subjects(RoleKind.SCHEDULER):
        is_wrong = value(metrics, "cronstream_health_fault", subject=subject)
        assert is_wrong == (subject == "broker")
    assert value(metrics, "cronstream_warnings") == 2
    assert value(metrics, "cronstream_clock_difference_seconds", against="broker") == -1.5


def test_what_is_not_known_yet_has_no_series() -> None:
    metrics = Metrics()
    ProcessMetrics(metrics, WORKER, lambda: Vitals(frozenset()))

    assert value(metrics, "cronstream_healthy") == 1
    assert value(metrics, "cronstream_broker_round_trip_seconds") is None
    assert value(metrics, "cronstream_clock_difference_seconds") is None


def test_a_process_says_which_build_and_which_role_it_is() -> None:
    labels = {"role": "worker", "cluster": "cluster-a", "level": str(LEVEL)}

    assert value(of_worker(), "cronstream_build_info", **labels) == 1
    assert value(of_scheduler(), "cronstream_build_info", role="scheduler", cluster="") == 1


async def test_the_page_is_of_the_type_that_is_asked_for() -> None:
    metrics = of_worker()
    for accept, begins in (
        ("", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=1.0.0,text/plain", "application/openmetrics-text"),
    ):
        text, content_type = await metrics.page(accept)
        assert content_type.startswith(begins)
        assert b"cronstream_partitions_owned" in text
        assert b"python_info" in text
        assert text.endswith(b"# EOF\n") == accept.startswith("application")
