"""A web port for each process: the one it was given, if that is free, or one that nobody has."""

import os
import socket
import sys

from cronstream.core.naming import Role
from cronstream.errors import SettingsError

_FIRST_WEB_PORT = 6066
#: Held until this process ends.
_reservations: dict[int, socket.socket] = {}


def free_web_port(host: str, role: Role) -> int:
    """Return a port nobody has: a scheduler's is 6066 by habit, a worker's tells its process."""
    start = _FIRST_WEB_PORT + (1 + os.getpid() % 500 if role.cluster else 0)
    for port in range(start, start + 500):
        if _bind_fault(host, port) is None and _reserve(port):
            return port
    return 0


def take_web_port(host: str, port: int) -> None:
    """Reserve the port that was asked for, before anything of this process has begun.

    Raises:
        SettingsError: If it cannot be listened at, or another process has chosen it.
    """
    fault = _bind_fault(host, port)
    if fault is None and _reserve(port):
        return
    raise SettingsError(
        f"web port {port} cannot be taken at {host} ({fault or 'another process has it'}): give "
        "another with --web-port or CRONSTREAM_WEB_PORT, or neither for a free one"
    )


def _bind_fault(host: str, port: int) -> str | None:
    """Return why nothing can listen at a port now, or None; TIME_WAIT does not count."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def _reserve(port: int) -> bool:
    """Return whether no process that is starting just now has chosen this port before.

    It is listened at only seconds later. A name without a file (Linux) is one process's until it
    ends; where there are no such names, nothing is reserved.
    """
    if port in _reservations or not sys.platform.startswith("linux"):
        return True
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        reservation.bind(f"\0cronstream-web-{port}")
    except OSError:
        reservation.close()
        return False
    _reservations[port] = reservation
    return True
