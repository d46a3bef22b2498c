"""Has a process trace what it has to do with, if it is set so."""

import logging
from importlib import import_module
from typing import Final

from cronstream.core.wire.naming import Role
from cronstream.logs import fields
from cronstream.settings import Settings
from cronstream.tracing.ids import TraceIds
from cronstream.tracing.span import Tracer

logger = logging.getLogger(__name__)

_OTLP: Final = "otlp"
#: Where OpenTelemetry's own variables name an exporter, these mean that there is to be none.
_NONE: Final = ("", "none")


def begin_tracing(settings: Settings, role: Role, kafka: str | None) -> Tracer | None:
    """Return who takes the spans of this process; None if nobody does.

    Args:
        settings: Name the exporter.
        role: What this process is.
        kafka: The id of the Kafka, by which traces of other installations are told apart.
    """
    wanted = settings.traces_exporter
    if wanted in _NONE:
        return None
    if wanted != _OTLP:
        text = "OTEL_TRACES_EXPORTER=%s: runs are not traced, for only 'otlp' is known here"
        logger.warning(text, wanted, extra=fields("not-traced"))
        return None
    try:
        sdk = import_module("cronstream.tracing.sdk")
    except ModuleNotFoundError as error:
        text = "OTEL_TRACES_EXPORTER=otlp: runs are not traced, for %s is not installed; it comes "
        text += "with 'pip install cronstream[otel]'"
        logger.warning(text, error.name, extra=fields("not-traced"))
        return None
    about = {"cronstream.role": role.kind.value, "cronstream.prefix": settings.prefix}
    if role.cluster is not None:
        about["cronstream.cluster"] = role.cluster
    tracer: Tracer = sdk.SdkTracer.exporting(TraceIds(kafka or "", settings.prefix), about)
    logger.info("runs are traced, by OTLP", extra=fields("traced"))
    return tracer
