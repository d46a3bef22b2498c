"""One embedded Kafka at a time in one folder."""

import asyncio
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from cronstream.broker.ports import HOST
from cronstream.errors import BrokerError

_POLL_S = 0.1
#: A Kafka whose owner has died gets a TERM and 5 s from the guard; this is longer.
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class DataLock:
    """A held lock. The JVM inherits it, so it ends when both are gone, however they went."""

    file: IO[str]

    @property
    def fileno(self) -> int:
        """The descriptor to pass on to the JVM."""
        return self.file.fileno()

    def release(self) -> None:
        """Let go of it; a JVM that still runs keeps it."""
        self.file.close()


async def lock_data(path: Path, port: int) -> DataLock:
    """Lock the folder that `path` is in, for a Kafka at `port`.

    If the process that locked it is dead, its JVM is being ended by the guard: that is waited for.

    Raises:
        BrokerError: If it is in use; it says by whom, and what to do.
    """
    file = path.open("a+")
    waited_s = 0.0
    while not _try_lock(file):
        holder = _read_holder(file)
        is_alive = psutil.pid_exists(holder.get("pid", 0))
        if is_alive or waited_s >= _PATIENCE_S:
            file.close()
            raise BrokerError(_in_use(path, holder))
        await asyncio.sleep(_POLL_S)
        waited_s += _POLL_S
    file.seek(0)
    file.truncate()
    json.dump({"pid": os.getpid(), "port": port}, file)
    file.flush()
    return DataLock(file)


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_holder(file: IO[str]) -> dict[str, Any]:
    """Return what the holder wrote, or nothing if it has not come to that yet."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _in_use(path: Path, holder: dict[str, Any]) -> str:
    pid, port = holder.get("pid", "unknown"), holder.get("port", "PORT")
    return (
        f"Kafka is already running with the data in {path.parent}, started by pid {pid}, "
        f"on port {port}: use --broker kafka://{HOST}:{port}, or another --data-dir"
    )
