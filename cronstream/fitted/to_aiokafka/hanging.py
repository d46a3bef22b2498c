"""Has aiokafka leave a broker that hangs: its machine is there, and nothing answers.

TCP keeps such a connection up, for the machine acknowledges what is sent; so
`to_aiokafka.connections` notices nothing. Kafka itself has other brokers lead within ten seconds,
and aiokafka (0.14) waits for the answer as long as for any: minutes, in which it asks nobody else.

How long an answer may take, nobody knows: a broker holds a message until its copies have it, and a
member until its group is complete. So what has waited for a while is not given up, but the broker
is asked for its versions over another connection, which takes it no time. If it does not say
those either, it hangs, and the connection is closed.
"""

import asyncio
import logging
import weakref
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaError

from cronstream.clock import until_step
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Between two looks at a connection: what waits at both is worth a question.
LOOK_S: Final = 3.0
#: A broker that is there has said its versions by then.
ANSWER_S: Final = 5.0

_CONNECTION: Any = AIOKafkaConnection  # there is no public way in
_connect = _CONNECTION.connect
#: Questions that are under way: a loop keeps no tasks of its own.
_questions: set[asyncio.Task[None]] = set()


def watch(connection: Any, look_s: float = LOOK_S) -> None:
    """Look at a connection, again and again, as long as it is up."""
    _look_later(weakref.ref(connection), None, look_s)


def _look_later(ref: Any, before: int | None, look_s: float) -> None:
    asyncio.get_running_loop().call_later(until_step(look_s), _look, ref, before, look_s)


def _look(ref: Any, before: int | None, look_s: float) -> None:
    connection = ref()
    if connection is None or not connection.connected():
        return
    waits = _oldest(connection)
    if waits is not None and waits == before:
        question = asyncio.get_running_loop().create_task(_ask(connection, waits))
        _questions.add(question)
        question.add_done_callback(_questions.discard)
    _look_later(ref, waits, look_s)


def _oldest(connection: Any) -> int | None:
    """Return the number of the request that has waited longest; None if none waits."""
    number: int | None = connection._requests[0][0] if connection._requests else None
    return number


async def _ask(connection: Any, waits: int) -> None:
    """Close a connection whose broker does not say its versions over another one."""
    if await _answers(connection) or _oldest(connection) != waits:
        return
    place = f"{connection.host}:{connection.port}"
    about = fields("broker-hangs", broker=place)
    logger.warning("the broker at %s is there, and does not answer", place, extra=about)
    connection.close(reason=CloseReason.CONNECTION_TIMEOUT)


async def _answers(connection: Any) -> bool:
    """Whether the broker says its versions, for which nobody has to log in."""
    tls = connection._security_protocol in ("SSL", "SASL_SSL")
    other = _CONNECTION(
        connection.host,
        connection.port,
        request_timeout_ms=int(ANSWER_S * 1000),
        security_protocol="SSL" if tls else "PLAINTEXT",
        ssl_context=connection._ssl_context if tls else None,
    )
    try:
        async with asyncio.timeout(ANSWER_S):
            await _connect(other)
    except TimeoutError:
        return False
    except (KafkaError, OSError):
        return True  # It is gone, or refuses: the connection itself says so in a moment.
    finally:
        other.close()
    return True
