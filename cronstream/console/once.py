"""A button that is pressed twice has done once what it does.

A browser whose button is pressed again before the answer has come sends a second request, and drops
the first, which is under way: two runs would be asked for, and one be shown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

#: So long after it was done the same counts as the same press.
_AGAIN_S: Final = 1.0
T = TypeVar("T")


class Once(Generic[T]):
    """What is under way, or was until a moment ago."""

    def __init__(self) -> None:
        self._known: dict[Hashable, asyncio.Future[T]] = {}

    async def do(self, what: Hashable, begin: Callable[[], Awaitable[T]]) -> T:
        """Return what comes of it; of the same that is under way, it is the same.

        What has failed may be tried again at once.
        """
        known = self._known.get(what)
        if known is None:
            known = self._known[what] = asyncio.ensure_future(begin())
            known.add_done_callback(lambda done: self._end(what, done))
        return await asyncio.shield(known)

    def _end(self, what: Hashable, done: asyncio.Future[T]) -> None:
        is_well = not done.cancelled() and done.exception() is None
        wait_s = _AGAIN_S if is_well else 0
        asyncio.get_running_loop().call_later(wait_s, self._known.pop, what, None)
