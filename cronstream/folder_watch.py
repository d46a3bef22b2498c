"""Hears from Linux that something has happened in a folder: inotify(7).

Nothing here turns while nothing happens. Other systems, and some file systems, report nothing.
"""

import asyncio
import ctypes
import errno
import logging
import os
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

logger = logging.getLogger(__name__)

#: A folder and its inode, so that a folder that was replaced counts as another.
Folder: TypeAlias = tuple[str, int]

#: After the first of some changes, how long others that come with it are waited for.
_TOGETHER_S: Final = 0.1

# <sys/inotify.h>; a file counts once whoever wrote it has closed it.
_ATTRIB, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE = 0x4, 0x8, 0xC0, 0x100, 0x200
_SELF, _ONLY_FOLDERS = 0x400 | 0x800, 0x0100_0000
_MASK: Final = _ATTRIB | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _SELF | _ONLY_FOLDERS
_IGNORED: Final = 0x8000
#: File systems that report all that happens in them, by what statfs(2) calls them: ext2 to ext4,
#: XFS, Btrfs, F2FS, tmpfs. Of what happens elsewhere on a network's nothing is heard.
_REPORTING: Final = frozenset({0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994})
#: struct statfs is smaller on all systems; it begins with the kind, a long.
_STATFS_BYTES: Final = 512
#: What stands before the name in an event: the watch, what happened, a cookie, the name's length.
_EVENT: Final = struct.Struct("iIII")


class FolderWatch:
    """Calls `on_change` whenever something has happened in one of some folders.

    Args:
        on_change: Is called on the event loop in which this was made.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change, self._loop = on_change, asyncio.get_running_loop()
        self._library = ctypes.CDLL(None, use_errno=True)
        self._watches: dict[Folder, int] = {}
        self._ended: set[int] = set()
        self._hears_all = False
        self._later: asyncio.TimerHandle | None = None
        self._fd = -1
        if hasattr(self._library, "inotify_init1"):
            self._fd = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._hear)
        else:
            logger.debug("no folder can be watched: %s", os.strerror(ctypes.get_errno()))

    def keep_to(self, folders: Iterable[Folder]) -> None:
        """From now on listen in these; may be called on another thread, one call at a time."""
        if self._fd < 0:
            return
        wanted = set(folders)
        ended, self._ended = self._ended, set()
        self._watches = {at: watch for at, watch in self._watches.items() if watch not in ended}
        for folder in self._watches.keys() - wanted:
            watch = self._watches.pop(folder)
            if watch not in self._watches.values():  # A folder of two names is watched once.
                self._library.inotify_rm_watch(self._fd, watch)
        for folder in wanted - self._watches.keys():
            name = os.fsencode(folder[0])
            watch = self._library.inotify_add_watch(self._fd, name, _MASK)
            if watch >= 0:
                self._watches[folder] = watch
            else:  # Too many watches, or it has gone meanwhile: tried again at the next call.
                logger.debug("%s is not watched: %s", folder[0], os.strerror(ctypes.get_errno()))
        self._hears_all = wanted == self._watches.keys()

    def hears_of(self, file: Path) -> bool:
        """Return whether all that changes a file, by whatever name, is heard of once it is closed.

        It is not where a folder is not watched, the file is mounted on its own, or has other names.
        """
        real = Path(os.path.realpath(file))
        try:
            is_here = _mount_of(real) == _mount_of(real.parent) and real.stat().st_nlink == 1
        except OSError:
            return False
        names = {name for name, _ in self._watches}
        is_heard = self._hears_all and str(real.parent) in names
        return is_here and is_heard and all(map(self._reports, names))

    def _reports(self, folder: str) -> bool:
        found = ctypes.create_string_buffer(_STATFS_BYTES)
        if self._library.statfs(os.fsencode(folder), found) != 0:
            return False
        kind = int.from_bytes(found.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder)
        return kind in _REPORTING

    def close(self) -> None:
        """Listen no more."""
        if self._later is not None:
            self._later.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _hear(self) -> None:
        """Wait for what comes along: a folder in which much happens makes it ten calls a second."""
        self._loop.remove_reader(self._fd)
        self._later = self._loop.call_later(_TOGETHER_S, self._take)

    def _take(self) -> None:
        self._later = None
        self._loop.add_reader(self._fd, self._hear)
        if self._drain():
            self._on_change()

    def _drain(self) -> bool:
        """Read what has come; return whether it was more than the end of a watch."""
        try:
            came = os.read(self._fd, 65_536)
        except BlockingIOError:
            return False
        at, is_change = 0, False
        while at < len(came):
            watch, mask, _, length = _EVENT.unpack_from(came, at)
            at += _EVENT.size + length
            if mask & _IGNORED:
                self._ended.add(watch)
            else:
                is_change = True
        return is_change


def _mount_of(path: Path) -> str:
    """Return the number of the mount that a path leads to: see ``/proc/PID/fdinfo`` in proc(5).

    Raises:
        OSError: If it leads nowhere, or this system does not say.
    """
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        lines = Path(f"/proc/self/fdinfo/{opened}").read_text().splitlines()
    finally:
        os.close(opened)
    for line in lines:
        if line.startswith("mnt_id:"):
            return line
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
