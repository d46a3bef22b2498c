"""Has aiokafka notice a broker that is gone without a word: its machine lost power, or a cable.

Nobody closes a connection to it. aiokafka (0.14) waits on it for an answer as long as for any, for
minutes; and it tries as long to connect again, while its other connections, and the question who
leads what, wait for their turn. TCP can find out within seconds; for what it cannot see there is
`to_aiokafka.hanging`.
"""

import socket
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError

from cronstream.fitted.to_aiokafka.hanging import watch
from cronstream.fitted.to_aiokafka.logins import log_refusal, renew

#: A broker that is there has greeted by then.
CONNECT_S = 5.0
#: What was sent is acknowledged by the other machine's TCP by then, or nobody is there.
GONE_S = 6
#: On a connection where all is quiet: seconds until it is looked whether the other is still there,
#: between two looks, and looks without an answer.
_QUIET = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}

_CONNECTION: Any = AIOKafkaConnection  # there is no public way in
_connect = _CONNECTION.connect


async def _connect_soon(connection: Any) -> Any:
    """Connect within seconds, and have TCP watch the connection.

    Raises:
        OSError: If nobody is there, or its password or certificates cannot be read.
        TimeoutError: If nobody has greeted in time.
    """
    usual = connection._request_timeout
    connection._request_timeout = min(usual, CONNECT_S)
    try:
        await renew(connection)
        reader, writer = await _connect(connection)
    except (KafkaError, OSError) as error:
        log_refusal(connection, error)
        raise
    finally:
        connection._request_timeout = usual
    # Not the connection's own: that is gone by now if the broker has hung up meanwhile.
    set_keepalive(writer.get_extra_info("socket"))
    watch(connection)
    return reader, writer


def set_keepalive(connected: Any) -> None:
    """Have TCP break a connection whose other end is silent, as far as this system can."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {**_QUIET, "TCP_USER_TIMEOUT": GONE_S * 1000}
    for name, value in options.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def detect_dead_connections() -> None:
    """Mend all connections that this process makes from now on."""
    _CONNECTION.connect = _connect_soon
