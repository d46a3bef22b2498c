"""What a console tells Prometheus: how far it knows, and what it keeps."""

from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Metric

from cronstream.console.progress import Progress
from cronstream.errors import SettingsError
from cronstream.metrics.exposition import Metrics, counts, gauge

#: The first port that is tried where none is asked for, and how many are.
_FIRST, _TRIES = 9464, 100


class ConsoleMetrics:
    """The families of a console.

    Args:
        projection: Returns who projects now.
    """

    def __init__(self, projection: Callable[[], Progress]) -> None:
        self._projection = projection
        self.metrics: Final = Metrics()
        self.metrics.add(self._look)

    def application(self, health: Handler) -> web.Application:
        """Return what is served where metrics have a port of their own."""
        app = web.Application()
        app.router.add_get("/metrics", self.page)
        app.router.add_get("/health", health)
        return app

    async def page(self, request: web.Request) -> web.Response:
        """Answer Prometheus."""
        text, content_type = await self.metrics.page(request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type})

    def _look(self) -> Iterator[Metric]:
        now = self._projection()
        until = now.known_until
        yield gauge(
            "cronstream_console_known_until_timestamp_seconds",
            "When the last message came that is projected.",
            {},
            None if until is None else until.timestamp(),
        )
        yield gauge(
            "cronstream_console_current",
            "Whether all is projected that was on the logs when it began to read.",
            {},
            now.is_current,
        )
        yield gauge(
            "cronstream_console_waiting_messages",
            "Messages that were there when it began to read, and are not projected.",
            {},
            max(0, now.total - now.done),
        )
        yield counts(
            "cronstream_console_rows_written_total",
            "Rows of runs that were written: each run some times.",
            {},
            [({}, now.written)],
        )


async def listen_for_metrics(runner: web.BaseRunner, address: tuple[str, int]) -> int:
    """Listen where metrics are to be served; return the port.

    Raises:
        SettingsError: If it is in use, or the address is not ours.
    """
    host, wanted = address
    why: OSError | None = None
    for port in [wanted] if wanted else range(_FIRST, _FIRST + _TRIES):
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            why = error
        else:
            return port
    raise SettingsError(
        f"CRONSTREAM_METRICS_BIND: {host} cannot be listened at ({why}): give another port, or the "
        "address alone for one that is free"
    ) from why
