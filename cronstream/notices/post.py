"""One try to send a request, by HTTP or by mail, and what came of it, in words without a secret."""

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from cronstream.notices import mail
from cronstream.notices.answer import Answer
from cronstream.notices.notice import Request

#: Seconds that a server has to answer, all in all.
PATIENCE_S: Final = 10.0
_SERVER_ERRORS: Final = 500
_REDIRECTS: Final = range(300, 400)
#: What a server answers that may take the same later: it timed out, or there were too many.
_LATER: Final = frozenset({408, 425, 429})


class Post:
    """Sends requests, those by HTTP by the proxies that the environment names.

    Certificates are checked by the system's authorities, or those that ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR`` name. Redirects are not followed: what is sent is not for whoever they name.

    Args:
        patience_s: Seconds that a server has to answer.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._session: aiohttp.ClientSession | None = None

    async def try_once(self, request: Request) -> Answer:
        """Send a request, and return what came of it."""
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        if parts.scheme in mail.SCHEMES:
            return await asyncio.to_thread(mail.send, request.url, request.body, self._patience_s)
        try:
            return await self._try(request, host)
        except TimeoutError:
            return Answer(f"{host} has not answered within {self._patience_s:g} s", is_final=False)
        except aiohttp.ClientConnectorCertificateError:
            return Answer(f"the certificate of {host} is not trusted")
        except (aiohttp.ClientConnectionError, ssl.SSLError, OSError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            return Answer(f"{host} cannot be reached ({why})", is_final=False)
        except (aiohttp.ClientError, ValueError) as error:
            # Not its text: the address may stand in it.
            return Answer(f"{host} does not speak HTTP as it should ({type(error).__name__})")

    async def _try(self, request: Request, host: str) -> Answer:
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=self._patience_s)
            self._session = aiohttp.ClientSession(
                timeout=limit, cookie_jar=aiohttp.DummyCookieJar()
            )
        async with self._session.request(
            request.method,
            request.url,
            data=request.body or None,
            headers=request.headers,
            allow_redirects=False,
            proxy=_proxy_of(request.url, host),
        ) as response:
            return _judged(response, host)

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()


def _judged(response: aiohttp.ClientResponse, host: str) -> Answer:
    if response.ok and response.status not in _REDIRECTS:
        return Answer()
    if response.status in _REDIRECTS:
        said = f"{host} answered {response.status}, which sends elsewhere: that is not followed"
        return Answer(f"{said}; write the address it belongs to")
    is_final = response.status < _SERVER_ERRORS and response.status not in _LATER
    after = response.headers.get("Retry-After", "")
    after_s = float(after) if after.isdecimal() and len(after) < len("86400") else 0.0
    return Answer(f"{host} answered {response.status}", is_final, after_s)


def _proxy_of(url: str, host: str) -> str | None:
    """Return the proxy for an address, by ``https_proxy``, ``http_proxy`` and ``no_proxy``."""
    return None if proxy_bypass(host) else getproxies().get(urlsplit(url).scheme)
