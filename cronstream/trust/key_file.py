"""A file that has keys, as it is now: it is read again once it has changed."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IRGRP, S_IRWXG, S_IRWXO
from typing import Any

from cronstream.errors import KeysError

#: No file of keys is larger.
_MAX_BYTES = 1_000_000


@dataclass(slots=True)
class KeyFile:
    """A file of keys.

    Attributes:
        variable: The setting that names it, for messages.
        is_secret: Whether nobody but its owner may read it.
    """

    variable: str
    path: Path
    is_secret: bool = False
    _seen: Any = field(default=None, init=False)

    def read_if_changed(self) -> bytes | None:
        """Return what is in it, if that may be something else than the last time.

        Raises:
            KeysError: If it cannot be read, or others may read what is secret; the sentence names
                the setting and the file. It is not raised twice for one state of the file.
        """
        seen: Any
        try:
            state = self.path.stat()
            seen = (state.st_mtime_ns, state.st_ino, state.st_size, state.st_mode)
        except OSError as error:
            seen = error.errno
        if seen == self._seen:
            return None
        self._seen = seen
        return self._read()

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                raw = file.read(_MAX_BYTES + 1)
                state = os.fstat(file.fileno())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise self.fault(f"cannot be read ({reason})") from error
        if len(raw) > _MAX_BYTES:
            raise self.fault("is larger than 1 MB: it is no file of keys")
        if self.is_secret and is_exposed(state.st_mode, owner=state.st_uid, user=os.geteuid()):
            raise self.fault(f"may be read by others: chmod 600 {self.path}")
        return raw

    def fault(self, what: str) -> KeysError:
        """Return the error that says what is wrong with it."""
        return KeysError(f"{self.variable}: {self.path} {what}")


def is_exposed(mode: int, *, owner: int, user: int) -> bool:
    """Return whether a secret file may be read by others than who is to use it.

    A group may read what is root's, as a secret that is mounted into a container is: there is no
    other way for a user who is not root. PostgreSQL has the same rule of its server's key.

    Args:
        mode: The file's, with its rights.
        owner: Whose the file is, by number.
        user: Who is to use it.
    """
    others = S_IRWXG | S_IRWXO
    return bool(mode & (others & ~S_IRGRP if owner == 0 != user else others))
