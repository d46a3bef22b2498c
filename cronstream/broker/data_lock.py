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
from cronstream.settings import make_data_folder, settings, user_data_folder

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

    def note(self, port: int) -> None:
        """Say for others which port is in use."""
        self.file.seek(0)
        self.file.truncate()
        json.dump({"pid": os.getpid(), "port": port}, self.file)
        self.file.flush()

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
    lock = DataLock(file)
    lock.note(port)
    return lock


def data_folder() -> Path:
    """Return the folder of this crontab's data; what was kept before it had its own is in it.

    Raises:
        SettingsError: If this user may not write there.
    """
    folder = settings().data_dir.absolute()
    if settings().given_data_dir is None:
        # All installations of a user had one Kafka once: the first that is started has its data.
        take_over(user_data_folder() / "kafka", folder / "kafka")
    return make_data_folder(folder)


def take_over(former: Path, folder: Path) -> bool:
    """Move the data of a Kafka from where it was kept before, if nobody uses it; return whether."""
    lock = former / "lock"
    if folder.exists() or not lock.exists():
        return False
    with lock.open("a+") as file:
        if not _try_lock(file):
            return False
        folder.parent.mkdir(parents=True, exist_ok=True)
        former.rename(folder)
    return True


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
