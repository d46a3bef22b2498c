"""The crontab's file, watched for as long as a process lives.

The folder is watched and not the file, since a rename or a swapped symbolic link replaces the
file under its name. Some file systems report nothing (NFS, some container mounts), so the content
is looked at once a second besides; and only now and then where all is heard of.

A rename and a swapped link put a whole file there. One that is written in place may be half a file,
and a good crontab all the same, if its writer pauses between two jobs: where jobs are missing from
it, nothing is reported before nobody has written to it for a while.
"""

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cronstream import clock
from cronstream.core.crontab.change import missing
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.parts import PartlyGoodError
from cronstream.crontab_file import Content, Recall, look, parse, recall_nothing, states_of
from cronstream.errors import CrontabError, Problem
from cronstream.folder_watch import Folder, FolderWatch
from cronstream.logs import fields
from cronstream.system import give_memory_back

logger = logging.getLogger(__name__)

#: How often the content is looked at although nothing was heard.
_POLL_S = 1.0
#: So many times longer it is where all that changes it is heard of, once its writer has closed it.
_HEARD_TIMES = 5
#: How long a change must have been there: an editor may still be writing.
_SETTLE_S = 0.1
#: How long nobody may have written to a file in place before jobs that it lacks are removed.
_STILL_S = 5.0
#: How long after it was written to a file is read at each look.
_FRESH_S = 2.0
#: How often it is read although nothing shows that it has changed.
_REREAD_S = 60.0
#: What took so many bytes and was read for nothing is given back to the system.
_MUCH = 1_000_000
#: A file that is written to without end is read as it stands after this many looks.
_MAX_SETTLING = 5


async def watch_crontab(
    path: Path, stop: asyncio.Event, recall: Recall = recall_nothing
) -> AsyncIterator[Crontab | CrontabError]:
    """Yield what the file says now, and then each time its content has changed, until `stop`.

    A change is reported within two seconds, whatever way it came about: an edit in place, a rename,
    a symbolic link that points elsewhere, a file that went or came back; within eight, if whoever
    writes keeps the file open, or in its memory. Only a file that was written in place and lacks
    jobs is waited for. Content that is not valid is reported once, as the error that it is.

    Args:
        path: The file.
        stop: Ends it.
        recall: Is asked what is known of the file, where that was not read here before.
    """
    heard = asyncio.Event()
    folders = FolderWatch(heard.set)
    stopping, hearing = (asyncio.create_task(event.wait()) for event in (stop, heard))
    try:
        looks, known = _Looks(path, folders), None
        content = await asyncio.to_thread(looks.look)
        unfinished = _Unfinished(path, recall)
        while not stop.is_set():
            found = None if content.digest == known else await unfinished.accept(content)
            if found is not None:
                is_in_vain = content.size > _MUCH and isinstance(found, CrontabError)
                known = content.digest
                content = looks.last = content.emptied()
                await _give_back(is_in_vain)
                yield found
            elif content.digest == known:
                unfinished.forget()
            wakes = asyncio.FIRST_COMPLETED
            is_quiet = looks.are_heard_of and content.digest == known
            rest_s = clock.until_step(_POLL_S * _HEARD_TIMES if is_quiet else _POLL_S)
            await asyncio.wait({stopping, hearing}, timeout=rest_s, return_when=wakes)
            if heard.is_set():
                heard.clear()
                hearing = asyncio.create_task(heard.wait())
            content = await _settled(looks, known)
    finally:
        folders.close()
        stopping.cancel()
        hearing.cancel()


@dataclass(frozen=True, slots=True)
class _Held:
    """What is not reported yet, and since when it is as it is, in monotonic seconds."""

    content: Content
    found: Crontab | CrontabError
    since: float


class _Unfinished:
    """Holds back what may be half a file."""

    def __init__(self, path: Path, recall: Recall) -> None:
        self._path, self._recall = path, recall
        self._last: Crontab | None = None
        #: What was reported last, and which of its files ended with a line.
        self._content = Content()
        self._whole: set[str] = set()
        self._held: _Held | None = None

    def forget(self) -> None:
        """Wait no longer: the file is again as it was reported last."""
        self._held = None

    async def accept(self, content: Content) -> Crontab | CrontabError | None:
        """Return what the file says, or None while it may not be all of it."""
        held, now = self._held, clock.monotonic()
        if held is None or held.content != content:
            found = await asyncio.to_thread(_try, self._path, content, self._last, self._recall)
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
        crontab, self._held = _usable(found), None
        self._content = content.emptied()
        if crontab is not None:
            self._last = crontab
            self._whole = {name for name, file in content.files.items() if file.raw.endswith(b"\n")}
        return found

    def _doubt(self, content: Content, found: Crontab | CrontabError) -> str | None:
        """Return what makes it look like half a file: also one that had gone and is back."""
        crontab = _usable(found)
        if self._last is None or crontab is None:
            return None
        in_place = self._written_in_place(content)
        if in_place is None:
            return None
        lacking = missing(self._last.jobs, crontab.jobs)
        if lacking:
            return f"without {lacking}"
        if any(name in self._whole and not raw.endswith(b"\n") for name, raw in in_place.items()):
            return "and ends within a line"
        return None

    def _written_in_place(self, content: Content) -> dict[str, bytes] | None:
        """Return what is in files that have changed and are the same files; None if none has.

        A file that is gone may be back at once; it counts as one of them.
        """
        old, new = self._content.files, content.files
        found = dict.fromkeys(old.keys() - new.keys(), b"\n")
        for name, file in new.items():
            before = old.get(name)
            is_same_file = before is not None and before.file in (None, file.file)
            if before is not None and is_same_file and before.own != file.own:
                found[name] = file.raw
        return found or None


def _usable(found: Crontab | CrontabError) -> Crontab | None:
    """Return what can be put in force of what a file says."""
    if isinstance(found, PartlyGoodError):
        return found.crontab
    return found if isinstance(found, Crontab) else None


class _Looks:
    """Looks at a file; one that was not touched since is not read again, but for once a minute.

    A file that was written to just now is: what is written in the same moment may not show.

    Args:
        path: The file.
        folders: Is given those that its name leads through, before it is looked at.

    Attributes:
        are_heard_of: Whether all changes of it are, as far as that was known when it was read.
    """

    def __init__(self, path: Path, folders: FolderWatch) -> None:
        self._path, self._folders = path, folders
        self.are_heard_of = False
        self.last: Content | None = None
        self._read_at = (0.0, 0.0)

    def look(self) -> Content:
        """Return what is in the file."""
        self._folders.keep_to(_folders(self._path))
        last, (monotonic, wall) = self.last, self._read_at
        if last is not None and last.state is not None and self._is_as(last):
            written_at = max(max(state[1:3]) for state in last.states.values() if state) / 1e9
            if written_at < wall - _FRESH_S and clock.monotonic() - monotonic < _REREAD_S:
                return last
        self._read_at = clock.monotonic(), clock.wall()
        found = look(self._path)
        if last is not None and not last.raw and last.digest == found.digest:
            size, found = found.size, found.emptied()  # It is known, and need not be kept.
            if size > _MUCH:
                give_memory_back()
        self.are_heard_of = not found.include and self._folders.hears_of(self._path)
        self.last = found
        return found

    def _is_as(self, last: Content) -> bool:
        return last.states == states_of(self._path, last.include)


async def _give_back(is_much: bool) -> None:
    if is_much:
        await asyncio.to_thread(give_memory_back)


async def _settled(looks: _Looks, known: bytes | None) -> Content:
    """Return the content, once it has stayed the same for a moment if it is another one."""
    content = await asyncio.to_thread(looks.look)
    for _ in range(_MAX_SETTLING):
        if content.digest == known:
            break
        await asyncio.sleep(_SETTLE_S)
        before, content = content, await asyncio.to_thread(looks.look)
        if content.digest == before.digest:
            break
    return content


def _folders(path: Path) -> frozenset[Folder]:
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


def _try(
    path: Path, content: Content, before: Crontab | None, recall: Recall
) -> Crontab | CrontabError:
    try:
        return parse(str(path), content, before, recall)
    except CrontabError as error:
        return error
    except Exception as error:  # What is in force stays so, and the next edit may be read.
        logger.exception("%s could not be read", path.name, extra=fields("crontab-not-read"))
        what = f"it could not be read, by a fault in cronstream itself ({error!r}); report it"
        return CrontabError(str(path), [Problem(what)])
