"""Values that many records have in common, so that each is kept once."""

from functools import lru_cache
from sys import intern
from typing import Any


def kept_once(value: Any) -> Any:
    """Return a text or a length of time as it is kept already; anything else as it is."""
    if type(value) is str:
        return intern(value)
    return _length(value) if type(value) is float else value


@lru_cache(maxsize=256)
def _length(seconds: float) -> float:
    return seconds
