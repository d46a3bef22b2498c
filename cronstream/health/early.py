"""Serves ``/health`` from a process's first second, until Faust's web server does.

Faust starts its own only once Kafka is there, and whoever looks at a process that waits for Kafka
is to hear so.
"""

import socket
from collections.abc import Callable
from typing import Any

from aiohttp import web

#: A connection that is kept alive does not hold up the start.
_CLOSE_WITHIN_S = 0.1


class EarlyPage:
    """The page ``/health`` on a server of its own; `report` is `HealthWatch.report`."""

    def __init__(self, report: Callable[[], tuple[dict[str, Any], int]]) -> None:
        self._report = report
        self._runner: web.AppRunner | None = None

    async def start(self, bound: socket.socket) -> None:
        """Serve at a socket that listens, and that stays open when this ends."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_WITHIN_S)
        await runner.setup()
        self._runner = runner
        await web.SockSite(runner, bound.dup()).start()

    async def stop(self) -> None:
        """Serve no more; who comes now waits for Faust's server."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _request: web.Request) -> web.Response:
        told, status = self._report()
        return web.json_response(told, status=status)
