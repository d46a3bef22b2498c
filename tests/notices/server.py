"""A server on this machine that answers as a test has it, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: str
    headers: dict[str, str]


@dataclass
class Server:
    """Answers with what is next of `answers`, and then with 200.

    Attributes:
        answers: Statuses.
        headers: That each answer has.
        is_open: While it is not set, nothing is answered.
    """

    url: str = ""
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        asked = Asked(
            request.method, request.path, dict(request.query), body, dict(request.headers)
        )
        self.asked.append(asked)
        self.came.set()
        await self.is_open.wait()
        return web.Response(
            status=self.answers.pop(0) if self.answers else 200, headers=self.headers
        )

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


@asynccontextmanager
async def serving(*answers: int, is_open: bool = True) -> AsyncIterator[Server]:
    """Give a server on a port that is free."""
    server = Server(answers=[*answers])
    if is_open:
        server.is_open.set()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [address] = runner.addresses
    server.url = f"http://127.0.0.1:{address[1]}"
    try:
        yield server
    finally:
        server.is_open.set()
        await runner.cleanup()
