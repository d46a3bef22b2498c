"""Where what runs with a data folder is to be reached: noted by who runs it, for commands.

In the folder of an installation it is the broker that is noted, in a console's the console.

The note is true for as long as it is locked, so nobody has to take it back: the kernel ends the
lock with the process that wrote it, however that went.
"""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

if sys.platform != "win32":  # Commands that need no installation work there too.
    import fcntl

_NAME = "running"
#: A command that reads holds the lock for an instant.
_TRIES, _PAUSE_S = 20, 0.01


class RunningNote:
    """Says where something is, until it is closed; says nothing if another process does already."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / _NAME).open("a+")
        self._is_ours = self._lock()

    @property
    def is_anothers(self) -> bool:
        """Whether another process runs with this folder."""
        return sys.platform != "win32" and not self._is_ours

    def write(self, address: str) -> None:
        """Say where it is."""
        if self._is_ours:
            self._file.seek(0)
            self._file.truncate()
            json.dump({"address": address}, self._file)
            self._file.flush()

    def close(self) -> None:
        """Say nothing more."""
        self._file.close()

    def _lock(self) -> bool:
        if sys.platform == "win32":
            return False
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._file.truncate(0)
                return True
            time.sleep(_PAUSE_S)
        return False


def running_at(folder: Path) -> str | None:
    """Return where it is that runs with this folder, a Kafka or a console; None if none does."""
    if sys.platform == "win32":
        return None
    try:
        with (folder / _NAME).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                note: Any = json.loads(file.read() or "{}")
                return note.get("address") if isinstance(note, dict) else None
    except (OSError, ValueError):
        pass
    return None
