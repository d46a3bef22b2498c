"""Serves ``/health`` from a process's first second, until Faust's web server does.

Faust starts its own only once Kafka is there, and whoever looks at a process that waits for Kafka
is to hear so.
"""

import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

logger = logging.getLogger(__name__)

#: A connection that is kept alive does not hold up the start.
_CLOSE_WITHIN_S = 0.1


class EarlyPage:
    """The page ``/health`` on a server of its own; `report` is `HealthWatch.report`."""

    def __init__(self, report: Callable[[], tuple[dict[str, Any], int]]) -> None:
        self._report = report
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Serve; a port that is not free is Faust's to tell of."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_WITHIN_S)
        await runner.setup()
        self._runner = runner
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            logger.debug("/health is not served yet (%s)", error)

    async def stop(self) -> None:
        """Serve no more, and free the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _request: web.Request) -> web.Response:
        told, status = self._report()
        return web.json_response(told, status=status)
