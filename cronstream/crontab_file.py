"""The crontab's file: read once, as it stands."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cronstream.core.crontab.parser import MAX_BYTES, Crontab, parse_crontab
from cronstream.errors import CrontabError, Place, Problem
from cronstream.settings import settings

#: A file: its real name, its device and its inode there.
File: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Content:
    """What is in the file, or why it cannot be read.

    Attributes:
        file: Which one it is; None if it cannot be read.
        written_ns: When it was last written to, in nanoseconds by the file system's clock.
    """

    raw: bytes = b""
    problem: str | None = None
    file: File | None = None
    written_ns: int = 0

    @property
    def digest(self) -> bytes:
        """Tells contents apart, and unreadable files too."""
        return hashlib.blake2b(self.raw + (self.problem or "").encode()).digest()


def read_crontab(path: Path) -> Crontab:
    """Return what the file says.

    Raises:
        CrontabError: If it cannot be read or is not valid, with every problem.
    """
    return parse(str(path), look(path))


def crontab_of(raw: bytes, source: str) -> Crontab:
    """Return what a text says that is in no file; `source` is what errors call it.

    Raises:
        CrontabError: If it is not valid, with every problem.
    """
    return parse(source, Content(raw))


def look(path: Path) -> Content:
    """Return what is in a file, or why that cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Content(problem="is not a regular file; name the crontab's file")
        real = os.path.realpath(path)
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            place = (real, status.st_dev, status.st_ino)
            # One byte more than may be shows that there is more.
            return Content(file.read(MAX_BYTES + 1), None, place, status.st_mtime_ns)
    except FileNotFoundError:
        hint = "create it (cronstream init), or name another (--crontab)"
        return Content(problem=f"there is no such file; {hint}")
    except PermissionError:
        return Content(problem="may not be read by this user; change its permissions")
    except (OSError, ValueError) as error:
        return Content(problem=f"cannot be read: {error}; name another file (--crontab)")


def parse(source: str, content: Content) -> Crontab:
    """Return what a content says; `source` is what errors call it.

    Raises:
        CrontabError: If it could not be read or is not valid, with every problem.
    """
    if content.problem is not None:
        raise CrontabError(source, [Problem(content.problem)])
    try:
        text = content.raw.decode()
    except UnicodeDecodeError as error:
        lines = content.raw[: error.start].decode().split("\n")
        place = Place(len(lines), len(lines[-1]) + 1)
        problem = Problem("no UTF-8 from here on; save the file as UTF-8", place)
        raise CrontabError(source, [problem]) from error
    return parse_crontab(text, source, lease_s=settings().lease_s)
