"""Which ports of the loopback interface are free."""

import socket

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` of the loopback interface now."""
    with socket.socket() as listener:
        # As servers do, so that connections in TIME_WAIT do not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(*preferred: int) -> int:
    """Return the first of `preferred` that is free, or else one that the system chooses."""
    for port in preferred:
        if is_free(port):
            return port
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
    return int(port)
