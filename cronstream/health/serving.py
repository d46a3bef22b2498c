"""Serves ``/health`` and ``/metrics`` on a server of our own, beside Faust's.

From a process's first second until Faust's server does: that starts only once Kafka is there, and
whoever looks at a process that waits for Kafka is to hear so. And where ``CRONSTREAM_METRICS_BIND``
says, for as long as the process lives: with nothing else there, it may be open to the network.
"""

import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from cronstream.page_guard import PageGuard, say_to_browsers

#: A connection that is kept alive holds up neither the start nor the end.
_CLOSE_WITHIN_S = 0.1

#: Returns what ``/health`` answers: `HealthWatch.report`.
Report = Callable[[], tuple[dict[str, Any], int]]
#: Returns what ``/metrics`` answers to who takes some types: `Metrics.page`.
Page = Callable[[str], Awaitable[tuple[bytes, str]]]


class OwnServer:
    """The two pages on a server of its own.

    Args:
        guard: Guards its application; None for nobody: both are for whoever asks.
    """

    def __init__(self, report: Report, metrics: Page, guard: PageGuard | None = None) -> None:
        self._report, self._metrics, self._guard = report, metrics, guard
        self._runner: web.AppRunner | None = None

    async def start(self, bound: socket.socket) -> None:
        """Serve at a socket that listens, and that stays open when this ends."""
        app = web.Application()
        app.router.add_get("/health", self._answer_health)
        app.router.add_get("/metrics", self._answer_metrics)
        if self._guard is not None:
            self._guard.install(app)
        else:
            app.on_response_prepare.append(say_to_browsers)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_WITHIN_S)
        await runner.setup()
        self._runner = runner
        await web.SockSite(runner, bound.dup()).start()

    async def stop(self) -> None:
        """Serve no more; who comes now waits for who listens at the socket next."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer_health(self, _request: web.Request) -> web.Response:
        told, status = self._report()
        return web.json_response(told, status=status)

    async def _answer_metrics(self, request: web.Request) -> web.Response:
        return await answer_metrics(request, self._metrics)


async def answer_metrics(request: web.Request, metrics: Page) -> web.Response:
    """Return the answer to who asks for ``/metrics``."""
    text, content_type = await metrics(request.headers.get("Accept", ""))
    return web.Response(body=text, headers={"Content-Type": content_type})


def metrics_view(metrics: Page) -> Callable[[Any, Any], Awaitable[Any]]:
    """Return the body of the page ``/metrics``, of which Faust makes a method of a view."""

    async def show_metrics(_view: Any, request: Any) -> Any:
        return await answer_metrics(request, metrics)

    return show_metrics
