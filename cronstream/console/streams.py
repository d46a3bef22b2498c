"""Server-sent events: what goes on for as long as a browser is there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Final

from aiohttp import web

#: Says nothing, but that the console is there; by it one finds out whether the browser is.
ALIVE: Final = b": still here\n\n"


#: So many browsers may follow at a time: each has a connection, and is told of each change.
MOST: Final = 500
_FULL: Final = (
    f"{MOST} pages follow this console already: this one is complete, but has to be loaded again "
    "to show what is new; close some, or start a second console"
)


class Streams:
    """All that are open."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def give(self, request: web.Request, texts: AsyncGenerator[bytes]) -> web.StreamResponse:
        """Send what comes, until the browser is away, or the console ends.

        Where `MOST` are open it is not begun, and the answer says so.
        """
        if len(self._tasks) >= MOST:
            await texts.aclose()
            full, headers = HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "60"}
            return web.Response(text=_FULL, status=full, headers=headers)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        task = asyncio.create_task(_send(answer, texts))
        self._tasks.add(task)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            self._tasks.discard(task)
        return answer

    async def end(self, _: web.Application) -> None:
        """End them: the console does not wait for browsers to go."""
        for task in self._tasks:
            task.cancel()


async def _send(answer: web.StreamResponse, texts: AsyncGenerator[bytes]) -> None:
    async with aclosing(texts):
        async for text in texts:
            try:
                await answer.write(text)
            except ConnectionResetError:
                return
