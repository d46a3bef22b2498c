"""What this system can do for us, what is said if it cannot, and of what version it is."""

import sys
import zoneinfo
from importlib import import_module
from pathlib import Path

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


def version() -> str:
    """Return the version of cronstream; empty if it is not installed, but run from its source."""
    # It takes longer to import than most commands.
    metadata = import_module("importlib.metadata")
    try:
        return str(metadata.version("cronstream"))
    except metadata.PackageNotFoundError:
        return ""


def give_memory_back() -> None:
    """Have the C library give the system what memory it keeps and nothing uses, where it can.

    glibc keeps it, of each thread, when a great deal was used for a moment (malloc_trim(3)).
    """
    library = import_module("ctypes").CDLL(None)
    trim = getattr(library, "malloc_trim", None)
    if trim is not None:
        trim(0)


def _first_line(file: Path) -> str | None:
    try:
        with file.open(encoding="utf-8") as text:
            return text.readline().strip()
    except OSError:
        return None


def tzdata_version() -> str:
    """Return the version of the time zones that schedules are read with; empty if none says so.

    Zones come from the first folder of `zoneinfo.TZPATH` that has them, else from the package.
    """
    for folder in map(Path, zoneinfo.TZPATH):
        for name, prefix in (("tzdata.zi", "# version "), ("+VERSION", "")):
            line = _first_line(folder / name)
            if line is not None:
                return line.removeprefix(prefix)[:64]
        if (folder / "UTC").exists():
            return ""
    try:
        return str(import_module("tzdata").IANA_VERSION)
    except ImportError:
        return ""
