"""The part of the settings that says what a process logs, and in which form."""

from typing import Literal

from pydantic import Field

from cronstream.pages import Pages


class LogSettings(Pages):
    """What lines there are, and for whom."""

    #: ``plain`` for a supervisor, ``brief`` for a person who looks on, or ``json``.
    log_format: Literal["plain", "brief", "json"] = "plain"
    #: Whether what commands write is logged, line by line as it comes.
    log_output: bool = False
    #: To where the traces of runs go, by OpenTelemetry's own variable: ``otlp``, or nowhere.
    traces_exporter: str = Field(default="", validation_alias="OTEL_TRACES_EXPORTER")
