"""How to wait for what notifies nobody."""

import asyncio
from collections.abc import Callable


async def until(is_so: Callable[[], bool], look_s: float) -> None:
    """Wait until something is so, looking every so many seconds: nobody says when that comes."""
    while not is_so():  # noqa: ASYNC110 - for want of an event, see above
        await asyncio.sleep(look_s)
