"""A tracer that keeps what it would export, as OpenTelemetry's SDK has made it."""

from datetime import datetime
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cronstream.tracing.ids import TraceIds
from cronstream.tracing.sdk import SdkTracer

IDS = TraceIds("kafka-1", "cronstream")


class Traced:
    """One process that traces."""

    def __init__(self, ids: TraceIds = IDS) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = SdkTracer(ids, SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def only(self, name: str) -> ReadableSpan:
        [found] = [span for span in self.spans if span.name == name]
        return found


def ids_of(span: ReadableSpan) -> tuple[int, int]:
    """Return the ids of a span's trace, and of the span."""
    context: Any = span.get_span_context()
    return context.trace_id, context.span_id


def parent_of(span: ReadableSpan) -> tuple[int, int] | None:
    """Return the same of the span that it is below; None if it is below none."""
    above = span.parent
    return None if above is None else (above.trace_id, above.span_id)


def begin(span: ReadableSpan) -> float:
    """Return when it began, in seconds since 1970."""
    return (span.start_time or 0) / 1e9


def seconds(span: ReadableSpan) -> float:
    """Return how long it took."""
    return ((span.end_time or 0) - (span.start_time or 0)) / 1e9


def about(span: ReadableSpan) -> dict[str, Any]:
    """Return its attributes."""
    return dict(span.attributes or {})


def moment(at: datetime) -> float:
    """Return a time as spans have it."""
    return at.timestamp()
