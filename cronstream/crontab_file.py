"""The crontab's file: read once, or watched for as long as a process lives.

The folder is watched and not the file, since a rename or a swapped symbolic link replaces the
file under its name. Some file systems tell nothing (NFS, some container mounts), so the content
is looked at once a second besides.
"""

import asyncio
import hashlib
import logging
import os
import stat
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from watchfiles import awatch

from cronstream.core.crontab import MAX_BYTES, Crontab, parse_crontab
from cronstream.errors import CrontabError
from cronstream.settings import settings

logger = logging.getLogger(__name__)

#: How often the content is looked at although nothing was heard.
_POLL_S = 1.0
#: How often it is asked whether the file's name still leads through the folders listened in.
_RELISTEN_S = 1.0
#: How long a change must have been there: an editor may still be writing.
_SETTLE_S = 0.1
#: A file that is written to without end is read as it stands after this many looks.
_MAX_SETTLING = 5

#: A folder and its inode, so that a folder that was replaced counts as another.
_Folder: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Content:
    """What is in the file, or why it cannot be read."""

    raw: bytes = b""
    problem: str | None = None

    @property
    def digest(self) -> bytes:
        """Tells contents apart, and unreadable files too."""
        return hashlib.blake2b(self.raw + (self.problem or "").encode()).digest()


def read_crontab(path: Path) -> Crontab:
    """Return what the file says.

    Raises:
        CrontabError: If it cannot be read or is not valid, with every problem.
    """
    return _parse(path, _look(path))


async def watch_crontab(path: Path, stop: asyncio.Event) -> AsyncIterator[Crontab | CrontabError]:
    """Yield what the file says now, and then each time its content has changed, until `stop`.

    A change is told within two seconds, whatever way it came about: an edit in place, a rename,
    a symbolic link that points elsewhere, a file that went or came back. A content that is not
    valid is told once, as the error that it is.
    """
    heard, ended = asyncio.Event(), asyncio.Event()
    listening = asyncio.create_task(_listen(path, heard, ended), name=f"watch {path}")
    try:
        known, content = None, await asyncio.to_thread(_look, path)
        while not stop.is_set():
            if content.digest != known:
                known = content.digest
                yield await asyncio.to_thread(_try, path, content)
            await _first_of(heard, stop, timeout_s=_POLL_S)
            heard.clear()
            content = await _settled(path, known)
    finally:
        # Told and not cancelled: awatch has a thread, and a cancel scope that may swallow it.
        ended.set()
        await asyncio.wait([listening])


async def _settled(path: Path, known: bytes) -> _Content:
    """Return the content, once it has stayed the same for a moment if it is another one."""
    content = await asyncio.to_thread(_look, path)
    for _ in range(_MAX_SETTLING):
        if content.digest == known:
            break
        await asyncio.sleep(_SETTLE_S)
        before, content = content, await asyncio.to_thread(_look, path)
        if content.digest == before.digest:
            break
    return content


async def _first_of(*events: asyncio.Event, timeout_s: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def _listen(path: Path, heard: asyncio.Event, ended: asyncio.Event) -> None:
    """Set `heard` whenever something happens in a folder that the file's name leads through."""
    while not ended.is_set():
        folders = await asyncio.to_thread(_folders, path)
        try:
            await _listen_in(folders, path, heard, ended)
        except (OSError, RuntimeError) as error:
            # Too many watches, or a folder that went meanwhile: the looks go on.
            logger.debug("%s: cannot watch its folders: %s", path, error)
            await _first_of(ended, timeout_s=_RELISTEN_S)


async def _listen_in(
    folders: frozenset[_Folder], path: Path, heard: asyncio.Event, ended: asyncio.Event
) -> None:
    """Listen until the name leads through other folders.

    Raises:
        OSError: If there is no folder to listen in.
    """
    if not folders:
        raise FileNotFoundError(path.parent)
    changes = awatch(
        *(name for name, _ in folders),
        watch_filter=None,
        debounce=100,
        step=20,
        stop_event=ended,
        rust_timeout=int(_RELISTEN_S * 1000),
        yield_on_timeout=True,
        recursive=False,
    )
    # When the loop comes to this, the watch has begun; what was changed before, nobody has told.
    asyncio.get_running_loop().call_soon(heard.set)
    async with aclosing(changes):
        async for change in changes:
            if change:
                heard.set()
            if await asyncio.to_thread(_folders, path) != folders:
                heard.set()
                return


def _folders(path: Path) -> frozenset[_Folder]:
    """Return the folder of the file, of its real place, and of each symbolic link on the way."""
    absolute = path.absolute()
    names = {absolute.parent, Path(os.path.realpath(absolute)).parent}
    names |= {part.parent for part in (absolute, *absolute.parents) if part.is_symlink()}
    found = set()
    for name in names:
        try:
            status = name.stat()
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            found.add((str(name), status.st_ino))
    return frozenset(found)


def _look(path: Path) -> _Content:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return _Content(problem="is not a regular file; name the crontab's file")
        with path.open("rb") as file:
            # One byte more than may be shows that there is more.
            return _Content(file.read(MAX_BYTES + 1))
    except FileNotFoundError:
        hint = "create it (cronstream init), or name another (--crontab)"
        return _Content(problem=f"there is no such file; {hint}")
    except PermissionError:
        return _Content(problem="may not be read by this user; change its permissions")
    except (OSError, ValueError) as error:
        return _Content(problem=f"cannot be read: {error}; name another file (--crontab)")


def _try(path: Path, content: _Content) -> Crontab | CrontabError:
    try:
        return _parse(path, content)
    except CrontabError as error:
        return error


def _parse(path: Path, content: _Content) -> Crontab:
    if content.problem is not None:
        raise CrontabError(str(path), [content.problem])
    try:
        text = content.raw.decode()
    except UnicodeDecodeError as error:
        lines = content.raw[: error.start].decode().split("\n")
        place = f"line {len(lines)}, column {len(lines[-1]) + 1}"
        problem = f"{place}: no UTF-8 from here on; save the file as UTF-8"
        raise CrontabError(str(path), [problem]) from error
    return parse_crontab(text, str(path), lease_s=settings().lease_s)
