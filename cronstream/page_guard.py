"""Guards the pages of a process: who may ask for them, by which name, and what they answer with.

A page in a browser may be anybody's, and has its own name point to 127.0.0.1 (DNS rebinding): it
asks by that name, so only names of ours are answered. An address is none that somebody else can
have point here. Nobody without a token changes anything, and where there is one all pages ask for
it but ``/health`` and ``/metrics``, which supervisors and Prometheus look at. A browser shows what
it has to whatever site makes it ask (CSRF): what would change something counts only from our pages.
"""

import base64
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

#: What every answer says to a browser.
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_OPEN: Final = frozenset({"/health", "/metrics"})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

#: A browser asks for a name and a password then: the password is the token.
_ASKS: Final = {"WWW-Authenticate": 'Basic realm="cronstream", charset="UTF-8"'}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageGuard:
    """Lets requests through, or answers them itself.

    Args:
        hosts: Names by which pages may be asked for, besides ``localhost`` and addresses.
        token: What all other pages ask for; None if nobody has to have one.
        hidden: Paths below which nothing is shown.
        vouched: Whether a proxy that is trusted vouches for who asks: then no token is needed.
    """

    def __init__(
        self,
        hosts: Collection[str],
        token: str | None = None,
        hidden: Collection[str] = (),
        vouched: Callable[[web.Request], bool] = lambda _: False,
    ) -> None:
        self._vouched = vouched
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})
        self._token, self._hidden = token, tuple(hidden)

    def install(self, app: web.Application) -> None:
        """Guard all routes of an application, those that it does not have as well."""

        @web.middleware
        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            problem = self._problem(request)
            if problem is None:
                return await handler(request)
            status, reason = problem
            headers = _ASKS if status == HTTPStatus.UNAUTHORIZED else None
            return web.json_response({"error": reason}, status=status, headers=headers)

        app.middlewares.append(guard)
        app.on_response_prepare.append(say_to_browsers)

    def _problem(self, request: web.Request) -> tuple[int, str] | None:
        """Return why a request is not answered, with the status to say so."""
        host = request.headers.get("Host")
        if host is not None and not self._knows(host):
            reason = "this process is not asked by that name (CRONSTREAM_WEB_HOSTS has more)"
            return HTTPStatus.MISDIRECTED_REQUEST, reason
        if request.path.rstrip("/") in _OPEN and request.method in _READING:
            return None
        if request.method not in _READING and is_from_elsewhere(request):
            return HTTPStatus.FORBIDDEN, "another site has made a browser ask for this: not done"
        if (problem := self._not_let(request)) is not None:
            return problem
        if any(f"{request.path}/".startswith(f"{path}/") for path in self._hidden):
            return HTTPStatus.NOT_FOUND, "not shown here (CRONSTREAM_WEB_LEDGERS)"
        return None

    def _not_let(self, request: web.Request) -> tuple[int, str] | None:
        """Return why somebody who is not known may not have this, with the status to say so."""
        if self._vouched(request):
            return None
        if self._token is not None:
            if not hmac.compare_digest(_bytes(_given(request)), self._token.encode()):
                return HTTPStatus.UNAUTHORIZED, "a token is needed: 'Authorization: Bearer TOKEN'"
        elif request.method not in _READING:
            why = "without a token the pages are only to be read (CRONSTREAM_WEB_TOKEN_FILE)"
            return HTTPStatus.FORBIDDEN, why
        return None

    def _knows(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        name = name.removeprefix("[").removesuffix("]").rstrip(".").lower()
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def is_from_elsewhere(request: web.Request) -> bool:
    """Whether another site has made a browser ask; what is no browser says nothing of that.

    A browser says where a request comes from (Fetch Metadata); an old one, or one that does not
    trust us for we have no TLS, says only of which origin the page is.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
    except ValueError:
        return True


def _bytes(text: str) -> bytes:
    """Return what came, byte for byte: a header may hold what is no UTF-8."""
    return text.encode(errors="surrogateescape")


def _given(request: web.Request) -> str:
    """Return the token that a request brings: by itself, or as a browser's password."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    return given if kind == "Bearer" else _name_and_password(request)[1]


def name_given(request: web.Request) -> str:
    """Return the name by which somebody has logged in; empty if there is none."""
    return _name_and_password(request)[0]


def _name_and_password(request: web.Request) -> tuple[str, str]:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind != "Basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password


async def say_to_browsers(_: web.Request, response: web.StreamResponse) -> None:
    """Have every answer say to a browser what it may do with it."""
    response.headers.update(_HEADERS)
