"""Where a process serves its pages: at a socket that it binds before anything else of it begins.

A port that nobody asked for is chosen by binding it, at each start: what listens there is at once
this process, so that two that start together never choose the same one. Faust would bind it only
once Kafka is there, when it is too late for another choice.
"""

import errno
import socket
from typing import Any

from aiohttp.web import BaseSite, SockSite
from faust.web.drivers.aiohttp import Web

from cronstream.core.wire.naming import Role
from cronstream.errors import SettingsError

#: Faust's own default, for the pages that people look at first; a worker's are at the next ones.
_SCHEDULERS = 6066
#: After so many ports that are taken, any is.
_TRIES = 500
#: Where Prometheus looks for what has no port of its own in its list of default ports.
_METRICS = 9464


class BoundWeb(Web):
    """Faust's web server, guarded, at the socket that the app has bound, if it has bound one."""

    app: Any

    async def start_server(self) -> None:
        """Serve, once all that is served is guarded."""
        if self.app.page_guard is not None:
            self.app.page_guard.install(self.web_app)
        await super().start_server()

    def _new_transport_tcp(self) -> BaseSite:
        bound, self.app.web_socket = self.app.web_socket, None
        if bound is None:
            return super()._new_transport_tcp()
        return SockSite(self._runner, bound, ssl_context=self.app.conf.web_ssl_context)


def bind_web(host: str, port: int | None, role: Role) -> socket.socket:
    """Return a socket that listens at a port: the one that is asked for, or else one that is free.

    Args:
        host: The address.
        port: The port; 0 or None for the first that is free, from 6066 on (a worker's from 6067).
        role: Whose pages they are.

    Raises:
        SettingsError: If the port that is asked for is in use, or the address is not ours.
    """
    try:
        first = _SCHEDULERS + (1 if role.cluster else 0)
        return _listen(host, port) if port else _listen_at_a_free_port(host, first)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        remedy = "--web-port or CRONSTREAM_WEB_PORT, or neither for a free one"
        what = f"web port {port} cannot be taken at {host} ({why}): give another with {remedy}"
        if not port:
            what = f"no web port can be taken at {host} ({why}): see CRONSTREAM_WEB_BIND"
        raise SettingsError(what) from error


def bind_metrics(host: str, port: int) -> socket.socket:
    """Return a socket that listens where metrics are to be served.

    Args:
        host: The address.
        port: The port; 0 for the first that is free, from 9464 on.

    Raises:
        SettingsError: If the port that is asked for is in use, or the address is not ours.
    """
    try:
        return _listen(host, port) if port else _listen_at_a_free_port(host, _METRICS)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SettingsError(
            f"CRONSTREAM_METRICS_BIND: {f'port {port} cannot' if port else 'no port can'} be taken "
            f"at {host} ({why}): give another, or the address alone for one that is free"
        ) from error


def _listen_at_a_free_port(host: str, first: int) -> socket.socket:
    for port in range(first, first + _TRIES):
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    return _listen(host, 0)


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As servers do, so that connections in TIME_WAIT do not count. Two may bind the same port
        # so, but only one can listen at it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
