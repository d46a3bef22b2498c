"""Reads what a job's variables only name: a file, or a variable of the worker's own environment.

It is read at each start, so that a secret that was changed is the new one, and never written
anywhere: it is in the command's environment, and masked in its output.
"""

import os
import stat
import threading
from collections.abc import Callable, Mapping
from typing import Final

from cronstream.core.wire.variables import Secret

#: No secret is larger; Linux takes 128 KiB for a variable (MAX_ARG_STRLEN).
MOST_BYTES: Final = 65_536
#: Seconds that a file gets where a file system is mounted that may hang.
_PATIENCE_S: Final = 2.0
_NO_ANSWER: Final = "its file system does not answer"
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class UnavailableError(Exception):
    """A secret cannot be had; the attempt has failed. The sentence has no value in it."""


class SecretReader:
    """Reads secrets for one command after another.

    Args:
        variables: The worker's own environment.
        may_hang: Says whether a file system is mounted that may hang.
    """

    def __init__(self, variables: Mapping[str, str], may_hang: Callable[[], bool]) -> None:
        self._variables, self._may_hang = variables, may_hang
        #: Who waits still, by folder: nobody else is made to wait there.
        self._stuck: dict[str, threading.Thread] = {}

    def read(self, named: Mapping[str, str]) -> dict[bytes, bytes]:
        """Return variables with their values, from where each is said to be.

        Raises:
            UnavailableError: If one cannot be had.
        """
        return {
            os.fsencode(variable): self._value(variable, Secret.of(text))
            for variable, text in named.items()
        }

    def _value(self, variable: str, secret: Secret) -> bytes:
        if secret.kind == "from":
            return self._variable(variable, secret.place)
        if secret.kind != "file":
            raise UnavailableError(f"variable {variable}: no worker knows what '{secret}' is")
        try:
            data = self._file(secret.place)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            mend = (
                "make it readable to the worker's user" if isinstance(error, OSError) else "mend it"
            )
            raise UnavailableError(
                f"variable {variable}: {secret.place} cannot be read ({why[:1].lower()}{why[1:]}); "
                f"{mend}, or name another file in the job's 'env'"
            ) from error
        return data.rstrip(b"\r\n")

    def _variable(self, variable: str, name: str) -> bytes:
        if name not in self._variables:
            raise UnavailableError(
                f"variable {variable}: {name} is not set where this worker was started; set it "
                "there and restart the worker, or change the job's 'env'"
            )
        return os.fsencode(self._variables[name])

    def _file(self, path: str) -> bytes:
        if not self._may_hang():
            return read_file(path)
        # This process starts commands, and may not wait for whoever serves the file.
        folder = path.rpartition("/")[0]
        if folder in self._stuck and self._stuck[folder].is_alive():
            raise OSError(0, _NO_ANSWER)
        found: list[bytes | OSError | ValueError] = []

        def look() -> None:
            try:
                found.append(read_file(path))
            except (OSError, ValueError) as error:
                found.append(error)

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        looking.join(_PATIENCE_S)
        if not found:
            self._stuck[folder] = looking
            raise OSError(0, _NO_ANSWER)
        self._stuck.pop(folder, None)
        if isinstance(found[0], bytes):
            return found[0]
        raise found[0]


def read_file(path: str) -> bytes:
    """Return what is in a file.

    Raises:
        OSError: If it cannot be read.
        ValueError: If what is in it can be no variable's value.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a file")
        data = b""
        while len(data) <= MOST_BYTES and (more := os.read(descriptor, MOST_BYTES + 1)):
            data += more
    finally:
        os.close(descriptor)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 1024} KiB")
    if b"\0" in data:
        raise ValueError("there is a NUL in it")
    return data
