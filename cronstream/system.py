"""What this operating system can do for us, and what it is told if it cannot."""

import sys

from cronstream.errors import PlatformError

_NAMES = {"darwin": "macOS", "win32": "Windows"}


def need_linux() -> None:
    """Make sure that jobs can run here: sessions, process trees and their ends are Linux's.

    Raises:
        PlatformError: If this is another system; the sentence says what to do, and what works.
    """
    system: str = sys.platform
    if system != "linux":
        raise PlatformError(
            f"this needs Linux, and here is {_NAMES.get(system, system)}: run it in a container "
            "(docker compose up --build, see docs/images.md); init, check, jobs, next, and with "
            "--broker runs, show, discarded, replay, run-now and audit work here too"
        )
