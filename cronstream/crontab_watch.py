"""The crontab's file, watched for as long as a process lives.

The folder is watched and not the file, since a rename or a swapped symbolic link replaces the
file under its name. Some file systems tell nothing (NFS, some container mounts), so the content
is looked at once a second besides.

A rename and a swapped link put a whole file there. One that is written in place may be half a file,
and a good crontab all the same, if its writer pauses between two jobs: where jobs are missing from
it, nothing is told before nobody has written to it for a while.
"""

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from watchfiles import awatch

from cronstream import clock
from cronstream.core.crontab.change import missing
from cronstream.core.crontab.parser import Crontab
from cronstream.crontab_file import Content, File, look, parse
from cronstream.errors import CrontabError
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: How often the content is looked at although nothing was heard.
_POLL_S = 1.0
#: How often it is asked whether the file's name still leads through the folders listened in.
_RELISTEN_S = 1.0
#: How long a change must have been there: an editor may still be writing.
_SETTLE_S = 0.1
#: How long nobody may have written to a file in place before jobs that it lacks are removed.
_STILL_S = 5.0
#: A file that is written to without end is read as it stands after this many looks.
_MAX_SETTLING = 5

#: A folder and its inode, so that a folder that was replaced counts as another.
_Folder: TypeAlias = tuple[str, int]


async def watch_crontab(path: Path, stop: asyncio.Event) -> AsyncIterator[Crontab | CrontabError]:
    """Yield what the file says now, and then each time its content has changed, until `stop`.

    A change is told within two seconds, whatever way it came about: an edit in place, a rename,
    a symbolic link that points elsewhere, a file that went or came back. Only a file that was
    written in place and lacks jobs is waited for. A content that is not valid is told once, as the
    error that it is.
    """
    heard, ended = asyncio.Event(), asyncio.Event()
    listening = asyncio.create_task(_listen(path, heard, ended), name=f"watch {path}")
    try:
        known, content = None, await asyncio.to_thread(look, path)
        unfinished = _Unfinished(path)
        while not stop.is_set():
            found = None if content.digest == known else await unfinished.take(content)
            if found is not None:
                known = content.digest
                yield found
            elif content.digest == known:
                unfinished.forget()
            await _first_of(heard, stop, timeout_s=_POLL_S)
            heard.clear()
            content = await _settled(path, known)
    finally:
        # Told and not cancelled: awatch has a thread, and a cancel scope that may swallow it.
        ended.set()
        await asyncio.wait([listening])


@dataclass(frozen=True, slots=True)
class _Held:
    """What is not told yet, and since when it is as it is, in monotonic seconds."""

    content: Content
    found: Crontab | CrontabError
    since: float


class _Unfinished:
    """Holds back what may be half a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: Crontab | None = None
        self._file: File | None = None
        self._ended_a_line = False
        self._held: _Held | None = None

    def forget(self) -> None:
        """Wait no longer: the file is again as it was told last."""
        self._held = None

    async def take(self, content: Content) -> Crontab | CrontabError | None:
        """Return what the file says, or None while it may not be all of it."""
        held, now = self._held, clock.monotonic()
        if held is None or held.content != content:
            found = await asyncio.to_thread(_try, self._path, content)
            doubt = self._doubt(content, found)
            if doubt is not None:
                if held is None:
                    logger.info(
                        "%s was written in place %s: waiting until nobody has written to it "
                        "for %g s; rename a file over it, and it is in force at once",
                        self._path.name,
                        doubt,
                        _STILL_S,
                        extra=fields("crontab-waits"),
                    )
                self._held = _Held(content, found, now)
                return None
        elif now - held.since < _STILL_S:
            return None
        else:
            found = held.found
        self._held, self._file = None, content.file
        if isinstance(found, Crontab):
            self._last, self._ended_a_line = found, content.raw.endswith(b"\n")
        return found

    def _doubt(self, content: Content, found: Crontab | CrontabError) -> str | None:
        """Return what makes it look like half a file: also one that had gone and is back."""
        if self._last is None or not isinstance(found, Crontab):
            return None
        if self._file not in (None, content.file):
            return None
        lacking = missing(self._last.jobs, found.jobs)
        if lacking:
            return f"without {lacking}"
        if self._ended_a_line and not content.raw.endswith(b"\n"):
            return "and ends within a line"
        return None


async def _settled(path: Path, known: bytes | None) -> Content:
    """Return the content, once it has stayed the same for a moment if it is another one."""
    content = await asyncio.to_thread(look, path)
    for _ in range(_MAX_SETTLING):
        if content.digest == known:
            break
        await asyncio.sleep(_SETTLE_S)
        before, content = content, await asyncio.to_thread(look, path)
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


def _try(path: Path, content: Content) -> Crontab | CrontabError:
    try:
        return parse(str(path), content)
    except CrontabError as error:
        return error
