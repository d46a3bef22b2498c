"""The spans of runs, by OpenTelemetry's SDK, which is set by its own variables (``OTEL_…``).

Spans wait in a queue of bounded length, and a thread of the SDK's exports them: nobody waits for
it.
"""

import asyncio
import logging
import threading
from contextlib import suppress
from datetime import datetime
from typing import Final, Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from cronstream.core.wire.runs import Run
from cronstream.logs import fields
from cronstream.polling import until
from cronstream.tracing.ids import TraceIds, traceparent
from cronstream.tracing.span import ATTEMPT, PUBLISH, RUN, Span

logger = logging.getLogger(__name__)

#: What is left when the process ends may take so long to export.
_STOP_S: Final = 3.0
_LOOK_S: Final = 0.02
_KINDS: Final = {PUBLISH: SpanKind.PRODUCER, ATTEMPT: SpanKind.CONSUMER}


class _GivenIds(IdGenerator):
    """Has the next span have the ids that were made for it; they are as good as random ones."""

    def __init__(self) -> None:
        self.trace = self.span = 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span

    def is_trace_id_random(self) -> bool:
        return True


class SdkTracer:
    """Makes spans of the SDK's of ours.

    Args:
        processor: Takes them.
        attributes: What this process is.
    """

    def __init__(
        self, ids: TraceIds, processor: SpanProcessor, attributes: dict[str, str] | None = None
    ) -> None:
        self._ids, self._given = ids, _GivenIds()
        self._provider = TracerProvider(
            resource=_resource(attributes or {}), shutdown_on_exit=False, id_generator=self._given
        )
        self._provider.add_span_processor(processor)
        self._tracer, self._has_failed = self._provider.get_tracer("cronstream"), False

    @classmethod
    def exporting(cls, ids: TraceIds, attributes: dict[str, str]) -> Self:
        """Return one that exports to where ``OTEL_EXPORTER_OTLP_…`` says, by OTLP over HTTP."""
        return cls(ids, BatchSpanProcessor(OTLPSpanExporter()), attributes)

    def record(self, span: Span) -> None:
        """Take a span; nothing is made of it if its trace is not sampled.

        What the SDK, or a sampler that somebody has given it, cannot do ends the traces of this
        process, and not the fold that tells of the span.
        """
        if self._has_failed:
            return
        try:
            self._record(span)
        except Exception:
            self._has_failed = True
            text = "run %s: a span cannot be made; this process traces no more"
            logger.exception(text, span.run.id, extra=fields("not-traced", run=span.run.id))

    def _record(self, span: Span) -> None:
        run = span.run
        trace = self._ids.trace(run.id)
        if not self._is_sampled(trace, run):
            return
        number = () if span.number is None else (str(span.number),)
        what = () if span.name == RUN else (span.name, *number)
        self._given.trace, self._given.span = trace, self._ids.span(run.id, *what)
        made = self._tracer.start_span(
            f"{span.name} {run.job}",
            context=self._below_the_run(trace, run) if what else Context(),
            kind=_KINDS.get(span.name, SpanKind.INTERNAL),
            attributes=_attributes_of(span),
            start_time=_nanoseconds(span.start),
        )
        for name, at in span.events:
            made.add_event(name, timestamp=_nanoseconds(at))
        if span.fault is not None:
            made.set_status(Status(StatusCode.ERROR, span.fault))
        made.end(_nanoseconds(max(span.start, span.end)))

    def traceparent(self, run: Run) -> str:
        """Return what the command of a run's attempt gets as ``TRACEPARENT``."""
        trace = self._ids.trace(run.id)
        span = self._ids.span(run.id, ATTEMPT, str(run.attempt))
        return traceparent(trace, span, is_sampled=self._is_sampled(trace, run))

    async def stop(self) -> None:
        """Export what is left; the thread that does so ends with the process at the latest."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await until(lambda: not ending.is_alive(), _LOOK_S)

    def _is_sampled(self, trace: int, run: Run) -> bool:
        """Whether the sampler takes the trace: by its id alone, so all processes say the same."""
        decided = self._provider.sampler.should_sample(Context(), trace, f"{RUN} {run.job}")
        return bool(decided.decision.is_sampled())

    def _below_the_run(self, trace: int, run: Run) -> Context:
        span, sampled = self._ids.span(run.id), TraceFlags(TraceFlags.SAMPLED)
        root = SpanContext(trace, span, is_remote=True, trace_flags=sampled)
        return set_span_in_context(NonRecordingSpan(root), Context())


def _attributes_of(span: Span) -> dict[str, str | int]:
    run = span.run
    about: dict[str, str | int] = {
        "cronstream.run": run.id,
        "cronstream.job": run.job,
        "cronstream.cluster": run.cluster,
    }
    if span.number is not None:
        about["cronstream.attempt"] = span.number
    return about | {f"cronstream.{name}": value for name, value in span.attributes.items()}


def _resource(attributes: dict[str, str]) -> Resource:
    """Return what exports say of this process; ``OTEL_SERVICE_NAME`` goes before our name."""
    found = Resource.create(dict(attributes))
    name = str(found.attributes[SERVICE_NAME])
    return found.merge(Resource({SERVICE_NAME: "cronstream"})) if "unknown" in name else found


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1_000
