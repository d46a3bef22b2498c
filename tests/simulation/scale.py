"""The core's long spans, scaled down, so that a world of seconds gets to their ends."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final
from unittest.mock import patch

from cronstream.core.health import clocks, presence
from cronstream.core.ledger import arrivals, book, endings, mark
from cronstream.core.planning import cursor, due, pauses
from cronstream.core.protocol import leaving, owner

#: A later attempt that the broker got this long after it was judged is stale.
STALE: Final = timedelta(seconds=4)
#: What is lost so long before its time has not begun (rule 9).
CLOCKS_DIFFER: Final = timedelta(seconds=0.5)
#: So long is a day.
DAY_S: Final = 10.0
_SPANS: Final[list[tuple[Any, str, Any]]] = [
    (arrivals, "STALE", STALE),
    (endings, "STALE", STALE),
    # Claims are taken seconds ahead here, and clocks differ by less.
    (endings, "_CLOCKS_DIFFER", CLOCKS_DIFFER),
    (book, "KEEP", timedelta(seconds=20)),
    (book, "KEEP_HANDED_OVER", timedelta(minutes=10)),
    (mark, "WINDOW", timedelta(seconds=16)),
    (book, "DAY", timedelta(seconds=DAY_S)),
    (mark, "KEEP_DAYS", 4),
    (due, "REACH", timedelta(seconds=7)),
    (pauses, "HOUR", timedelta(seconds=2)),
    (cursor, "FAR_AHEAD", timedelta(seconds=10)),
    # A group gives what is a silent worker's to others sooner than Kafka would.
    (owner, "SESSION_S", 0.5),
    (leaving, "HAND_OVER", timedelta(seconds=1.5)),
    (leaving, "SOON", timedelta(seconds=0.4)),
    (clocks, "REFUSED_S", 1.0),
    (clocks, "TOLD_S", 0.5),
    # Each message is read by all; what it says is the same.
    (presence, "decode", lru_cache(maxsize=1000)(presence.decode)),
]


@contextmanager
def scaled_down() -> Iterator[None]:
    """Have minutes and hours take seconds, for a while."""
    with ExitStack() as stack:
        for module, name, span in _SPANS:
            stack.enter_context(patch.object(module, name, span))
        yield
