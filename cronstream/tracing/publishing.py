"""The span of a run's being put on its log: a scheduler's."""

import asyncio
from collections.abc import Callable
from typing import Any

from cronstream import clock
from cronstream.core.wire.runs import Run
from cronstream.tracing.span import PUBLISH, Span, Tracer


def trace_publishing(tracer: Tracer) -> Callable[[Run, "asyncio.Future[Any]"], None]:
    """Return what is to be called with each run, and the broker's word on it that is to come."""

    def sent(run: Run, acknowledged: "asyncio.Future[Any]") -> None:
        start = clock.now()

        def is_over(future: "asyncio.Future[Any]") -> None:
            if not future.cancelled():
                error = future.exception()
                fault = None if error is None else str(error)
                tracer.record(Span(run, PUBLISH, start, clock.now(), fault=fault))

        acknowledged.add_done_callback(is_over)

    return sent
