"""What a job says of where its secrets are, as whom it runs, and how much it may use."""

import re
from typing import Any, Final

from cronstream.core.wire.variables import SETTINGS, Secret

_SIZE: Final = re.compile(r"([0-9]{1,15})([KMGT]?)")
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: The kernel counts in pages, and takes no more than this for a number (setrlimit(2)).
_MOST_BYTES: Final = 1 << 52
_UMASK: Final = re.compile(r"0?[0-7]{3}")
#: Names as useradd(8) takes them, and numbers.
_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,10}")


def secret_of(value: dict[Any, Any]) -> Secret:
    """Return where a variable's value is, from ``{file: PATH}`` or ``{from: NAME}``.

    Raises:
        ValueError: If it is neither.
    """
    match value:
        case {"file": str() as path} if len(value) == 1:
            if not path.startswith("/") or "\0" in path:
                raise ValueError(f"has file {path!r}, which is not absolute; begin it with '/'")
            return Secret("file", path)
        case {"from": str() as name} if len(value) == 1:
            if not name or "=" in name or "\0" in name:
                raise ValueError(f"has from {name!r}, which is not a name for a variable")
            if name.startswith(SETTINGS):
                raise ValueError(f"has from {name!r}, which sets the worker; no job gets that")
            return Secret("from", name)
    raise ValueError(
        "is a mapping, and a variable is text, or says where its value is; quote it, or write "
        "{file: /run/secrets/token} or {from: TOKEN}"
    )


def bytes_of(value: Any) -> int:
    """Return a size in bytes, from a number or ``512M``.

    Raises:
        ValueError: If it is none.
    """
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    size = int(found[1]) * _UNITS[found[2]] if found else value
    if type(size) is not int:
        raise ValueError("is not a size; write it like 512M or 2G, or as a number of bytes")
    if not 1 <= size <= _MOST_BYTES:
        raise ValueError("is out of range; it goes from 1 byte to 4096T")
    return size


def umask_of(value: Any) -> int:
    """Return a file mode creation mask, from three octal digits in quotes.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(value, str) or not _UMASK.fullmatch(value):
        raise ValueError('must be three octal digits in quotes, like "027"')
    return int(value, 8)


def user_of(value: Any) -> str:
    """Return a user's name, or number as text.

    Raises:
        ValueError: If no user can be called that.
    """
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _USER.fullmatch(text):
        raise ValueError("is not a user; write a name or a number")
    return text
