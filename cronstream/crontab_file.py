"""The crontab's file, and those that it includes: read once, as they stand."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

from cronstream.core.crontab.crontab import Recalled
from cronstream.core.crontab.parser import MAX_BYTES, Crontab
from cronstream.core.crontab.parts import File as IncludedFile
from cronstream.core.crontab.parts import PartlyGoodError, included_in, parse_together
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError, Place, Problem
from cronstream.settings import settings

#: A file: its real name, its device and its inode there.
File: TypeAlias = tuple[str, int, int]

#: Where a path leads, when it was written to and when it was changed (ns), and its size.
State: TypeAlias = tuple[File, int, int, int]

#: What the crontab itself is called among the files that it consists of.
_ROOT: Final = ""
#: So many characters of a digest tell a few crontabs apart.
_DIGEST: Final = 12


@dataclass(frozen=True, slots=True)
class Content:
    """What is in the file, or why it cannot be read.

    Attributes:
        file: Which one it is; None if it cannot be read.
        state: What changes of it with what is in it: see `state_of`; None if that is not known.
        include: The names of files that it includes, which may be patterns.
        parts: What is in each of these files, by its name.
        own: Tells contents of this file apart, and unreadable files too.
        digest: The same, with the files that it includes.
    """

    raw: bytes = b""
    problem: str | None = None
    file: File | None = None
    state: State | None = None
    include: tuple[str, ...] = ()
    parts: Mapping[str, "Content"] = field(default_factory=dict)
    own: bytes = b""
    digest: bytes = b""

    def __post_init__(self) -> None:
        """Work out the digests, once."""
        if not self.own:
            own = hashlib.blake2b(self.raw)
            own.update((self.problem or "").encode())
            object.__setattr__(self, "own", own.digest())
        hashed = hashlib.blake2b(self.own)
        for name, part in self.parts.items():
            hashed.update(hashlib.blake2b(name.encode()).digest() + part.own)
        object.__setattr__(self, "digest", hashed.digest())

    def emptied(self) -> "Content":
        """Return it without what is in the files, which may be much: its digest tells it apart."""
        parts = {name: part.emptied() for name, part in self.parts.items()}
        return replace(self, raw=b"", parts=parts)

    @property
    def size(self) -> int:
        """How many bytes there are in all files, in those that it was not emptied of."""
        return sum(len(file.raw) for file in self.files.values())

    @property
    def files(self) -> dict[str, "Content"]:
        """This file and those that it includes, by their names; its own is empty."""
        return {_ROOT: self, **self.parts}

    @property
    def states(self) -> dict[str, State | None]:
        """The state of each file."""
        return {name: file.state for name, file in self.files.items()}


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


#: From a job's name to the file that has it, from the crontab's folder, and the line of its name.
Origins: TypeAlias = Callable[[str], tuple[str, int] | tuple[None, None]]


def origins(crontab: Crontab | None, path: Path, jobs: Iterable[Job]) -> Origins:
    """Return what says of some jobs where they are written; None if it is not known.

    Args:
        crontab: What was read; None if nothing was.
        path: Its file.
        jobs: The jobs.
    """
    names = {job.name for job in jobs}
    parts = {} if crontab is None else (crontab.parts or {_ROOT: crontab})
    files = {name: os.path.relpath(name, path.parent) if name else path.name for name in parts}
    lines = [
        (files[name], {job: line for job, line in part.lines() if job in names})
        for name, part in parts.items()
    ]

    def origin(job: str) -> tuple[str, int] | tuple[None, None]:
        return next(((file, there[job]) for file, there in lines if job in there), (None, None))

    return origin


def look(path: Path) -> Content:
    """Return what is in a file, and in those that it includes, or why that cannot be read."""
    root = _look_at(path)
    include = included_in(root.raw.decode(errors="replace"))
    if not include:
        return root
    parts = {name: _look_at(Path(name)) for name in included(path, include)}
    return replace(root, include=include, parts=parts)


def included(path: Path, include: Iterable[str]) -> list[str]:
    """Return the files that a crontab includes; a pattern that no file is like is one of them."""
    found: list[Path] = []
    for pattern in include:
        whole = path.parent / pattern
        names = whole.relative_to(whole.anchor) if whole.is_absolute() else whole
        there = sorted(Path(whole.anchor).glob(str(names)))
        shown = [name for name in there if name != path and not _is_hidden(name, path.parent)]
        found += shown or [whole]
    return list(dict.fromkeys(map(str, found)))


def _is_hidden(name: Path, folder: Path) -> bool:
    """Whether a file, or a folder on the way to it, is what editors and others leave."""
    return any(part[0] == "." for part in Path(os.path.relpath(name, folder)).parts if part != "..")


def _look_at(path: Path) -> Content:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Content(problem="is not a regular file; name the crontab's file")
        real = os.path.realpath(path)
        with path.open("rb") as file:
            state = _state(real, os.fstat(file.fileno()))
            # One byte more than may be shows that there is more.
            return Content(file.read(MAX_BYTES + 1), None, state[0], state)
    except FileNotFoundError:
        hint = "create it (cronstream init), or name another (--crontab)"
        return Content(problem=f"there is no such file; {hint}")
    except PermissionError:
        return Content(problem="may not be read by this user; change its permissions")
    except (OSError, ValueError) as error:
        return Content(problem=f"cannot be read: {error}; name another file (--crontab)")


def states_of(path: Path, include: Iterable[str]) -> dict[str, State | None]:
    """Return what a crontab and the files that it includes are like, without reading them."""
    names = included(path, include) if include else []
    return {_ROOT: state_of(path)} | {name: state_of(Path(name)) for name in names}


def state_of(path: Path) -> State | None:
    """Return what a file is like, without reading it; None if it is none."""
    try:
        return _state(os.path.realpath(path), path.stat())
    except (OSError, ValueError):
        return None


def _state(real: str, status: os.stat_result) -> State:
    file = (real, status.st_dev, status.st_ino)
    return file, status.st_mtime_ns, status.st_ctime_ns, status.st_size


#: Returns what is known of the crontab with a digest; None if nothing is.
Recall: TypeAlias = Callable[[str], Recalled | None]


def recall_nothing(_: str) -> None:
    """Know nothing of any crontab."""


def parse(
    source: str, content: Content, before: Crontab | None = None, recall: Recall = recall_nothing
) -> Crontab:
    """Return what a content says.

    Args:
        source: What errors call it.
        content: All of it.
        before: What the file said before: what has not changed is not read again.
        recall: Is asked what is known of it, where it was not read before.

    Raises:
        CrontabError: If it could not be read or is not valid, with every problem.
    """
    if content.problem is not None:
        raise CrontabError(source, [Problem(content.problem)])
    files = [_file(name, part) for name, part in content.parts.items()]
    hashed = hashlib.sha256(content.raw)
    for name, part in content.parts.items():
        named = os.path.relpath(name, Path(source).parent).encode()
        hashed.update(b"\0" + named + b"\0" + hashlib.sha256(part.raw).digest())
    digest = hashed.hexdigest()[:_DIGEST]
    lease_s = settings().lease_s
    try:
        text, known = _decoded(content.raw), before or recall(digest)
        found = parse_together(text, files, source=source, lease_s=lease_s, before=known)
    except _NotTextError as error:
        raise CrontabError(source, [error.problem]) from error
    except PartlyGoodError as error:
        crontab = replace(error.crontab, digest=digest)
        raise PartlyGoodError(error.source, error.problems, crontab) from error
    return replace(found, digest=digest)


class _NotTextError(Exception):
    """What is in a file is no text."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _file(name: str, part: Content) -> IncludedFile:
    if part.problem is not None:
        sentence = part.problem.partition(";")[0]
        remedy = "see to it, or to 'include' in the crontab"
        return IncludedFile(name, problem=Problem(f"{sentence}; {remedy}"))
    try:
        return IncludedFile(name, _decoded(part.raw))
    except _NotTextError as error:
        return IncludedFile(name, problem=error.problem)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        lines = raw[: error.start].decode().split("\n")
        place = Place(len(lines), len(lines[-1]) + 1)
        problem = Problem("no UTF-8 from here on; save the file as UTF-8", place)
        raise _NotTextError(problem) from error
