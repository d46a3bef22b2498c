"""The routes by which something is changed: only by POST, only by who may, only from our pages.

Whether somebody may, and from where they ask, the guard has seen to (`cronstream.page_guard`).
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import orjson
from aiohttp import web
from aiokafka.errors import KafkaError

from cronstream.console.acting import Acting, Done, Form
from cronstream.console.notes import Note, Notes
from cronstream.console.once import Once
from cronstream.console.visitors import Visitors
from cronstream.console.words import place
from cronstream.core.wire.enumerations import ControlAction
from cronstream.errors import (
    AskedError,
    BrokerError,
    CronstreamError,
    NotFoundError,
    TopologyError,
)
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Shows a page with a status: its template, and what it shows.
Show: TypeAlias = Callable[[web.Request, str, Mapping[str, Any], int], web.Response]
#: Does what somebody asks for: the request, what he has filled in, and who he is.
Do: TypeAlias = Callable[[web.Request, Form, str], Awaitable[Done]]
#: What is done, and the names of the fields that its form may have.
Route: TypeAlias = tuple[Do, Collection[str]]

_STATUSES: Final[tuple[tuple[type[CronstreamError], HTTPStatus], ...]] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (AskedError, HTTPStatus.BAD_REQUEST),
    (TopologyError, HTTPStatus.FORBIDDEN),
    (BrokerError, HTTPStatus.SERVICE_UNAVAILABLE),
)


#: The fields of each form.
_RUN: Final = frozenset({"cluster", "arg", "env"})
_PAUSE: Final = frozenset({"reason", "until", "retries"})
_CANCEL: Final = frozenset({"sure"})  # A browser asks for it before it sends the form.
_REPLAY: Final = frozenset({"run"})
_NONE: Final = frozenset[str]()

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class Actions:
    """All that can be changed.

    Args:
        acting: Does it.
        visitors: Who asks.
    """

    def __init__(self, acting: Acting, visitors: Visitors) -> None:
        self._acting, self._visitors, self._notes = acting, visitors, Notes()
        self._once = Once[Done]()

    def may(self, request: web.Request) -> bool:
        """Whether who asks may change anything: only then a page has buttons."""
        return self._visitors.may_act(request)

    def note(self, request: web.Request) -> Note | None:
        """Return what a page is to say was done."""
        return self._notes.get(request.query.get("note", ""))

    def add_to(self, app: web.Application, show: Show, more: Mapping[str, Route]) -> None:
        """Add the routes, and some more."""
        do = self._acting
        pause = self._steering(ControlAction.PAUSE), _PAUSE
        resume = self._steering(ControlAction.RESUME), _PAUSE
        routes: dict[str, Route] = {
            "/jobs/{name}/run-now": (lambda r, form, by: do.run_now(_name(r), form, by), _RUN),
            "/jobs/{name}/pause": pause,
            "/jobs/{name}/resume": resume,
            "/clusters/{cluster}/pause": pause,
            "/clusters/{cluster}/resume": resume,
            "/runs/{run}/replay": (
                lambda r, _, by: do.replay([_run(r)], f"/runs/{place(_run(r))}", by),
                _NONE,
            ),
            "/runs/{run}/cancel": (lambda r, _, by: do.cancel(_run(r), by), _CANCEL),
            "/discarded/replay": (
                lambda _, form, by: do.replay(form.all("run"), "/discarded", by),
                _REPLAY,
            ),
        }
        for path, (action, names) in {**routes, **more}.items():
            app.router.add_post(path, self._handler(action, names, show))

    def _steering(self, action: ControlAction) -> Do:
        def do(request: web.Request, form: Form, by: str) -> Awaitable[Done]:
            name, cluster = (request.match_info.get(key) for key in ("name", "cluster"))
            values = form.values if cluster is None else {**form.values, "cluster": [cluster]}
            return self._acting.steer(action, name, Form(values), by)

        return do

    def _handler(
        self, do: Do, names: Collection[str], show: Show
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            by = self._visitors.who(request)
            try:
                form = await _form(request)
                form.see_that_they_are(names)
                pressed = _pressed(request, form, by)
                done = await self._once.do(pressed, lambda: _do(do, request, form, by))
            except (CronstreamError, KafkaError, OSError) as error:
                return _refused(request, error, show)
            return self._answer(request, done)

        return handle

    def _answer(self, request: web.Request, done: Done) -> web.Response:
        if _wants_json(request):
            return web.json_response({"done": done.what, **done.fields}, dumps=_dumps)
        number = self._notes.add(Note(done.what, done.run))
        where = f"{done.place}{'&' if '?' in done.place else '?'}note={number}"
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": where})


async def _do(do: Do, request: web.Request, form: Form, by: str) -> Done:
    done = await do(request, form, by)
    text, about = "%s asked for %s: %s", fields("console-act", by=by)
    logger.info(text, by, request.path, done.what, extra=about)
    return done


def _pressed(request: web.Request, form: Form, by: str) -> Hashable:
    """Return what makes a press of a button the same as another; programs press none."""
    if "text/html" not in request.headers.get("Accept", ""):
        return object()
    values = tuple((name, *said) for name, said in sorted(form.values.items()))
    return request.remote, by, request.raw_path, values


async def _form(request: web.Request) -> Form:
    """Return what a form says.

    Raises:
        AskedError: If it is none, or cannot be read: what was asked for would be done in part.
    """
    if request.can_read_body and request.content_type not in _FORMS:
        raise AskedError(f"fields come as a form ({_FORMS[0]}), and not as {request.content_type}")
    try:
        said = await request.post()
    except (ValueError, LookupError, AssertionError) as error:
        raise AskedError("the form that came cannot be read: nothing was done") from error
    values: dict[str, list[str]] = {}
    for name, value in said.items():
        # No field is a file; one that comes is refused by its name, or as what it says.
        values.setdefault(name, []).append(value if isinstance(value, str) else "a file")
    return Form(values)


def _refused(request: web.Request, error: Exception, show: Show) -> web.Response:
    status = next(
        (status for kind, status in _STATUSES if isinstance(error, kind)),
        HTTPStatus.CONFLICT
        if isinstance(error, CronstreamError)
        else HTTPStatus.SERVICE_UNAVAILABLE,
    )
    why = str(error) or type(error).__name__
    logger.warning("%s: %s", request.path, why, extra=fields("console-act-refused", reason=why))
    if _wants_json(request):
        return web.json_response({"error": why}, status=status, dumps=_dumps)
    back = request.raw_path.partition("?")[0].rpartition("/")[0]
    back = "/jobs" if back.startswith("/clusters/") else back
    return show(request, "refused", {"problem": why, "back": back}, status)


def _wants_json(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _name(request: web.Request) -> str:
    return request.match_info["name"]


def _run(request: web.Request) -> str:
    return request.match_info["run"]


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
