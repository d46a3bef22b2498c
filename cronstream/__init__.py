"""cronstream: distributed cron on Kafka, as one Faust application.

``faust -A cronstream …`` finds the application as the attribute `app` of this package. It is
built when it is first asked for, so that whatever needs only the pure core imports no Faust app.
"""

import sys
from importlib import import_module
from typing import Any

from cronstream.errors import PlatformError
from cronstream.system import need_linux

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Build the application when it is asked for (PEP 562)."""
    if name == "app":
        import_module("cronstream.logs").begin()
        try:
            need_linux()
        except PlatformError as error:
            sys.exit(f"cronstream: {error}")
        return import_module("cronstream.application").app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
