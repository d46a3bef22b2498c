"""The one kind of producer that there is here: in it, a message waits as long as it takes."""

import asyncio
import contextlib
from typing import Any

from aiokafka.errors import KafkaError

from cronstream.errors import BrokerError
from cronstream.fitted.to_aiokafka.clients import pace, wait_without_end
from cronstream.settings import Settings
from cronstream.topology.client import new_producer
from cronstream.topology.refusals import missing_right

#: A producer that has not disconnected by then is left to its process's end: it waits until all
#: that is in it is through, and Kafka may be away.
_STOP_WITHIN_S = 3.0


async def start_producer(
    settings: Settings, max_bytes: int, *, counts_messages: bool = True
) -> Any:
    """Return a producer that is connected.

    Args:
        settings: Where Kafka is.
        max_bytes: How large a message may be.
        counts_messages: Whether Kafka is to drop what comes twice; a message that it does not take
            at all leaves a gap then, and it takes nothing more on that partition.

    Raises:
        BrokerError: If no broker answers.
        TopologyError: If this user may write nothing.
    """
    producer = new_producer(
        settings,
        acks="all",
        enable_idempotence=counts_messages,
        request_timeout_ms=300_000,
        max_request_size=max_bytes,
        linger_ms=0,
    )
    wait_without_end(producer)
    pace(producer.client)
    try:
        await producer.start()
    except KafkaError as error:
        with contextlib.suppress(KafkaError):
            await producer.stop()
        if missing := missing_right(error):
            raise missing from error
        where = ", ".join(settings.bootstrap)
        raise BrokerError(f"no Kafka answers at {where}: {error}") from error
    except asyncio.CancelledError:
        # What is half connected would stay so: nobody knows it any more.
        await stop_producer(producer)
        raise
    return producer


async def stop_producer(producer: Any) -> None:
    """Disconnect a producer, if there is one."""
    if producer is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await producer.stop()
