"""The console's web application: routes, and what is answered to whom.

Each page has a ``.json`` twin with the same values. Pages are complete without JavaScript; with it
what they show is asked for again when something has changed.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from cronstream import __version__, clock
from cronstream.console import pages, words
from cronstream.console.actions import Actions
from cronstream.console.asked import jobs_wanted, runs_wanted
from cronstream.console.audits import FIELDS, Audits
from cronstream.console.crontab import crontab
from cronstream.console.installed import Watching
from cronstream.console.job import job
from cronstream.console.live import LiveOutput
from cronstream.console.output import Outputs
from cronstream.console.overview import overview
from cronstream.console.progress import Progress
from cronstream.console.sight import Sight
from cronstream.console.store import Store
from cronstream.console.streams import ALIVE, Streams
from cronstream.console.unreadable import Unreadable
from cronstream.errors import AskedError
from cronstream.history.story import RunState, RunStory
from cronstream.page_guard import PageGuard

logger = logging.getLogger(__name__)

_HERE: Final = Path(__file__).parent
#: What pages load, and what it is.
_STATIC: Final = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
#: What a page may load: what is its own.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: Between two words to a browser that something has changed, at least.
_EVENTS_EVERY_S: Final = 1.0
_ALIVE_EVERY_S: Final = 15.0

_Page = Callable[[web.Request, Sight], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of Kafka only when somebody looks.

    Attributes:
        outputs: What commands wrote.
        live: What they write.
        audits: Whether all due times became what was promised.
    """

    outputs: Outputs
    live: LiveOutput
    audits: Audits


class Console:
    """All pages of one console.

    Args:
        store: What became of runs.
        projection: Who writes it.
        watching: What is in force and who is there.
        asking: What is asked of Kafka when somebody looks.
        actions: What people may change; None for a console that is only to be read.

    Attributes:
        projection: Who writes it now.
        watching: What is in force and who is there.
    """

    def __init__(
        self,
        store: Store,
        projection: Progress,
        watching: Watching,
        asking: Asking,
        actions: Actions | None = None,
    ) -> None:
        self.projection = projection
        self._store, self.watching = store, watching
        self._asking, self._actions = asking, actions
        self._changed = asyncio.Condition()
        self._streams = Streams()
        self._templates = _templates()

    def application(self, guard: PageGuard) -> web.Application:
        """Return the application, guarded."""
        app = web.Application()
        guard.install(app)
        Unreadable(self._store.path, self._page).install(app)
        app.router.add_get("/health", self.health)
        app.router.add_get("/events", self._events)
        for name, kind in _STATIC.items():
            app.router.add_get(f"/static/{name}", _giving(_HERE / "static" / name, kind))
        for path, template, page in (
            ("/", "overview", lambda _, sight: overview(sight)),
            ("/jobs", "jobs", lambda r, sight: pages.jobs(sight, jobs_wanted(r))),
            ("/jobs/{name}", "job", lambda r, sight: job(sight, r.match_info["name"])),
            ("/runs", "runs", lambda r, sight: pages.runs(sight, runs_wanted(r))),
            ("/discarded", "discarded", _discarded),
            ("/crontab", "crontab", lambda _, sight: crontab(sight)),
            ("/workers", "workers", lambda _, sight: pages.workers(sight)),
            ("/audit", "audit", lambda _, __: self._asking.audits.fields()),
        ):
            self._add(app, path, template, page)
        app.router.add_get("/runs/{run}", self._run)
        app.router.add_get("/runs/{run}/output", self._output)
        if self._actions is not None:
            self._actions.add_to(app, self._page, {"/audit": (self._asking.audits.ask, FIELDS)})
        app.on_response_prepare.append(_say_policy)
        app.on_shutdown.append(self._streams.end)
        return app

    async def written(self) -> None:
        """Have browsers hear that something has changed."""
        async with self._changed:
            self._changed.notify_all()

    # -- pages --------------------------------------------------------------------------------

    def _add(self, app: web.Application, path: str, template: str, page: _Page) -> None:
        async def show(request: web.Request) -> web.Response:
            return self._asked(request, template, page, is_json=False)

        async def give(request: web.Request) -> web.Response:
            return self._asked(request, template, page, is_json=True)

        app.router.add_get(f"{'/overview' if path == '/' else path}.json", give)
        app.router.add_get(path, show)

    def _asked(
        self, request: web.Request, template: str, page: _Page, *, is_json: bool
    ) -> web.Response:
        try:
            values = page(request, self._sight())
        except AskedError as error:
            status = HTTPStatus.BAD_REQUEST
            if is_json:
                return web.json_response({"error": str(error)}, status=status, dumps=_dumps)
            said = {"problem": str(error), "back": request.path}
            return self._page(request, "refused", said, status)
        return self._answer(request, template, values, is_json=is_json)

    async def _run(self, request: web.Request) -> web.Response:
        asked = request.match_info["run"]
        is_json = asked.endswith(".json")
        values = pages.run(self._sight(), asked.removesuffix(".json"))
        if values is not None:
            values["trace"] = self.watching.trace(values["run"])
            await self._asking.outputs.fill(values)
        return self._answer(request, "run", values, is_json=is_json)

    def _sight(self) -> Sight:
        watching = self.watching
        return Sight(self._store, watching.found, clock.now(), watching.pasts, watching.ahead)

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
        return self._page(request, "unknown" if values is None else template, values or {}, status)

    def _page(
        self, request: web.Request, template: str, values: Mapping[str, Any], status: int
    ) -> web.Response:
        actions = self._actions
        text = self._templates.get_template(f"{template}.html").render(
            **values,
            acts=actions is not None and actions.may(request),
            just_done=None if actions is None else actions.note(request),
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

    async def health(self, _: web.Request) -> web.Response:
        """Say that it is there, and how far it knows."""
        known = self._known()
        return web.json_response({"healthy": True, **known}, dumps=_dumps)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Say each time that something has changed, as server-sent events."""
        return await self._streams.give(request, self._changes())

    async def _changes(self) -> AsyncGenerator[bytes]:
        while True:
            try:
                async with asyncio.timeout(_ALIVE_EVERY_S), self._changed:
                    await self._changed.wait()
                yield b"event: changed\ndata: \n\n"
            except TimeoutError:
                yield ALIVE
            await asyncio.sleep(_EVENTS_EVERY_S)

    async def _output(self, request: web.Request) -> web.StreamResponse:
        """Give what a run writes while it does, as server-sent events."""
        story = self._store.get(request.match_info["run"])
        if story is None:
            return web.json_response({"error": "not known here"}, status=HTTPStatus.NOT_FOUND)
        if story.state.settled:
            # With this a browser asks no more.
            return web.Response(status=HTTPStatus.NO_CONTENT)
        return await self._streams.give(request, self._written(story))

    async def _written(self, story: RunStory) -> AsyncGenerator[bytes]:
        yield b"event: begin\ndata: \n\n"
        async with aclosing(self._asking.live.of(story.id, story.cluster)) as pieces:
            async for one in pieces:
                if one is None and self._is_over(story.id):
                    return  # A page that nobody looks at would follow for ever.
                yield ALIVE if one is None else f"data: {_dumps(one)}\n\n".encode()

    def _is_over(self, run_id: str) -> bool:
        try:
            story = self._store.get(run_id)
        except sqlite3.Error:
            return True  # Its page, which is asked for again, says so.
        return story is None or story.state.settled


def _giving(path: Path, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return what gives a small file of ours; it is read once."""
    body = path.read_bytes()

    async def give(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return give


def _discarded(request: web.Request, sight: Sight) -> dict[str, Any]:
    return pages.discarded(sight, runs_wanted(request, RunState.DISCARDED))


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


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


async def _say_policy(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
    # With no referrer at all, a browser does not say of its own page's forms whose they are.
    response.headers["Referrer-Policy"] = "same-origin"
