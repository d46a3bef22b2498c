"""The console's web application: routes, and what is answered to whom.

Each page has a ``.json`` twin with the same values. Pages are complete without JavaScript; with it
what they show is asked for again when something has changed.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from cronstream import __version__, clock
from cronstream.console import pages, words
from cronstream.console.installed import Watching
from cronstream.console.output import Outputs
from cronstream.console.overview import Sight, overview
from cronstream.console.pages import JobsWanted
from cronstream.console.projecting import Projection
from cronstream.console.store import Store, Wanted
from cronstream.history.story import RunState
from cronstream.page_guard import PageGuard

logger = logging.getLogger(__name__)

_STATIC: Final = Path(__file__).parent / "static"
#: What a page may load: what is its own.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: Between two words to a browser that something has changed, at least.
_EVENTS_EVERY_S: Final = 1.0
_ALIVE_EVERY_S: Final = 15.0
_MOST_START: Final = 1_000_000

_Page = Callable[[web.Request, Sight], dict[str, Any] | None]


class Console:
    """All pages of one console.

    Args:
        store: What became of runs.
        projection: Who writes it.
        watching: What is in force and who is there.
        outputs: What commands wrote.

    Attributes:
        projection: Who writes it now.
        watching: What is in force and who is there.
    """

    def __init__(
        self, store: Store, projection: Projection, watching: Watching, outputs: Outputs
    ) -> None:
        self.projection = projection
        self._store, self.watching = store, watching
        self._outputs = outputs
        self._changed = asyncio.Condition()
        self._templates = _templates()

    def application(self, guard: PageGuard) -> web.Application:
        """Return the application, guarded."""
        app = web.Application()
        guard.install(app)
        app.router.add_get("/health", self._health)
        app.router.add_get("/events", self._events)
        app.router.add_static("/static", _STATIC)
        for path, template, page in (
            ("/", "overview", lambda _, sight: overview(sight)),
            ("/jobs", "jobs", _jobs),
            ("/jobs/{name}", "job", lambda r, sight: pages.job(sight, r.match_info["name"])),
            ("/runs", "runs", lambda r, sight: pages.runs(sight, _wanted(r))),
            ("/discarded", "discarded", _discarded),
            ("/workers", "workers", lambda _, sight: pages.workers(sight)),
        ):
            self._add(app, path, template, page)
        app.router.add_get("/runs/{run}", self._run)
        app.on_response_prepare.append(_say_policy)
        return app

    async def written(self) -> None:
        """Have browsers hear that something has changed."""
        async with self._changed:
            self._changed.notify_all()

    # -- pages --------------------------------------------------------------------------------

    def _add(self, app: web.Application, path: str, template: str, page: _Page) -> None:
        async def show(request: web.Request) -> web.Response:
            values = page(request, self._sight())
            return self._answer(request, template, values, is_json=False)

        async def give(request: web.Request) -> web.Response:
            return self._answer(request, template, page(request, self._sight()), is_json=True)

        app.router.add_get(f"{'/overview' if path == '/' else path}.json", give)
        app.router.add_get(path, show)

    async def _run(self, request: web.Request) -> web.Response:
        asked = request.match_info["run"]
        is_json = asked.endswith(".json")
        values = pages.run(self._sight(), asked.removesuffix(".json"))
        if values is not None:
            await self._outputs.fill(values)
        return self._answer(request, "run", values, is_json=is_json)

    def _sight(self) -> Sight:
        return Sight(self._store, self.watching.found, clock.now())

    def _answer(
        self,
        request: web.Request,
        template: str,
        values: Mapping[str, Any] | None,
        *,
        is_json: bool,
    ) -> web.Response:
        status = HTTPStatus.NOT_FOUND if values is None else HTTPStatus.OK
        if is_json:
            told = {"error": "not known here"} if values is None else {**self._known(), **values}
            return web.json_response(told, status=status, dumps=_dumps)
        page = self._templates.get_template(f"{'unknown' if values is None else template}.html")
        text = page.render(
            **(values or {}),
            known=self._known(),
            now=clock.now(),
            path=request.path,
            query=dict(request.query),
            version=__version__,
        )
        return web.Response(text=text, status=status, content_type="text/html")

    def _known(self) -> dict[str, Any]:
        """Return up to when the console knows, and how far it is while it reads."""
        projection = self.projection
        return {
            "known_until": projection.known_until,
            "is_current": projection.is_current,
            "projected": projection.done,
            "to_project": projection.total,
            "has_read_jobs": self.watching.found.is_read,
        }

    async def _health(self, _: web.Request) -> web.Response:
        known = self._known()
        return web.json_response({"healthy": True, **known}, dumps=_dumps)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Say each time that something has changed, as server-sent events."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        while True:
            try:
                async with asyncio.timeout(_ALIVE_EVERY_S), self._changed:
                    await self._changed.wait()
                text = b"event: changed\ndata: \n\n"
            except TimeoutError:
                text = b": still here\n\n"
            try:
                await answer.write(text)
            except ConnectionResetError:
                return answer
            await asyncio.sleep(_EVENTS_EVERY_S)


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("cronstream.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(words.FILTERS)
    return templates


def _jobs(request: web.Request, sight: Sight) -> dict[str, Any]:
    asked = request.query
    start = asked.get("start", "0")
    wanted = JobsWanted(
        asked.get("q", ""),
        asked.get("cluster", ""),
        "trouble" in asked,
        min(int(start), _MOST_START) if start.isascii() and start.isdigit() else 0,
    )
    return pages.jobs(sight, wanted)


def _discarded(request: web.Request, sight: Sight) -> dict[str, Any]:
    wanted = _wanted(request)
    asked = Wanted(wanted.job, wanted.cluster, RunState.DISCARDED, wanted.before, wanted.limit)
    return pages.discarded(sight, asked)


def _wanted(request: web.Request) -> Wanted:
    """Return which runs a request asks for; what cannot be read is as if it was not there."""
    asked = request.query
    state = asked.get("state", "")
    return Wanted(
        asked.get("job") or None,
        asked.get("cluster") or None,
        RunState(state) if state in set(RunState) else None,
        _moment(asked.get("before", "")),
        pages.ROWS,
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


async def _say_policy(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
