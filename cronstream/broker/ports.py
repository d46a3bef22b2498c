"""Which ports are free, of the loopback interface or elsewhere on this machine."""

import socket

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` of the loopback interface now."""
    return bind_fault(HOST, port) is None


def bind_fault(host: str, port: int) -> str | None:
    """Return why no server could listen at an address now, or None if one could."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            # As servers do, so that connections in TIME_WAIT do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def free_port(*preferred: int) -> int:
    """Return the first of `preferred` that is free, or else one that the system chooses."""
    for port in preferred:
        if is_free(port):
            return port
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
    return int(port)
