"""cronstream: distributed cron on Kafka, as one Faust application.

``faust -A cronstream …`` finds the application as the attribute `app` of this package. It is
built when it is first asked for, so that whatever needs only the pure core imports no Faust app.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Build the application when it is asked for (PEP 562)."""
    if name == "app":
        from cronstream.application import app  # noqa: PLC0415 - only when it is asked for

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
