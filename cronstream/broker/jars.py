"""The folder of Kafka's jars: downloaded once, by one process, and complete or not there."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import AsyncFileLock, Timeout

from cronstream.broker.pins import PinError, check
from cronstream.errors import BrokerError

KAFKA_VERSION = "4.3.1"
_DOWNLOAD = "cronstream.broker.download"
_LOCK_POLL_S = 0.2


async def ensure_jars(cache: Path, say: Callable[[str], None]) -> tuple[Path, ...]:
    """Return Kafka's jars below `cache`, in a stable order, downloading them if need be.

    Each is checked against its SHA-256, at each start.

    Raises:
        BrokerError: If they cannot be downloaded or stored, or are others than were tested; it says
            why and what to do.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    try:
        if not _is_there(folder):
            await _download_once(folder, cache, say)
        return await asyncio.to_thread(check, folder)
    except OSError as error:
        raise BrokerError(f"Kafka's jars cannot be kept in {cache}: {error}") from error
    except PinError as error:
        raise BrokerError(f"{error}: remove the folder, and they are downloaded again") from error


async def _download_once(folder: Path, cache: Path, say: Callable[[str], None]) -> None:
    """Download them, unless another process has done so meanwhile."""
    async with _only_one(_make_lock(cache), say):
        if not _is_there(folder):
            await _download(folder, say)


def _is_there(folder: Path) -> bool:
    return folder.is_dir()


def _make_lock(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    return cache / "lock"


@asynccontextmanager
async def _only_one(lock: Path, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Wait until no other process downloads; the kernel ends the lock with its holder."""
    only_one = AsyncFileLock(lock)
    try:
        await only_one.acquire(timeout=0)
    except Timeout:
        say("waiting for another process that is downloading Kafka ...")
        await only_one.acquire(poll_interval=_LOCK_POLL_S)
    try:
        yield
    finally:
        await only_one.release()


async def _download(folder: Path, say: Callable[[str], None]) -> None:
    """Download beside `folder` and rename, so that a half-done download is never taken for one."""
    say(f"downloading Kafka {KAFKA_VERSION} (44 MB, once) to {folder} ...")
    staging = folder.parent / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        await _run_download(staging / folder.name, say)
        (staging / folder.name).rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


async def _run_download(folder: Path, say: Callable[[str], None]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", _DOWNLOAD, str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    if process.stdout is None or process.stderr is None:
        raise BrokerError("the download was started without pipes")
    try:
        why = asyncio.create_task(process.stderr.read())
        async for line in process.stdout:
            say(line.decode(errors="replace").rstrip())
        reasons = (await why).decode(errors="replace").strip().splitlines()
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        reason = reasons[-1] if reasons else f"status {status}"
        raise BrokerError(
            f"Kafka could not be downloaded from Maven Central: {reason}; try again when the "
            "network is there, or use --broker kafka://HOST:PORT"
        )
