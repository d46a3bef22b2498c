"""The core's long spans, scaled down, so that a world of seconds gets to their ends."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, Final
from unittest.mock import patch

from cronstream.core import due
from cronstream.core.ledger import book, fold, state

_SPANS: Final[list[tuple[Any, str, float]]] = [
    (fold, "STALE", 4.0),
    (book, "KEEP", 20.0),
    (state, "WINDOW", 12.0),
    (due, "REACH", 7.0),
]


@contextmanager
def scaled_down() -> Iterator[None]:
    """Have minutes and hours take seconds, for a while."""
    with ExitStack() as stack:
        for module, name, span_s in _SPANS:
            stack.enter_context(patch.object(module, name, timedelta(seconds=span_s)))
        yield
