"""Traces of runs, for OpenTelemetry: one trace for a run, whichever processes had to do with it.

The ids of a trace and of its spans are made from the run's id, so every process makes the same, and
no message carries any. Without ``OTEL_TRACES_EXPORTER`` nothing here is done, and nothing of
OpenTelemetry loaded; it comes with ``cronstream[otel]``.

``ids``        the ids of a run's trace, and the text that a command gets of them
``span``       a span as a value, and who takes it
``beginning``  has this process trace, if it is set so
``sdk``        OpenTelemetry's SDK: the only module that imports it
``run_spans``  the spans of runs, by what the fold of a log says of them
"""
