"""What is answered where the console's file cannot be read: what is wrong, and what to do."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeAlias

from aiohttp import web

from cronstream import clock
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: What was said is said anew if it is met again after so long.
_ANEW_S: Final = 600.0

#: Shows a page with a status: its template, and what it shows.
Show: TypeAlias = Callable[[web.Request, str, Mapping[str, Any], int], web.Response]
_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Unreadable:
    """Answers in the place of pages that cannot be made.

    Args:
        path: The console's file.
        show: Shows a page.
    """

    def __init__(self, path: Path, show: Show) -> None:
        self._path, self._show = path, show
        self._said: dict[str, float] = {}

    def install(self, app: web.Application) -> None:
        """Have an application answer so, whatever is asked for."""

        @web.middleware
        async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except sqlite3.Error as error:
                return self._answer(request, error)

        app.middlewares.append(answer)

    def _answer(self, request: web.Request, error: sqlite3.Error) -> web.Response:
        problem = (
            f"the console's file {self._path} cannot be read ({error}). All that is in it is on "
            "Kafka: if its disk is well and has room, stop the console, remove the file, and "
            "start it again, which reads all anew"
        )
        self._say(problem)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        asks_for_json = "application/json" in request.headers.get("Accept", "")
        if request.path.endswith(".json") or asks_for_json:
            return web.json_response({"error": problem}, status=status)
        values = {"problem": problem, "back": request.raw_path}
        return self._show(request, "unreadable", values, status)

    def _say(self, problem: str) -> None:
        """Log it once: a page that somebody keeps open asks again and again."""
        now = clock.monotonic()
        if now - self._said.get(problem, float("-inf")) < _ANEW_S:
            return
        self._said = {problem: now}
        logger.error("%s", problem, extra=fields("console-unreadable", reason=problem))
