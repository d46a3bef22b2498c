"""A web port for each process of this machine that was given none."""

import os
import socket
import sys

from cronstream.core.naming import Role

_FIRST_WEB_PORT = 6066
#: Held until this process ends.
_reservations: list[socket.socket] = []


def free_web_port(host: str, role: Role) -> int:
    """Return a port nobody has: a scheduler's is 6066 by habit, a worker's tells its process."""
    start = _FIRST_WEB_PORT + (1 + os.getpid() % 500 if role.cluster else 0)
    for port in range(start, start + 500):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        if _reserve(port):
            return port
    return 0


def _reserve(port: int) -> bool:
    """Return whether no process that is starting just now has chosen this port before.

    It is listened at only seconds later. A name without a file (Linux) is one process's until it
    ends; where there are no such names, nothing is reserved.
    """
    if not sys.platform.startswith("linux"):
        return True
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        reservation.bind(f"\0cronstream-web-{port}")
    except OSError:
        reservation.close()
        return False
    _reservations.append(reservation)
    return True
