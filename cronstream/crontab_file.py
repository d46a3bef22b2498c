"""Reads the crontab, and watches it: whatever way it is edited, within two seconds.

An editor may write in place, rename a new file over the old one, or, as Kubernetes does, swap a
symlink to a folder. So what is watched is the folder (of the file, and of what it links to), and a
poll of the content each second is the net below: what counts is what the file says.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import awatch

from cronstream.core.crontab import Crontab, parse_crontab
from cronstream.errors import CrontabError

#: Between two looks at the content, when nothing says that it has changed.
_POLL_S = 1.0
#: A file that has changed is read again after this: whoever writes it may not be done.
_SETTLE_S = 0.1


def read_crontab(path: Path) -> Crontab:
    """Return what the crontab at `path` says.

    Raises:
        CrontabError: With every problem; also if the file cannot be read at all.
    """
    return _parse(path, _read(path))


async def watch_crontab(path: Path, stop: asyncio.Event) -> AsyncIterator[Crontab | CrontabError]:
    """Yield what the file says, or why it cannot be used: now, and each time that changes.

    Args:
        path: The crontab; it may be missing, and come later.
        stop: Ends the watch.
    """
    last: bytes | CrontabError | None = None
    while not stop.is_set():
        content = await _settled(path)
        if not _same(content, last):
            last = content
            try:
                crontab = await asyncio.to_thread(_parse, path, content)
            except CrontabError as error:
                yield error
            else:
                yield crontab
        await _wait_for_change(path, stop)


def _read(path: Path) -> bytes | CrontabError:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return CrontabError(
            str(path), ["there is no such file; create it, or name it by --crontab"]
        )
    except OSError as error:
        return CrontabError(str(path), [f"cannot be read: {error.strerror or error}"])


def _parse(path: Path, content: bytes | CrontabError) -> Crontab:
    if isinstance(content, CrontabError):
        raise content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        problem = f"line {line}, column {column}: not UTF-8; save the file in that encoding"
        raise CrontabError(str(path), [problem]) from error
    return parse_crontab(text, str(path))


def _same(content: bytes | CrontabError, last: bytes | CrontabError | None) -> bool:
    if isinstance(content, CrontabError) and isinstance(last, CrontabError):
        return content.problems == last.problems
    return content == last


async def _settled(path: Path) -> bytes | CrontabError:
    """Return the content once it stays the same for a moment."""
    content = _read(path)
    while True:
        await asyncio.sleep(_SETTLE_S)
        again = _read(path)
        if _same(again, content):
            return content
        content = again


async def _wait_for_change(path: Path, stop: asyncio.Event) -> None:
    """Return when the folder says that something has changed, or after a while."""
    folders = {str(folder) for folder in _folders(path)}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_POLL_S):
            if not folders:
                await stop.wait()
                return
            with contextlib.suppress(OSError):
                async for _ in awatch(
                    *folders, stop_event=stop, debounce=50, step=20, recursive=False
                ):
                    return
            await stop.wait()


def _folders(path: Path) -> list[Path]:
    """Return the folder of the file, and the one that it really is in."""
    found = [path.parent]
    with contextlib.suppress(OSError, RuntimeError):
        found.append(path.resolve().parent)
    return [folder for folder in found if folder.is_dir()]
