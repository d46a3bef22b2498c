"""Which processes trace, and that the others have nothing to do with it."""

import logging
import subprocess
import sys

import pytest

from cronstream.core.wire.naming import SCHEDULER, Role
from cronstream.settings import Settings, child_environment
from cronstream.tracing.beginning import begin_tracing
from cronstream.tracing.span import PUBLISH, Span
from tests.builders import a_run, at
from tests.tracing.collector import a_collector


def test_a_process_that_does_not_trace_loads_nothing_of_opentelemetry() -> None:
    look = (
        "import sys, cronstream.application\n"
        "from cronstream.core.wire.naming import SCHEDULER\n"
        "from cronstream.settings import settings\n"
        "from cronstream.tracing.beginning import begin_tracing\n"
        "assert begin_tracing(settings(), SCHEDULER, None) is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run(
        [sys.executable, "-c", look],
        env=child_environment(OTEL_TRACES_EXPORTER="none"),
        timeout=60,
        check=True,
    )


def test_an_exporter_that_is_not_known_traces_nothing_and_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert begin_tracing(Settings(traces_exporter="zipkin"), SCHEDULER, None) is None

    [said] = caplog.messages
    assert said.startswith("OTEL_TRACES_EXPORTER=zipkin: runs are not traced")


def test_without_the_extra_a_process_says_how_to_install_it_and_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "cronstream.tracing.sdk", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)

    assert begin_tracing(Settings(traces_exporter="otlp"), SCHEDULER, None) is None

    [said] = caplog.messages
    assert said.endswith("it comes with 'pip install cronstream[otel]'")
    assert "opentelemetry.context is not installed" in said


async def test_spans_come_to_a_collector_with_what_the_process_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    with a_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        role = Role.of("cluster-a", retry=True)
        tracer = begin_tracing(Settings(traces_exporter="otlp"), role, "kafka-1")
        assert tracer is not None
        tracer.record(Span(a_run(), PUBLISH, at(-20), at(-19)))
        await tracer.stop()

    [span] = collector.spans
    assert span.name == "publish backup"
    assert (
        span.process.items()
        >= {
            "service.name": "cronstream",
            "cronstream.role": "retry-worker",
            "cronstream.cluster": "cluster-a",
            "cronstream.prefix": "cronstream",
        }.items()
    )
    assert "runs are traced, by OTLP" in caplog.messages
